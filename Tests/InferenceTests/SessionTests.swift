import Generation
import Inference
import Kernels
import Tensors
import Testing
import Tokenization

/// The same bits whatever the split of the work.
@Suite struct SessionTests {
    private static let prompt: [Int32] = [1] + (0..<70).map { Int32(300 + $0 * 37 % 3000) }

    /// Logits of every position of the prompt.
    private func logits(_ tiny: TinyModel, batch: Int, threads: Int, kernels: KernelSet? = nil) throws -> [Float] {
        let session = try tiny.session(batch: batch, allLogits: true, threads: threads, kernels: kernels)
        var all: [Float] = []
        for start in stride(from: 0, to: Self.prompt.count, by: batch) {
            let end = min(start + batch, Self.prompt.count)
            let logits = try session.append(Self.prompt[start..<end], logits: .all)
            for row in 0..<end - start {
                all += UnsafeBufferPointer(start: logits + row * session.logitsStride, count: tiny.model.shape.vocabulary)
            }
        }
        return all
    }

    @Test(arguments: [StorageType.f16, .q8, .q4, .q4s, .q6, .q5, .q3])
    func prefillAndDecodeAgreeForAnyThreadsAndBatches(type: StorageType) throws {
        let tiny = try TinyModel(type)
        let expected = try logits(tiny, batch: 1, threads: 1)
        for (batch, threads) in [(1, 2), (1, 3), (7, 1), (7, 2), (64, 2), (71, 4)] {
            #expect(try logits(tiny, batch: batch, threads: threads) == expected, "batch \(batch), \(threads) threads")
        }
    }

    /// More threads than key-value heads share the positions, from the second chunk of them on.
    @Test(arguments: [KeyValueCache.Element.f16, .q8], [1, 3])
    func positionsSharedOutGiveTheSameLogits(element: KeyValueCache.Element, together: Int) throws {
        let tiny = try TinyModel(.q4)
        let start = 2 * KernelSet.attentionChunk - 5
        func logits(threads: Int) throws -> [Float] {
            let session = try tiny.session(context: 600, batch: 600, logitRows: together, element: element, threads: threads)
            let ids = (0..<start + 12).map { Int32(300 + $0 * 37 % 3000) }
            _ = try session.append(ids[0..<start], logits: .none)
            var all: [Float] = []
            for first in stride(from: start, to: ids.count, by: together) {
                let logits = try session.append(ids[first..<first + together], logits: .last)
                all += UnsafeBufferPointer(start: logits, count: tiny.model.shape.vocabulary)
            }
            return all
        }
        let expected = try logits(threads: 2)
        #expect(tiny.model.shape.keyValueHeads == 2)
        for threads in [1, 3, 5] { #expect(try logits(threads: threads) == expected, "\(threads) threads") }
    }

    @Test(arguments: [StorageType.f16, .q8, .q4, .q4s, .q6, .q5, .q3])
    func everyInstructionSetGivesTheSameLogits(type: StorageType) throws {
        let tiny = try TinyModel(type)
        let expected = try logits(tiny, batch: 71, threads: 2, kernels: KernelSet(named: "scalar"))
        for kernels in KernelSet.available where kernels.name != "scalar" {
            #expect(try logits(tiny, batch: 71, threads: 2, kernels: kernels) == expected, "\(kernels.name)")
        }
    }

    @Test func truncatedCacheGivesTheSameAnswerAgain() throws {
        let session = try TinyModel(.q4).session()
        func run() throws -> [Float] {
            let logits = try session.append(Self.prompt[10..<20], logits: .last)
            return Array(UnsafeBufferPointer(start: logits, count: session.model.shape.vocabulary))
        }
        _ = try session.append(Self.prompt[0..<10], logits: .none)
        let first = try run()
        session.cache.truncate(to: 10)
        #expect(try run() == first)
    }

    @Test func fullContextIsAnError() throws {
        let session = try TinyModel(.q4).session(context: 16)
        _ = try session.append(Self.prompt[0..<16], logits: .none)
        let error = #expect(throws: InferenceError.self) { _ = try session.append([5], logits: .last) }
        #expect("\(error!)" == "17 tokens do not fit the context of 16; shorten the prompt or raise --context")
    }

    @Test func generationStopsWhereItShould() throws {
        let tiny = try TinyModel(.f16)
        func generate(_ prompt: String, maximum: Int = 96, context: Int = 512, stop: [String] = []) throws -> (String, TextGenerator.Summary) {
            var text = ""
            let generator = TextGenerator(session: try tiny.session(context: context, element: .f32), tokenizer: tiny.tokenizer)
            let ids = tiny.tokenizer.encode(prompt, addBOS: true, parseSpecial: false)
            let summary = try generator.generate(prompt: ids, maximum: maximum, sampling: SamplingOptions(), stop: stop, ignoresEnd: true) {
                text += $0
                return true
            }
            return (text, summary)
        }
        let (whole, summary) = try generate("This function returns the number of")
        #expect(whole.hasPrefix(" bytes of the\nsame. The default value is"))
        #expect(summary.reason == .tokenLimit && summary.ids.count == 96)
        let (cut, reason) = try generate("This function returns the number of", stop: ["default value"])
        #expect(cut == " bytes of the\nsame. The ")
        #expect(reason.reason == .stopString)
        #expect(try generate("This function returns the number of", context: 20).1.reason == .contextFull)
    }
}
