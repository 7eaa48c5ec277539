import ArgumentParser
import Foundation
import RouterCore
import RouterOperations

/// Which dead letters: the same for every subcommand of `router dlq`.
struct DlqFilterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only of this reason, such as client_not_active. Repeatable.", valueName: "reason"))
    var reason: [DeadLetterReason] = []

    @Option(
        help: ArgumentHelp(
            "Only of this client: by its key, or named by the record where no key was verified. Repeatable.",
            valueName: "client-id"),
        transform: ClientArgument.parse)
    var client: [ClientID] = []

    @Option(help: ArgumentHelp("Failed at or after: RFC 3339, a date, or how long ago: 2h, 7d.", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Failed before: as --since.", valueName: "time"))
    var until: String?

    @Option(help: ArgumentHelp("Only of this partition of the raw topic. Repeatable.", valueName: "partition"))
    var partition: [Int32] = []

    @Option(help: ArgumentHelp("Only this offset of the raw topic, or a range: 17-25.", valueName: "offset"))
    var offset: String?

    @Option(
        name: .customLong("where"),
        help: ArgumentHelp(
            "Only where this holds for the value: 'event_properties.sku = A-1', != too. Repeatable.",
            valueName: "path = value"))
    var conditions: [String] = []

    static func check(limit: Int?) throws {
        if let limit, limit < 0 { throw ValidationError("--limit has to be 0 or more.") }
    }

    func filter() throws -> DeadLetterFilter {
        var filter = DeadLetterFilter()
        filter.reasons = Set(reason)
        filter.clients = Set(client)
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        filter.sinceMilliseconds = try since.map { try Self.time($0, "--since", now) }
        filter.untilMilliseconds = try until.map { try Self.time($0, "--until", now) }
        if partition.contains(where: { $0 < 0 }) { throw ValidationError("--partition has to be 0 or more.") }
        filter.partitions = Set(partition)
        if let offset {
            guard let range = DeadLetterFilter.offsets(offset) else {
                throw ValidationError("--offset is a number or a range of two, such as 17-25, not '\(offset)'.")
            }
            filter.offsets = range
        }
        do {
            filter.conditions = try conditions.map { try JSONCondition($0) }
        } catch let error as JSONConditionError {
            throw ValidationError("--where: \(error)")
        }
        return filter
    }

    private static func time(_ text: String, _ option: String, _ now: Int64) throws -> Int64 {
        guard let time = DeadLetterFilter.milliseconds(text, nowMilliseconds: now) else {
            throw ValidationError(
                "\(option) is a time such as 2026-01-31T08:00:00Z, a date, or how long ago such as 2h; not '\(text)'.")
        }
        return time
    }
}

extension DeadLetterReason: ExpressibleByArgument {}
