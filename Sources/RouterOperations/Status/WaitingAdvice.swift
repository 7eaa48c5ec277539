/// What a partition can wait for, in a router's own words (`waiting_for` in `/api/status`), and what to do about it when the
/// wait does not end.
enum WaitingAdvice {
    static let pause = "paused by an operator"

    static func advice(_ waitingFor: String?, partitions: [Int32]) -> String {
        switch waitingFor {
        case "memory":
            "its buffers are full and nothing empties them: router doctor says which server takes nothing; if all are well, "
                + "restart the router, and raise ROUTER_MEMORY_LIMIT_MB if it comes again"
        case "clickhouse": "see that ClickHouse takes inserts and its disk has room: router doctor, clickhouse.*"
        case "dead letters":
            "see that the dead-letter topic takes records, its size limit too: router doctor, kafka.topic.dead_letter"
        case "client directory": "see that Postgres answers: router doctor, postgres.*"
        case "commit":
            "see that Kafka takes the group's commits: router doctor, kafka.*; the group's coordinator may be away"
        case "rebalance": "see that every member of the group lives: restart one that hangs"
        case pause:
            "router pause says who and why; router resume "
                + partitions.map { "--partition \($0)" }.joined(separator: " ") + " ends it"
        case "a person": "router offsets show, then decide with router offsets accept"
        default: "router doctor says what is wrong with the servers; if all are well, restart the router"
        }
    }
}
