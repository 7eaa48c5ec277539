/// Host names, addresses and broker lists, by form only: whether a name resolves is seen when it is used, and may
/// change while the program runs.
enum HostRules {
    /// No real list comes near it; a longer one is a file pasted into the wrong place.
    static let maxBrokers = 100

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    /// A DNS name (with underscores, which container networks use) or an IPv4 or IPv6 address without brackets.
    static func isHost(_ text: some StringProtocol) -> Bool {
        let bytes = text.utf8
        guard (1...253).contains(bytes.count) else { return false }
        if bytes.contains(UInt8(ascii: ":")) { return isIPv6(text) }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return labels.enumerated().allSatisfy { index, label in
            // A trailing dot makes a DNS name absolute.
            if label.isEmpty { return index == labels.count - 1 && index > 0 }
            return label.utf8.count <= 63 && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
        }
    }

    /// The characters of an IPv6 address, with a zone (`fe80::1%eth0`); `getaddrinfo` judges the rest.
    private static func isIPv6(_ text: some StringProtocol) -> Bool {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        let address = parts[0].utf8
        guard address.count <= 45, address.count(where: { $0 == UInt8(ascii: ":") }) >= 2 else { return false }
        let isHex = address.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: ":"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        return isHex && (parts.count == 1 || parts[1].utf8.allSatisfy(isAlphanumeric) && !parts[1].isEmpty)
    }

    static func isBrokerList(_ text: String) -> Bool {
        let brokers = text.split(separator: ",", omittingEmptySubsequences: false)
        return brokers.count <= maxBrokers && brokers.allSatisfy { isHostAndPort($0) }
    }

    /// `host`, `host:port` or `[address]:port`; without a port librdkafka takes 9092.
    static func isHostAndPort(_ text: Substring) -> Bool {
        splitHostAndPort(text) != nil
    }

    static func splitHostAndPort(_ text: Substring) -> (host: Substring, port: Int?)? {
        let host: Substring
        var rest: Substring
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
            guard host.contains(":") else { return nil }
        } else {
            let colon = text.firstIndex(of: ":") ?? text.endIndex
            host = text[..<colon]
            rest = text[colon...]
        }
        guard isHost(host) else { return nil }
        if rest.isEmpty { return (host, nil) }
        guard rest.removeFirst() == ":", rest.utf8.allSatisfy({ isAlphanumeric($0) }), let port = Int(rest),
            (1...65535).contains(port)
        else { return nil }
        return (host, port)
    }
}
