// swift-tools-version: 6.2
import PackageDescription

// Coverage-guided, differential fuzzing of the event decoder; `dev/fuzz` builds and runs it, docs/DECODER.md tells the
// rest. A package of its own, since the sanitizers, the linker and the two JSON parsers have no place in the router.
//
// RouterCore and CCrypto are links to the router's own folders, so that only what belongs to the decoder is compiled
// here and instrumented: every edge that libFuzzer counts is the decoder's.
let package = Package(
    name: "fuzzing",
    targets: [
        .systemLibrary(name: "CCrypto", path: "CCrypto", pkgConfig: "libcrypto"),
        .target(
            name: "RouterCore", dependencies: ["CCrypto"], path: "RouterCore",
            exclude: [
                "Batch", "Delivery", "Destination", "Memory", "Progress", "Reinsert", "Clients/AgedMap.swift",
                "Clients/ClientAnswer.swift",
                "Clients/ClientDirectory.swift", "Clients/ClientEntry.swift", "Clients/ClientJudgement.swift",
                "Clients/ClientRoster.swift", "Clients/DatabaseName.swift", "DeadLetter/DeadLetter.swift",
                "DeadLetter/DeadLetterForm.swift", "DeadLetter/DeadLetterQueue.swift",
            ],
            sources: [
                "Event", "Clients/HexDigits.swift", "Clients/KeyHash.swift", "Clients/KeyHash+Text.swift",
                "Clients/UUID128.swift", "Clients/UUID128+Text.swift", "DeadLetter/Refusal.swift",
                "DeadLetter/DeadLetterReason.swift",
            ],
            swiftSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])]),
        .target(
            name: "DecoderReference", path: "Reference",
            linkerSettings: [.linkedLibrary("yajl"), .linkedLibrary("simdjson"), .linkedLibrary("crypto")]),
        .executableTarget(
            name: "fuzz-decoder", dependencies: ["RouterCore", "DecoderReference"], path: "Decoder",
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx20
)
