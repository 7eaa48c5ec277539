/// One visitor's way through a shop: what they do next depends on what they did.
struct ShopSession {
    enum Step {
        case start, pageView, search, productView, addToCart, checkout, purchase, end
    }

    private(set) var user: Int
    /// The session's id, as it goes into the event.
    private(set) var id: UInt64
    private(set) var step: Step = .start
    private(set) var product = 0
    private(set) var cartItems = 0
    private(set) var cartCents = 0
    let country: Int
    let device: Int

    /// Users of one client; some come back in a later session.
    static let users = 50_000
    static let products = 2_000

    init(_ random: inout SampleRandom) {
        user = random.below(Self.users)
        id = random.next()
        country = random.below(SampleWords.countries.count)
        device = random.below(SampleWords.devices.count)
    }

    /// Does the next thing, and says what it was. A visitor who leaves is followed by a new one.
    mutating func advance(_ random: inout SampleRandom) -> Step {
        if step == .end || step == .purchase { self = ShopSession(&random) }
        if step == .start && cartItems == 0 && product == 0 {
            step = random.isOneIn(5) ? .productView : .pageView
        } else {
            step = next(random.below(100))
        }
        switch step {
        case .productView: product = 1 + random.below(Self.products)
        case .addToCart:
            cartItems += 1
            cartCents += Self.cents(of: product)
        default: break
        }
        return step == .end ? advance(&random) : step
    }

    private func next(_ percent: Int) -> Step {
        switch step {
        case .start, .pageView:
            percent < 45 ? .pageView : percent < 75 ? .productView : percent < 88 ? .search : .end
        case .search: percent < 70 ? .productView : percent < 85 ? .search : .end
        case .productView: percent < 30 ? .addToCart : percent < 60 ? .productView : percent < 85 ? .pageView : .end
        case .addToCart: percent < 45 ? .checkout : percent < 75 ? .productView : percent < 90 ? .pageView : .end
        case .checkout: percent < 65 ? .purchase : percent < 80 ? .pageView : .end
        case .purchase, .end: .pageView
        }
    }

    /// The same product has the same price.
    static func cents(of product: Int) -> Int { 199 + product &* 7919 % 24_800 }
}

/// Words of the sample events.
enum SampleWords {
    static let countries: [StaticString] = [
        "AT", "BR", "CH", "DE", "ES", "FR", "GB", "IN", "IT", "JP", "NL", "PL", "US",
    ]
    static let devices: [StaticString] = ["desktop", "mobile", "mobile", "tablet"]
    static let pages: [StaticString] = ["/", "/sale", "/new", "/women", "/men", "/kids", "/help", "/about", "/cart"]
    static let referrers: [StaticString] = ["direct", "search", "newsletter", "social", "partner"]
    static let searches: [StaticString] = ["shoes", "Mütze", "rain jacket", "靴", "socks \\\"xl\\\"", "gift card"]
    static let names: [StaticString] = ["Shirt", "Jacke", "Béret", "Sneaker", "Scarf", "Tasche", "靴下"]
    static let payments: [StaticString] = ["card", "paypal", "invoice"]
}
