import Glibc
import RouterCore

/// libFuzzer's own main function, with the test given as a pointer:
/// `int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*UserCb)(const uint8_t *Data, size_t Size))`.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// libFuzzer runs one input at a time, on the thread that runs `main`.
nonisolated(unsafe) private let comparison = Comparison()

/// libFuzzer calls it by this name. It copies each input to memory of exactly its size, so that the address sanitizer
/// sees a read beyond the end.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    comparison.run(UnsafeRawBufferPointer(start: data, count: count))
    return 0
}

@main
struct FuzzDecoder {
    static func main() {
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        // The driver ends the process by itself, without a return.
        atexit { comparison.tally.report() }
        _ = runDriver(&count, &arguments, testOneInput)
    }
}

/// libFuzzer's own mutation of the bytes at `data`; returns the new length.
@_silgen_name("LLVMFuzzerMutate")
private func mutateBytes(_ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int) -> Int

/// libFuzzer calls it by this name where there is one, instead of its own mutations.
@_cdecl("LLVMFuzzerCustomMutator")
public func customMutator(_ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int, _ seed: UInt32) -> Int {
    let old = Array(UnsafeBufferPointer(start: data, count: count))
    let new = Mutator.mutate(old, seed: seed) { bytes in
        let fitting = bytes.count <= capacity ? bytes : old
        UnsafeMutableRawPointer(data).copyMemory(from: fitting, byteCount: fitting.count)
        let length = mutateBytes(data, fitting.count, capacity)
        return Array(UnsafeBufferPointer(start: data, count: length))
    }
    // One that is too long would be cut, and a cut document is malformed: the old one runs again instead.
    let result = new.count <= capacity ? new : old
    UnsafeMutableRawPointer(data).copyMemory(from: result, byteCount: result.count)
    return result.count
}

/// libFuzzer calls it by this name where there is one, to make one input of two.
@_cdecl("LLVMFuzzerCustomCrossOver")
public func customCrossOver(
    _ first: UnsafePointer<UInt8>, _ firstCount: Int, _ second: UnsafePointer<UInt8>, _ secondCount: Int,
    _ output: UnsafeMutablePointer<UInt8>, _ capacity: Int, _ seed: UInt32
) -> Int {
    let crossed = Mutator.cross(
        Array(UnsafeBufferPointer(start: first, count: firstCount)),
        Array(UnsafeBufferPointer(start: second, count: secondCount)), seed: seed)
    // 0 means: nothing made, try another mutation.
    guard let crossed, crossed.count <= capacity else { return 0 }
    UnsafeMutableRawPointer(output).copyMemory(from: crossed, byteCount: crossed.count)
    return crossed.count
}
