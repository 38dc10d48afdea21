import Inference

/// Walks through the logits of one token after another. With speculation, a pass computes those of a draft's tokens too, and the walk goes
/// on inside the pass for as long as the tokens chosen are the drafted ones.
struct DraftVerifier {
    private let session: LlamaSession
    private let stride: Int
    private(set) var lookup: PromptLookup?
    private(set) var passes = 0
    /// First row of logits of the last pass; `row` is the current one.
    private var first: UnsafePointer<Float>
    private var row = 0
    /// Tokens that the logits of `first` follow.
    private var base: Int
    /// What the last pass was over: a chosen token, then the draft.
    private var tokens: [Int32] = []
    private let clock = ContinuousClock()

    /// - Parameters:
    ///   - logits: those after the prompt's last token, computed by the session's last pass.
    ///   - room: tokens that will be generated at most.
    init(session: LlamaSession, logits: UnsafePointer<Float>, prompt: [Int32], speculate: Int, room: Int) {
        precondition(speculate == 0 || session.logitRows > speculate, "drafts of \(speculate) tokens, \(session.logitRows) rows of logits")
        self.session = session
        stride = session.logitsStride
        first = logits
        base = session.cache.count
        tokens.reserveCapacity(speculate + 1)
        if speculate > 0 {
            var lookup = PromptLookup(limit: speculate, capacity: prompt.count + room)
            for token in prompt { lookup.append(token) }
            self.lookup = lookup
        }
    }

    /// Logits of the current position; valid until `advance`.
    var logits: UnsafePointer<Float> { first + row * stride }

    /// The tokens that the current logits follow, from the cache's start.
    var position: Int { base + row }

    /// Goes on to the logits after `token`, which was chosen from the current ones: drafted already, or by a new pass.
    ///
    /// - Parameter remaining: tokens that will still be chosen at most, at least 1.
    mutating func advance(past token: Int32, remaining: Int) throws(InferenceError) {
        lookup?.append(token)
        if row + 1 < tokens.count {
            if tokens[row + 1] == token {
                lookup?.accept()
                row += 1
                return
            }
            lookup?.reject()
        }
        dropUnverified()
        base = session.cache.count
        tokens.removeAll(keepingCapacity: true)
        tokens.append(token)
        // The last of the remaining tokens comes from the row after the last drafted one.
        let room = min(remaining - 1, session.cache.context - base - 1)
        lookup?.makeDraft(room: room)
        if let lookup { tokens += lookup.draft }
        let start = clock.now
        do throws(InferenceError) {
            first = try session.append(tokens[...], logits: .all)
        } catch {
            // Only a drafted token may have led to this error; plain decoding would not meet it.
            guard tokens.count > 1, case .notFinite = error else { throw error }
            session.cache.truncate(to: base)
            tokens.removeLast(tokens.count - 1)
            first = try session.append(tokens[...], logits: .all)
        }
        let seconds = (clock.now - start) / .seconds(1)
        lookup?.passed(seconds: seconds)
        passes += 1
        base += 1
        row = 0
    }

    /// Takes tokens out of the cache that were drafted and not chosen.
    func dropUnverified() {
        if session.cache.count > position { session.cache.truncate(to: position) }
    }
}
