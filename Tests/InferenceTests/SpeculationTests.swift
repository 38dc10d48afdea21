import Generation
import Inference
import Tensors
import Testing
import Tokenization

/// Speculation changes the speed and nothing else.
@Suite struct SpeculationTests {
    private static let repeating = "reg: foo\nval: 1\nreg: foo\nval: 1\nreg: foo\nval: 1\nreg:"

    private struct Request {
        var prompt: String
        var maximum = 96
        var context = 512
        var sampling = SamplingOptions()
        var stop: [String] = []
        var ignoresEnd = true
        /// Ends the generation at the text piece with this number.
        var interruptedAt = Int.max
    }

    private struct Answer {
        var pieces: [String] = []
        var summary: TextGenerator.Summary
        var cached: Int
    }

    private func answer(_ tiny: TinyModel, _ request: Request, speculate: Int, threads: Int = 2) throws -> Answer {
        let session = try tiny.session(context: request.context, logitRows: speculate + 1, threads: threads)
        let ids = tiny.tokenizer.encode(request.prompt, addBOS: true, parseSpecial: false)
        var pieces: [String] = []
        let summary = try TextGenerator(session: session, tokenizer: tiny.tokenizer).generate(
            prompt: ids, maximum: request.maximum, sampling: request.sampling, stop: request.stop, ignoresEnd: request.ignoresEnd,
            speculate: speculate
        ) {
            pieces.append($0)
            return pieces.count < request.interruptedAt
        }
        return Answer(pieces: pieces, summary: summary, cached: session.cache.count)
    }

    private func expectSame(_ tiny: TinyModel, _ request: Request, drafts: [Int] = [1, 4, 15]) throws -> [PromptLookup.Figures] {
        let plain = try answer(tiny, request, speculate: 0)
        #expect(plain.summary.lookup == nil)
        return try drafts.map { draft in
            let fast = try answer(tiny, request, speculate: draft)
            #expect(fast.summary.ids == plain.summary.ids, "drafts of \(draft): \(request)")
            #expect(fast.pieces == plain.pieces && fast.summary.reason == plain.summary.reason && fast.cached == plain.cached)
            #expect(fast.summary.decodedTokens == plain.summary.decodedTokens)
            let lookup = try #require(fast.summary.lookup)
            // Each token comes from a pass of its own or from a draft; those drafted right behind the end are never asked for.
            #expect(fast.summary.decodedTokens == fast.summary.decodePasses + lookup.accepted)
            #expect(lookup.accepted <= lookup.drafted && lookup.passes <= fast.summary.decodePasses)
            return lookup
        }
    }

    @Test(arguments: [StorageType.q4, .q8, .f16]) func sameTokensAtAnyTemperature(type: StorageType) throws {
        let tiny = try TinyModel(type)
        for prompt in ["The command", "This function returns the number of", Self.repeating, "Zebra"] {
            for temperature: Float in [0, 0.8] {
                _ = try expectSame(tiny, Request(prompt: prompt, sampling: SamplingOptions(temperature: temperature, topP: 0.95, seed: 11)))
            }
        }
    }

    /// Penalties depend on the tokens before each one, drafted or not.
    @Test func sameTokensWithEveryStep() throws {
        let tiny = try TinyModel(.q4)
        for temperature: Float in [0, 1.1] {
            var sampling = SamplingOptions(temperature: temperature, topK: 80, topP: 0.97, minP: 0.01, typicalP: 0.95, seed: 3)
            sampling.repetitionPenalty = 1.05
            sampling.frequencyPenalty = 0.05
            sampling.presencePenalty = 0.1
            sampling.penaltyWindow = 20
            sampling.logitBias = [SamplingOptions.Bias(token: 349, value: 1)]
            sampling.dry.multiplier = 0.1
            sampling.dry.allowedLength = 5
            for prompt in [Self.repeating, "The command"] {
                let figures = try expectSame(tiny, Request(prompt: prompt, sampling: sampling))
                if prompt == Self.repeating, temperature == 0 { #expect(figures[1].accepted > 0) }
            }
        }
    }

    @Test func repetitionIsDraftedRight() throws {
        let tiny = try TinyModel(.q4)
        let figures = try expectSame(tiny, Request(prompt: "The command", maximum: 200), drafts: [8])
        #expect(figures[0].drafted > 20 && figures[0].acceptance > 0.5, "\(figures)")
    }

    @Test func whatNeverRepeatsIsNotDrafted() throws {
        // At a high temperature the tokens are nearly random.
        let tiny = try TinyModel(.q4)
        let figures = try expectSame(tiny, Request(prompt: "Zebra", maximum: 60, sampling: SamplingOptions(temperature: 20, seed: 3)), drafts: [8])
        #expect(figures[0].passes < 12, "\(figures)")
    }

    @Test func limitsStopAtTheSameToken() throws {
        let tiny = try TinyModel(.q4)
        for maximum in [0, 1, 2, 3, 5, 17] { _ = try expectSame(tiny, Request(prompt: Self.repeating, maximum: maximum)) }
        let length = tiny.tokenizer.encode(Self.repeating, addBOS: true, parseSpecial: false).count
        for context in [length + 1, length + 2, length + 7] { _ = try expectSame(tiny, Request(prompt: Self.repeating, context: context)) }
        for stop in ["foo", "val: 1", "1\nreg"] { _ = try expectSame(tiny, Request(prompt: Self.repeating, stop: [stop])) }
        for piece in [1, 2, 9] { _ = try expectSame(tiny, Request(prompt: Self.repeating, interruptedAt: piece)) }
        _ = try expectSame(tiny, Request(prompt: "</s>The command", sampling: SamplingOptions(temperature: 1.5, seed: 5), ignoresEnd: false))
    }

    @Test func aSecondRequestContinuesTheCache() throws {
        let tiny = try TinyModel(.q4)
        func answers(_ speculate: Int) throws -> [[Int32]] {
            let session = try tiny.session(logitRows: speculate + 1)
            let generator = TextGenerator(session: session, tokenizer: tiny.tokenizer)
            return try ["The command", "reg: foo, reg:"].map { prompt in
                let ids = tiny.tokenizer.encode(prompt, addBOS: false, parseSpecial: false)
                return try generator.generate(prompt: ids, maximum: 40, sampling: .init(), ignoresEnd: true, speculate: speculate) { _ in true }.ids
            }
        }
        #expect(try answers(8) == answers(0))
    }
}
