/// Cuts a text stream before the first stop string, holding back what may become one.
struct StopStrings {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []
    private(set) var stopped = false

    init(_ stops: [String]) { self.stops = stops.filter { !$0.isEmpty }.map { Array($0.utf8) } }

    /// The part of the stream that is certain to be wanted.
    mutating func append(_ text: String) -> String {
        guard !stopped else { return "" }
        guard !stops.isEmpty else { return text }
        held.append(contentsOf: text.utf8)
        for start in held.indices {
            let tail = held[start...]
            if stops.contains(where: { tail.starts(with: $0) }) {
                stopped = true
                return take(start)
            }
            if stops.contains(where: { $0.count > tail.count && $0.starts(with: tail) }) { return take(start) }
        }
        return take(held.count)
    }

    /// What was held back and turned out to be plain text.
    mutating func finish() -> String { stopped ? "" : take(held.count) }

    private mutating func take(_ count: Int) -> String {
        let text = String(decoding: held[..<count], as: UTF8.self)
        held.removeFirst(count)
        return text
    }
}
