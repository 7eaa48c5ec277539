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

    /// `BoundedReplies` refuses arrays in arrays, which bounds this recursion.
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

/// hiredis' own functions for making replies, with a bound on arrays. hiredis allocates an array when it has read its
/// header, so without a bound a server that is not Redis needs a dozen bytes to claim 16 GB, and ten more for each
/// array inside. No command that this program sends is answered with an array in an array.
enum BoundedReplies {
    private static let defaults: redisReplyObjectFunctions? = {
        guard let reader = redisReaderCreate() else { return nil }
        defer { redisReaderFree(reader) }
        return reader.pointee.fn.pointee
    }()

    /// Lives as long as the process, because a reader keeps the pointer; nothing writes to it after it is made.
    /// nil only when memory is gone, and then hiredis makes no reader either.
    nonisolated(unsafe) static let functions: UnsafeMutablePointer<redisReplyObjectFunctions>? = {
        guard var functions = defaults else { return nil }
        functions.createArray = { task, count in
            guard count <= RedisConnection.argumentLimit, task?.pointee.parent == nil else { return nil }
            return BoundedReplies.defaults?.createArray(task, count)
        }
        let table = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
        table.initialize(to: functions)
        return table
    }()
}
