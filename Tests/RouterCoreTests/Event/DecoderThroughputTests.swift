import Foundation
import Glibc
import RouterCore
import Testing

/// How fast one core decodes typical events, beside a pass of memchr over the same bytes. No limit is asserted, a machine
/// shared with others would break it; run it alone, optimised as a release is:
///
///     ROUTER_BENCH=1 swift test -c release -Xswiftc -enable-testing --filter DecoderThroughputTests
@Suite(.enabled(if: ProcessInfo.processInfo.environment["ROUTER_BENCH"] != nil))
struct DecoderThroughputTests {
    private static let differentEvents = 2000
    private static let rounds = 500

    @Test func typicalEvents() {
        let events = (0..<Self.differentEvents).map { Self.event($0) }
        let size = events.reduce(0) { $0 + $1.count }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer { memory.deallocate() }
        var values: [UnsafeRawBufferPointer] = []
        var end = 0
        for event in events {
            let place = UnsafeMutableRawBufferPointer(rebasing: memory[end..<end + event.count])
            place.copyBytes(from: event)
            values.append(UnsafeRawBufferPointer(place))
            end += event.count
        }

        for _ in 0..<3 {
            var accepted = 0
            let decoding = Self.cpuSeconds { accepted = decode(values) }
            #expect(accepted == Self.differentEvents * Self.rounds)
            var found = 0
            let searching = Self.cpuSeconds { found = search(values) }
            #expect(found == 0)
            report("decoder", decoding, bytes: size * Self.rounds)
            report("memchr", searching, bytes: size * Self.rounds)
        }
    }

    private func decode(_ values: [UnsafeRawBufferPointer]) -> Int {
        var decoder = EventDecoder(topic: "shared_raw_events", maxEventBytes: 1 << 20)
        var fields = EventFields()
        var accepted = 0
        for round in 0..<Self.rounds {
            for (index, value) in values.enumerated() {
                let record = RecordView(
                    value: value, partition: 1, offset: Int64(round * values.count + index),
                    timestampMilliseconds: 1_795_255_200_000)
                guard case .credentials = decoder.open(record) else { continue }
                if decoder.finish(record, into: &fields) == nil { accepted += 1 }
            }
        }
        return accepted
    }

    private func search(_ values: [UnsafeRawBufferPointer]) -> Int {
        var found = 0
        for _ in 0..<Self.rounds {
            for value in values {
                if let start = value.baseAddress, memchr(start, 0, value.count) != nil { found += 1 }
            }
        }
        return found
    }

    /// The thread's own CPU time: what others do on the machine counts less.
    private static func cpuSeconds(_ work: () -> Void) -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        work()
        return now() - start
    }

    private func report(_ name: String, _ seconds: Double, bytes: Int) {
        let events = Double(Self.differentEvents * Self.rounds)
        let million = String(format: "%.2f", events / seconds / 1e6)
        let megabytes = Int(Double(bytes) / seconds / 1e6)
        print("\(name): \(million) M events per CPU second of \(bytes / Int(events)) bytes, \(megabytes) MB/s")
    }

    private static func event(_ index: Int) -> [UInt8] {
        let text = """
            {"client_id":"\(UUID128.random())","api_key_hash":"\(KeyHash.sha256(of: "key\(index)").hex)",\
            "event_id":"\(UUID128.random())","event_name":"page_view","user_id":"user-\(index % 1000)",\
            "session_id":"s-\(index)","timestamp":"2026-11-21T10:00:0\(index % 10).123Z",\
            "event_properties":{"path":"/products/\(index)","referrer":"https://example.com/","price":12.5,\
            "tags":["a","b"]},"app_version":"1.2.3"}
            """
        return Array(text.utf8)
    }
}
