// swift-tools-version: 6.2
// The layer table of the README as code: bottom up, one line per target. Arrows point down only.
import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"), .enableUpcomingFeature("MemberImportVisibility"),
]
func library(_ name: String, uses: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: uses, swiftSettings: strict)
}
func tests(_ name: String, uses: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name, dependencies: uses, resources: resources, swiftSettings: strict)
}
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")

let package = Package(
    name: "Quern",
    products: [.executable(name: "quern", targets: ["CommandLineTool"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    ],
    targets: [
        // Layer 0: the machine, no knowledge of models
        .target(name: "CKernels", cSettings: [.define("NDEBUG")]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        library("ByteStorage"),
        library("HostFacts", uses: ["ByteStorage"]),
        library("StrictJSON"),
        // Layer 1: vocabulary
        library("Tensors", uses: ["ByteStorage"]),
        // Layer 2: kernels, files, text
        library("Kernels", uses: ["Tensors", "CKernels"]),
        library("Safetensors", uses: ["Tensors", "ByteStorage", "StrictJSON"]),
        library("ModelFiles", uses: ["Tensors", "ByteStorage", "StrictJSON", "CZstd", crypto]),
        library("Architectures", uses: ["Tensors", "StrictJSON"]),
        library("SentencePieceModels", uses: [protobuf]),
        library("Tokenization", uses: ["StrictJSON", "SentencePieceModels"]),
        // Layer 3: the two halves
        library("Quantization", uses: ["Tensors", "Kernels"]),
        library("Inference", uses: ["Tensors", "Kernels", "ModelFiles", "Architectures"]),
        // Layer 4: whole jobs
        library("Conversion", uses: [
            "Safetensors", "Quantization", "ModelFiles", "Tokenization", "Tensors", "StrictJSON", "Architectures",
            "Kernels", "ByteStorage", "HostFacts", crypto,
        ]),
        library("Generation", uses: ["Inference", "Tokenization", "ModelFiles", "Kernels"]),
        // Layer 5: the edge
        .executableTarget(name: "CommandLineTool", dependencies: [
            "Conversion", "Generation", "Inference", "ModelFiles", "Safetensors", "Tokenization", "Architectures", "Tensors",
            "Kernels", "Quantization", "StrictJSON", "ByteStorage", "HostFacts", arguments,
        ], swiftSettings: strict),

        tests("ByteStorageTests", uses: ["ByteStorage", "HostFacts"]),
        tests("StrictJSONTests", uses: ["StrictJSON"]),
        tests("SafetensorsTests", uses: ["Safetensors", "ByteStorage", "Tensors", "StrictJSON"]),
        tests("ModelFilesTests", uses: ["ModelFiles", "ByteStorage", "Tensors", "StrictJSON"]),
        tests("ArchitecturesTests", uses: ["Architectures", "Tensors", "StrictJSON"]),
        tests("TokenizationTests", uses: ["Tokenization", "StrictJSON"]),
        tests("KernelsTests", uses: ["Kernels", "Tensors"]),
        tests("QuantizationTests", uses: ["Quantization", "Kernels", "Tensors"]),
        tests("InferenceTests", uses: ["Inference", "Generation", "Kernels", "Tensors", "ModelFiles", "Architectures", "StrictJSON"]),
        tests("EndToEndTests", uses: ["CommandLineTool", "StrictJSON"]),
    ],
    swiftLanguageModes: [.v6]
)
