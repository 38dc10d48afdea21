import Architectures
import ByteStorage
import Inference
import Kernels
import LayerwiseInference
import Safetensors
import StrictJSON
import Tensors
import TestSupport
import Testing

/// The layer-by-layer engine against transformers and against sessions.
@Suite struct LayerwiseTests {
    /// Logits [token][stride] of windows of text.
    static func logits(
        _ model: any LayerwiseModel, _ arithmetic: LayerArithmetic, _ ids: [Int32], windowSize: Int, group: Int = 2, threads: Int = 2, kernels: KernelSet? = nil
    ) throws -> [Float] {
        let engine = LayerwiseEngine(
            configuration: model.configuration, windowSize: windowSize, groupWindows: group, codes: arithmetic.products != .floats,
            kernels: try kernels ?? KernelSet.selected(), pool: WorkerPool(threads: threads))
        let states = HiddenStates(windows: ids.count / windowSize, windowSize: windowSize, configuration: model.configuration)
        try engine.embed(ids, from: model.embedding, into: states)
        for layer in 0..<model.configuration.layers { try engine.run(try model.layer(layer), arithmetic, on: states) }
        try engine.checkFinite(states, path: model.path, place: "the last layer")
        var logits = [Float](repeating: 0, count: ids.count * engine.logitsStride)
        try logits.withUnsafeMutableBufferPointer { out in
            for group in engine.groups(of: states) {
                try engine.logits(
                    of: Array(group), norm: model.outputNorm, head: model.outputHead, arithmetic, on: states,
                    into: out.baseAddress! + group.lowerBound * engine.logitsStride)
            }
        }
        return logits
    }

    @Test func theCheckpointGivesTheLogitsOfTransformers() throws {
        let file = try SafetensorsFile.open(BundledModel.folder + "/logits.safetensors")
        func tensor(_ name: String) throws -> [UInt8] {
            let info = try #require(file.header.tensors.first { $0.name == JSONString(name) })
            var bytes = [UInt8](repeating: 0, count: Int(info.byteCount))
            try bytes.withUnsafeMutableBytes { try file.file.read(into: $0, at: info.byteOffset) }
            return bytes
        }
        let ids = try tensor("ids").withUnsafeBytes { Array($0.bindMemory(to: Int32.self)) }
        let expected = try tensor("logits").withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        let model = try Fixture.checkpoint()
        let logits = try Self.logits(model, .floats, ids, windowSize: ids.count, group: 1)
        let worst = zip(logits, expected).map { abs($0 - $1) }.max() ?? .infinity
        print("checkpoint layer by layer: largest logit difference from transformers \(worst)")
        #expect(worst < 1e-4)
        // f16 keeps a checkpoint in F16 exactly.
        #expect(try Self.logits(Fixture.source(.f16), .floats, ids, windowSize: ids.count, group: 1) == logits)
    }

    /// Every product with int8 activations, every cache: the bits of a session over the same tokens.
    @Test(arguments: [StorageType.q8, .q4, .q4s], CacheElement.allCases)
    func int8ArithmeticIsThatOfASession(type: StorageType, element: CacheElement) throws {
        let ids = Array(try Fixture.ids(of: BundledModel.text).prefix(600)), windowSize = 300
        let model = try LlamaModel(reader: Fixture.reader(type))
        for precision in [ProductPrecision.exact, .requantized] {
            let found = try Self.logits(Fixture.source(type), LayerArithmetic(products: .int8(precision), cache: element), ids, windowSize: windowSize)
            let session = try LlamaSession(
                model: model, context: windowSize, batch: 100, allLogits: true, element: element, precision: precision, kernels: try KernelSet.selected(),
                pool: WorkerPool(threads: 2))
            var differing = 0
            for start in stride(from: 0, to: ids.count, by: 100) {
                if start % windowSize == 0 { session.cache.truncate(to: 0) }
                let logits = try session.append(ids[start..<start + 100], logits: .all)
                for row in 0..<100 {
                    for id in 0..<4096 where logits[row * session.logitsStride + id] != found[(start + row) * 4096 + id] { differing += 1 }
                }
            }
            #expect(differing == 0, "\(type), \(element), \(precision)")
        }
    }

    @Test func sameBitsForAnyGroupingThreadsAndInstructionSet() throws {
        let ids = Array(try Fixture.ids(of: BundledModel.text).prefix(60))
        for arithmetic in [LayerArithmetic.floats, LayerArithmetic(products: .int8(.exact), cache: .q8)] {
            func logits(group: Int, threads: Int, kernels: KernelSet? = nil) throws -> [Float] {
                let model: any LayerwiseModel = arithmetic == .floats ? try Fixture.checkpoint() : try Fixture.source(.q4, kernels: kernels)
                return try Self.logits(model, arithmetic, ids, windowSize: 20, group: group, threads: threads, kernels: kernels)
            }
            let expected = try logits(group: 3, threads: 2)
            #expect(try logits(group: 1, threads: 1) == expected)
            #expect(try logits(group: 2, threads: 3) == expected)
            for kernels in KernelSet.available { #expect(try logits(group: 3, threads: 2, kernels: kernels) == expected, "\(kernels.name)") }
        }
    }
}
