/// A verdict that a record cannot become a row: the reason a script counts by, and a sentence for a person.
///
/// `detail` names fields and limits, never values of credentials.
public struct Refusal: Error, Sendable, Equatable {
    public var reason: DeadLetterReason
    public var detail: String

    public init(_ reason: DeadLetterReason, _ detail: String) {
        self.reason = reason
        self.detail = detail
    }
}
