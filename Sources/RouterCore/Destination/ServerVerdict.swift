/// What an exception of ClickHouse means for the block it was thrown at. Decided by the code alone: HTTP's status mixes
/// things up (252 and 241 come as 500, parse errors as 400, an unknown table as 404).
///
/// One function for all who insert: the service, replay, rebuild, provisioning and migrations.
public enum ServerVerdict: Equatable, Sendable {
    /// It may be the server's trouble or this destination's: one table can throw 252 while others take inserts, and 497
    /// hits everyone when the router's own login breaks. `SuspicionJudge` tells them apart, by what happens to others.
    case suspicion(slowDown: Bool)
    /// A row, or several, are what the server refuses: split the block to find out which.
    case rowFault
    /// The client's table, database or columns are not as they have to be: nobody else's are.
    case destinationFault

    public init(code: Int) {
        if Self.rowFaultCodes.contains(code) {
            self = .rowFault
        } else if Self.destinationFaultCodes.contains(code) {
            self = .destinationFault
        } else {
            // Unknown codes raise suspicion, too: a wrong guess costs time, where taking an outage for a fault of the
            // row would make dead letters of good events.
            self = .suspicion(slowDown: Self.slowDownCodes.contains(code))
        }
    }

    /// TOO_MANY_SIMULTANEOUS_QUERIES, MEMORY_LIMIT_EXCEEDED, TOO_MANY_PARTS: the server says that it has too much to do.
    public static let slowDownCodes: Set<Int> = [202, 241, 252]

    /// What the official clients retry, and what other well-known ones do. The table is for those who read it: a code
    /// that is in no list raises suspicion just the same.
    public static let retriableCodes: Set<Int> = [
        3, 107, 159, 164, 198, 201, 202, 203, 209, 210, 236, 241, 242, 243, 244, 252, 254, 265, 279, 285, 286, 289,
        290, 297, 319, 364, 384, 425, 999, 1000,
    ]

    /// CANNOT_PARSE_TEXT (6), CANNOT_PARSE_ESCAPE_SEQUENCE (25), CANNOT_PARSE_QUOTED_STRING (26),
    /// CANNOT_PARSE_INPUT_ASSERTION_FAILED (27), CANNOT_PARSE_DATE (38), CANNOT_PARSE_DATETIME (41), TYPE_MISMATCH (53),
    /// CANNOT_PARSE_NUMBER (72), INCORRECT_DATA (117), VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE (321),
    /// CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN (349), VIOLATED_CONSTRAINT (469).
    public static let rowFaultCodes: Set<Int> = [6, 25, 26, 27, 38, 41, 53, 72, 117, 321, 349, 469]

    /// NO_SUCH_COLUMN_IN_TABLE (16), UNKNOWN_TABLE (60), UNKNOWN_DATABASE (81).
    public static let destinationFaultCodes: Set<Int> = [16, 60, 81]

    /// UNKNOWN_TABLE (60), UNKNOWN_DATABASE (81): there is nothing that could hold a row.
    public static let missingTargetCodes: Set<Int> = [60, 81]

    /// UNKNOWN_USER (192), WRONG_PASSWORD (193), REQUIRED_PASSWORD (194), IP_ADDRESS_NOT_ALLOWED (195),
    /// DATABASE_ACCESS_DENIED (291), ACCESS_DENIED (497), AUTHENTICATION_FAILED (516): the router's own login may be
    /// broken, or one destination's grants. They raise suspicion like the others; the list is for messages to people.
    public static let accessCodes: Set<Int> = [192, 193, 194, 195, 291, 497, 516]
}
