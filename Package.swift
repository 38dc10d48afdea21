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
        // Without its default traits it needs no Foundation with ICU, which is 40 MB.
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
    ],
    targets: [
        // Layer 0: the machine, no knowledge of models
        .target(name: "CKernels", cSettings: [.define("NDEBUG")]),
        .target(name: "CScheduling"),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        library("ByteStorage"),
        library("HostFacts"),
        library("StrictJSON"),
        library("RandomNumbers"),
        library("LineEditing"),
        // Layer 1: vocabulary
        library("Tensors"),
        library("TokenizerProbes"),
        // Layer 2: kernels, files, text
        library("Kernels", uses: ["Tensors", "CKernels", "CScheduling"]),
        library("Safetensors", uses: ["Tensors", "ByteStorage", "StrictJSON"]),
        library("ModelFiles", uses: ["Tensors", "TokenizerProbes", "ByteStorage", "StrictJSON", "CZstd", crypto]),
        library("Architectures", uses: ["Tensors", "StrictJSON"]),
        library("CalibrationFiles", uses: ["ByteStorage", "StrictJSON", "ModelFiles", "Architectures"]),
        // The .proto is the source of the committed .pb.swift; protoc is not needed to build.
        .target(name: "SentencePieceModels", dependencies: [protobuf], exclude: ["sentencepiece_model.proto"], swiftSettings: strict),
        library("Tokenization", uses: ["StrictJSON", "SentencePieceModels", "TokenizerProbes"]),
        library("ChatTemplates", uses: ["StrictJSON"]),
        library("TaskData", uses: ["StrictJSON", "ByteStorage", "ModelFiles"]),
        // Layer 3: the two halves
        library("Quantization", uses: ["Tensors", "Kernels"]),
        library("Inference", uses: ["Tensors", "Kernels", "ModelFiles", "Architectures", "ByteStorage"]),
        // Beside both halves and used by either: original and quantized models layer by layer
        library("LayerwiseInference", uses: ["Safetensors", "ModelFiles", "Architectures", "Tensors", "Kernels", "ByteStorage", "StrictJSON"]),
        // Above Inference, below whole jobs: what a running model keeps between runs
        library("SessionFiles", uses: ["Inference", "Kernels", "ModelFiles", "StrictJSON", "ByteStorage"]),
        // Layer 4: whole jobs
        library("Conversion", uses: [
            "Safetensors", "Quantization", "ModelFiles", "CalibrationFiles", "Tokenization", "TokenizerProbes", "ChatTemplates", "Tensors", "StrictJSON", "Architectures",
            "Kernels", "ByteStorage", "HostFacts",
        ]),
        library("Generation", uses: ["Inference", "RandomNumbers", "Tokenization", "ChatTemplates", "ModelFiles", "StrictJSON", "ByteStorage", "Kernels"]),
        library("Chat", uses: ["Generation", "ChatTemplates", "Inference", "Tokenization", "StrictJSON"]),
        library("Evaluation", uses: ["LayerwiseInference", "ModelFiles", "Architectures", "Kernels", "ByteStorage"]),
        library("TaskScores", uses: [
            "TaskData", "Inference", "LayerwiseInference", "Tokenization", "ModelFiles", "Architectures", "Kernels", "StrictJSON", "ByteStorage",
        ]),
        library("Calibration", uses: ["LayerwiseInference", "CalibrationFiles", "ModelFiles", "Architectures", "Kernels", "RandomNumbers", "StrictJSON", "ByteStorage"]),
        library("Benchmarking", uses: ["Inference", "Generation", "Architectures", "Kernels", "RandomNumbers"]),
        library("Reporting", uses: ["Conversion", "ModelFiles", "Architectures", "Tensors", "StrictJSON", "ByteStorage"]),
        // Layer 5: the edge
        .executableTarget(name: "CommandLineTool", dependencies: [
            "Conversion", "Generation", "SessionFiles", "Chat", "LineEditing", "Evaluation", "TaskScores", "TaskData", "Calibration", "CalibrationFiles", "Benchmarking", "Reporting",
            "Inference", "LayerwiseInference", "ModelFiles", "Safetensors", "Tokenization", "ChatTemplates", "Architectures",
            "Tensors", "Kernels", "StrictJSON", "ByteStorage", "HostFacts", arguments,
        ], swiftSettings: strict),
        .executableTarget(name: "KernelBenchmarks", dependencies: ["Quantization", "Tensors", "Kernels", arguments], swiftSettings: strict),

        // The bundled model, seeded random numbers and models, guarded memory, temporary folders and child processes for the tests
        .target(name: "TestSupport", dependencies: ["Conversion", "Architectures", "Kernels", "Tensors", "RandomNumbers", "StrictJSON", "ByteStorage"], path: "Tests/TestSupport", swiftSettings: strict),
        .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
        tests("ByteStorageTests", uses: ["ByteStorage", "HostFacts"]),
        tests("StrictJSONTests", uses: ["StrictJSON"]),
        tests("LineEditingTests", uses: ["LineEditing"]),
        tests("SafetensorsTests", uses: ["Safetensors", "ByteStorage", "Tensors", "StrictJSON"]),
        tests("ModelFilesTests", uses: ["ModelFiles", "TokenizerProbes", "ByteStorage", "Tensors", "StrictJSON"]),
        tests("CalibrationFilesTests", uses: ["CalibrationFiles", "Architectures", "ByteStorage", "ModelFiles", "StrictJSON"]),
        tests("ArchitecturesTests", uses: ["Architectures", "Tensors", "StrictJSON"]),
        tests("TokenizationTests", uses: ["Tokenization", "TokenizerProbes", "StrictJSON"]),
        tests("ChatTemplatesTests", uses: ["ChatTemplates", "StrictJSON"]),
        tests("ConversionTests", uses: ["RandomNumbers", "Conversion", "Architectures", "Tensors", "Kernels", "TestSupport"]),
        tests("KernelsTests", uses: ["RandomNumbers", "Kernels", "CKernels", "Tensors", "TestSupport"]),
        tests("QuantizationTests", uses: ["RandomNumbers", "Quantization", "ModelFiles", "Kernels", "Tensors", "StrictJSON", "TestSupport"]),
        tests("GenerationTests", uses: ["RandomNumbers", "Generation", "Kernels", "TestSupport", "AllocationCounter"]),
        tests("InferenceTests", uses: [
            "Inference", "Generation", "SessionFiles", "Conversion", "Tokenization", "Kernels", "Tensors", "ModelFiles", "Architectures", "StrictJSON",
            "Safetensors", "ByteStorage", "AllocationCounter", "TestSupport",
        ]),
        tests("ChatTests", uses: [
            "Chat", "ChatTemplates", "Generation", "Inference", "Tokenization", "Kernels", "Tensors", "ModelFiles", "StrictJSON", "ByteStorage", "TestSupport",
        ]),
        tests("EvaluationTests", uses: [
            "Evaluation", "LayerwiseInference", "Conversion", "Generation", "Inference", "Tokenization", "Kernels", "Tensors", "ModelFiles", "Architectures",
            "Safetensors", "StrictJSON", "ByteStorage", "TestSupport",
        ]),
        tests("TaskDataTests", uses: ["TaskData", "StrictJSON", "ModelFiles"]),
        tests("TaskScoresTests", uses: [
            "TaskScores", "TaskData", "Architectures", "Conversion", "Generation", "Inference", "LayerwiseInference", "Tokenization", "Kernels", "Tensors", "ModelFiles",
            "StrictJSON", "ByteStorage", "TestSupport",
        ]),
        tests("CalibrationTests", uses: [
            "Calibration", "CalibrationFiles", "LayerwiseInference", "Conversion", "Architectures", "Kernels", "Tensors", "ModelFiles", "StrictJSON", "ByteStorage",
        ]),
        tests("BenchmarkingTests", uses: ["Benchmarking"]),
        tests("ReportingTests", uses: ["RandomNumbers", "Reporting", "Conversion", "ModelFiles", "Architectures", "Tensors", "StrictJSON", "ByteStorage", "TestSupport"]),
        tests("EndToEndTests", uses: ["CommandLineTool", "TokenizerProbes", "StrictJSON", "ModelFiles", "Tensors", "Kernels", "TestSupport"]),
    ],
    swiftLanguageModes: [.v6]
)
