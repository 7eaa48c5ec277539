import Glibc
import Synchronization

/// Knows whether the member is joining its group: from when it sets out until the group has answered.
///
/// A commit must not be sent then. A broker answers the requests of one connection one after the other, so it looks at
/// a commit that follows a JoinGroup only when the whole group has joined; by then the commit names the generation
/// before, and is refused with 22 (ILLEGAL_GENERATION). librdkafka 2.0.2 takes that for its own membership's end and
/// gives up everything it has just been given: a group that commits often would rebalance for ever.
///
/// librdkafka tells nobody which state its member is in but its log (`debug=cgrp`), line by line and from the thread
/// that changes it, before the request leaves. Only the lines of that debug context are looked at, and none of them is
/// handed on unless the owner asked for it.
final class JoinWatch: Sendable {
    private let joining = Atomic<Bool>(false)
    private let wake: WakeDescriptor
    private let handsLinesOn: Bool

    /// The states of `rd_kafka_cgrp_join_state_names` in which a JoinGroup or a SyncGroup is, or is about to be, under way.
    private static let joiningStates: Set<String> = ["init", "wait-join", "wait-metadata", "wait-sync"]
    /// syslog's number for what `debug` adds.
    private static let debugLevel: Int32 = 7

    init(wake: WakeDescriptor, handsLinesOn: Bool) {
        self.wake = wake
        self.handsLinesOn = handsLinesOn
    }

    var isJoining: Bool { joining.load(ordering: .acquiring) }

    /// - Returns: true when the line goes no further.
    func takes(level: Int32, facility: UnsafePointer<CChar>, text: UnsafePointer<CChar>) -> Bool {
        guard level >= Self.debugLevel else { return false }
        if strcmp(facility, "CGRPJOINSTATE") == 0 { follow(String(cString: text)) }
        return !handsLinesOn
    }

    /// `… changed join state wait-sync -> wait-assign-call (state up)`
    func follow(_ line: String) {
        let words = line.split(separator: " ")
        guard let arrow = words.lastIndex(of: "->"), arrow + 1 < words.endIndex else { return }
        let isJoining = Self.joiningStates.contains(String(words[arrow + 1]))
        let was = joining.exchange(isJoining, ordering: .acquiringAndReleasing)
        // What was held back can go.
        if was && !isJoining { wake.signal() }
    }
}
