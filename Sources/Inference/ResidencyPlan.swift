/// Which parts of the weights stay in memory when not all of them fit. The rest is streamed: read ahead of its use in each pass, dropped after it.
///
/// The units of a pass are the layers and, last, the output head. Resident layers are spread evenly among streamed ones, so that the disk works
/// while resident layers are computed. A cache that keeps what was used last would keep nothing: by the time a pass comes back to a layer, the
/// layers after it have pushed it out.
package struct ResidencyPlan: Sendable, Equatable {
    /// Whether each unit stays in memory.
    package let isResident: [Bool]
    package let residentBytes: Int
    /// What every pass reads from disk.
    package let streamedBytes: Int
    /// Memory for streamed units: the one in use and those read ahead of it.
    package let windowBytes: Int

    package var streams: Bool { streamedBytes > 0 }
    package var totalBytes: Int { residentBytes + streamedBytes }

    /// - Parameters:
    ///   - unitBytes: bytes of each layer and, last, of the output head.
    ///   - budget: bytes of memory that weights may take. Where two layers take more than that, two layers it is.
    package init(unitBytes: [Int], budget: Int) {
        let total = unitBytes.reduce(0, +)
        guard total > budget, let head = unitBytes.last else {
            self.init(unitBytes: unitBytes, isResident: unitBytes.map { _ in true }, windowBytes: 0)
            return
        }
        let layers = unitBytes.dropLast()
        let layerWindow = 2 * (layers.max() ?? 0)
        // The head first: every token's choice waits for it.
        let headStays = layerWindow + head <= budget
        let window = headStays ? layerWindow : max(layerWindow, 2 * head)
        let layerRoom = max(0, budget - window - (headStays ? head : 0))
        var isResident = layers.map { _ in false }
        for count in stride(from: layers.count, through: 0, by: -1) {
            isResident = layers.indices.map { ($0 + 1) * count / layers.count > $0 * count / layers.count }
            if zip(layers, isResident).reduce(0, { $0 + ($1.1 ? $1.0 : 0) }) <= layerRoom { break }
        }
        self.init(unitBytes: unitBytes, isResident: isResident + [headStays], windowBytes: window)
    }

    private init(unitBytes: [Int], isResident: [Bool], windowBytes: Int) {
        self.isResident = isResident
        self.windowBytes = windowBytes
        residentBytes = zip(unitBytes, isResident).reduce(0) { $0 + ($1.1 ? $1.0 : 0) }
        streamedBytes = unitBytes.reduce(0, +) - residentBytes
    }
}
