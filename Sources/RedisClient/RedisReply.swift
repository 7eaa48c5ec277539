import CHiredis

/// What Redis answered to one command.
public enum RedisReply: Sendable, Equatable {
    /// `+OK` and its like.
    case status(String)
    case integer(Int64)
    case string([UInt8])
    case array([RedisReply])
    /// No such key.
    case null
    /// The server refused this command; the connection stays usable.
    case failure(String)

    /// The bytes of a string, nil for everything else.
    public var bytes: [UInt8]? {
        if case .string(let bytes) = self { return bytes }
        return nil
    }

    public var elements: [RedisReply]? {
        if case .array(let elements) = self { return elements }
        return nil
    }

    /// hiredis itself refuses nesting deeper than 7, which bounds this recursion.
    init?(copying reply: redisReply) {
        switch reply.type {
        case REDIS_REPLY_STRING: self = .string(Self.bytes(reply))
        case REDIS_REPLY_STATUS: self = .status(String(decoding: Self.bytes(reply), as: UTF8.self))
        case REDIS_REPLY_ERROR: self = .failure(String(decoding: Self.bytes(reply), as: UTF8.self))
        case REDIS_REPLY_INTEGER: self = .integer(reply.integer)
        case REDIS_REPLY_NIL: self = .null
        case REDIS_REPLY_ARRAY:
            var elements: [RedisReply] = []
            elements.reserveCapacity(reply.elements)
            for index in 0..<reply.elements {
                guard let element = reply.element?[index], let copy = RedisReply(copying: element.pointee) else {
                    return nil
                }
                elements.append(copy)
            }
            self = .array(elements)
        default: return nil
        }
    }

    private static func bytes(_ reply: redisReply) -> [UInt8] {
        [UInt8](UnsafeRawBufferPointer(start: reply.str, count: reply.str == nil ? 0 : reply.len))
    }
}
