/// Makes sample events: bytes into a buffer that is used again.
struct SampleEvents {
    enum Credentials: Sendable { case body, headers }

    private static let sessionsPerClient = 64

    private let maxEventBytes: Int
    private let credentials: Credentials
    private var random: SampleRandom
    private var sessions: [[ShopSession]]
    private var time = TimeWriter()
    private(set) var text = EventText()

    /// - Parameter clients: how many clients' visitors there are.
    init(clients: Int, credentials: Credentials, maxEventBytes: Int, seed: UInt64) {
        self.credentials = credentials
        self.maxEventBytes = maxEventBytes
        var random = SampleRandom(seed: seed)
        sessions = (0..<clients).map { _ in (0..<Self.sessionsPerClient).map { _ in ShopSession(&random) } }
        self.random = random
    }

    /// A client's number, each as likely.
    mutating func anyClient() -> Int { random.below(sessions.count) }

    /// Bits for an id or a key hash that nobody has.
    mutating func bits() -> UInt64 { random.next() }

    /// Writes the next event of a client into `text`.
    ///
    /// - Returns: false when the record has to have no value at all.
    mutating func write(
        _ kind: SampleKind, client: Int, idText: [UInt8], keyHashText: [UInt8], nowMilliseconds: Int
    ) -> Bool {
        text.begin()
        if kind == .emptyPayload { return writeEmpty() }
        text.append("{")
        if credentials == .body {
            text.append(#""client_id":""#)
            text.append(idText)
            text.append(#"","api_key_hash":""#)
            text.append(keyHashText)
            text.append(#"","#)
        }
        writeFields(kind, client: client, nowMilliseconds: nowMilliseconds)
        text.append("}")
        switch kind {
        case .malformedJSON: text.removeLast()
        case .notAnObject:
            text.insertFirst(UInt8(ascii: "["))
            text.append("]")
        default: break
        }
        return true
    }

    /// A tombstone, no bytes, or only white space.
    private mutating func writeEmpty() -> Bool {
        switch random.below(3) {
        case 0: return false
        case 1: return true
        default:
            text.append(" \n\t ")
            return true
        }
    }

    private mutating func writeFields(_ kind: SampleKind, client: Int, nowMilliseconds: Int) {
        let slot = random.below(Self.sessionsPerClient)
        let step = sessions[client][slot].advance(&random)
        let session = sessions[client][slot]
        let wrongField = kind == .invalidField ? random.below(3) : -1
        if kind != .missingField {
            text.append(#""event_name":"#)
            if wrongField == 0 { text.append("17") } else { text.append(Self.name(of: step)) }
            text.append(",")
        }
        // Some producers send no id: the router derives one.
        if !random.isOneIn(8) {
            text.append(#""event_id":""#)
            text.append(uuid: random.next(), random.next())
            text.append(#"","#)
        }
        text.append(#""user_id":"#)
        text.append(wrongField == 1 ? "[" : "\"u-")
        text.append(session.user)
        text.append(wrongField == 1 ? "]" : "\"")
        text.append(#","session_id":"s-"#)
        text.append(hex: session.id)
        text.append(#"","timestamp":"#)
        writeTimestamp(kind, nowMilliseconds - random.below(2000))
        text.append(#","event_properties":"#)
        if wrongField == 2 { text.append(#""none""#) } else { writeProperties(step, session) }
        if random.isOneIn(4) {
            text.append(#","sdk":{"name":"web","version":"4."#)
            text.append(random.below(12))
            text.append(#""}"#)
        }
        if kind == .payloadTooLarge { writePadding() }
    }

    private mutating func writeTimestamp(_ kind: SampleKind, _ milliseconds: Int) {
        if kind == .timestampOutOfRange {
            text.append(random.isOneIn(2) ? #""1999-12-31T23:59:59Z""# : "4102444800")
        } else if random.isOneIn(10) {
            text.append(milliseconds)
        } else {
            text.append("\"")
            time.append(milliseconds: milliseconds, to: &text)
            text.append("\"")
        }
    }

    /// Longer than the limit by what stands before it.
    private mutating func writePadding() {
        text.append(#","padding":""#)
        text.append([UInt8](repeating: UInt8(ascii: "x"), count: maxEventBytes))
        text.append("\"")
    }

    private static func name(of step: ShopSession.Step) -> StaticString {
        switch step {
        case .start, .pageView, .end: #""page_view""#
        case .search: #""search""#
        case .productView: #""product_view""#
        case .addToCart: #""add_to_cart""#
        case .checkout: #""checkout_started""#
        case .purchase: #""purchase""#
        }
    }

    private mutating func writeProperties(_ step: ShopSession.Step, _ session: ShopSession) {
        text.append(#"{"country":""#)
        text.append(SampleWords.countries[session.country])
        text.append(#"","device":""#)
        text.append(SampleWords.devices[session.device])
        text.append("\"")
        switch step {
        case .start, .pageView, .end:
            text.append(#","page":""#)
            text.append(pick(SampleWords.pages))
            text.append(#"","referrer":""#)
            text.append(pick(SampleWords.referrers))
            text.append(#"","load_ms":"#)
            text.append(80 + random.below(1900))
        case .search:
            text.append(#","query":""#)
            text.append(pick(SampleWords.searches))
            text.append(#"","results":"#)
            text.append(random.below(240))
        case .productView, .addToCart: writeProduct(session, quantity: step == .addToCart ? 1 : nil)
        case .checkout, .purchase:
            text.append(#","items":"#)
            text.append(session.cartItems)
            text.append(#","total":"#)
            text.append(cents: session.cartCents)
            text.append(#","currency":"EUR","payment":""#)
            text.append(pick(SampleWords.payments))
            text.append("\"")
            if step == .purchase {
                text.append(#","order_id":"o-"#)
                text.append(hex: random.next(), digits: 10)
                text.append("\"")
            }
        }
        text.append("}")
    }

    private mutating func writeProduct(_ session: ShopSession, quantity: Int?) {
        text.append(#","product_id":"p-"#)
        text.append(session.product)
        text.append(#"","name":""#)
        text.append(SampleWords.names[session.product % SampleWords.names.count])
        text.append(#"","price":"#)
        text.append(cents: ShopSession.cents(of: session.product))
        if let quantity {
            text.append(#","quantity":"#)
            text.append(quantity)
        }
    }

    private mutating func pick(_ words: [StaticString]) -> StaticString { words[random.below(words.count)] }
}
