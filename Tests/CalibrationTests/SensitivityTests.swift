import Architectures
import Calibration
import CalibrationFiles
import Conversion
import Glibc
import Kernels
import LayerwiseInference
import ModelFiles
import StrictJSON
import Tensors
import Testing

@Suite struct SensitivityTests {
    private let size = 48
    private func windows(_ count: Int) -> [[Int32]] {
        (0..<count).map { window in [1] + (1..<size).map { Int32(($0 * 53 + window * 311) % 4000 + 10) } }
    }

    private func measure(_ model: CheckpointSource, layers: [Int], error: Double = SensitivityJob.standardError, threads: Int = 2) throws -> [SensitivityJob.Measured] {
        try SensitivityJob(
            model: model, windows: windows(2), windowSize: size, scored: size / 2..<size - 1, layers: layers, relativeError: error,
            kernels: .available[0], pool: WorkerPool(threads: threads)
        ).run { _ in }
    }

    /// Every row gets an error of the size asked for, and the same one whichever way it is read.
    @Test func noiseHasItsSize() throws {
        let model = try checkpoint(), kernels = KernelSet.available[0], base = model.embedding
        let noisy = NoisyPanels(base, relativeError: 0.01, seed: 5), other = NoisyPanels(base, relativeError: 0.01, seed: 6)
        let columns = base.columns, panelFloats = (columns + 127) / 128 * 128 * 16
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: 2 * panelFloats * 4, alignment: 64)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 4 * panelFloats * 4, alignment: 64).assumingMemoryBound(to: Float.self)
        defer {
            scratch.deallocate()
            memory.deallocate()
        }
        let (plain, moved, row, second) = (memory, memory + panelFloats, memory + 2 * panelFloats, memory + 3 * panelFloats)
        try base.expand(panel: 3, with: kernels, scratch: scratch, into: plain)
        try noisy.expand(panel: 3, with: kernels, scratch: scratch, into: moved)
        for index in 0..<16 {
            var noise = 0.0, signal = 0.0
            for column in 0..<columns {
                let value = Double(plain[column * 16 + index]), difference = Double(moved[column * 16 + index]) - value
                noise += difference * difference
                signal += value * value
            }
            #expect(abs(noise / signal - 0.01) < 1e-5)
            try noisy.row(3 * 16 + index, with: kernels, scratch: scratch, into: row)
            #expect((0..<columns).allSatisfy { row[$0] == moved[$0 * 16 + index] })
            try other.row(3 * 16 + index, with: kernels, scratch: scratch, into: second)
            #expect((0..<columns).contains { row[$0] != second[$0] })
        }
    }

    /// The divergence grows with the squared error; the head and the first layer cost most; threads do not matter.
    @Test func valuesOfTheBundledModel() throws {
        let model = try checkpoint()
        let one = try measure(model, layers: [0, 5]), half = try measure(model, layers: [0, 5], error: SensitivityJob.standardError / 2, threads: 1)
        #expect(one.count == 16 && Set(one.map { "\($0.role) \($0.layer ?? -1)" }).count == 16)
        for (a, b) in zip(one, half) {
            #expect(a.role == b.role && a.layer == b.layer && a.value > 0)
            #expect(a.value / b.value > 0.8 && a.value / b.value < 1.25, "\(a) and \(b)")
        }
        #expect(try measure(model, layers: [0, 5], threads: 3) == one)
        func value(_ role: TensorRole, _ layer: Int?) -> Double { one.first { $0.role == role && $0.layer == layer }!.value }
        #expect(value(.outputHead, nil) > 10 * value(.gate, 5))
        #expect(value(.value, 0) > 2 * value(.value, 5))
    }

    @Test func layersBetweenAreInterpolated() {
        func measured(_ layer: Int, _ value: Double) -> SensitivityJob.Measured { SensitivityJob.Measured(role: .down, layer: layer, value: value) }
        let all = [measured(1, 1), measured(5, 16)]
        func value(_ layer: Int) -> Double { SensitivityJob.value(.down, layer: layer, of: all) }
        #expect(value(1) == 1 && value(5) == 16 && value(0) == 1 && value(9) == 16)
        #expect(abs(value(3) - 4) < 1e-12 && abs(value(2) - 2) < 1e-12)
        #expect(SensitivityJob.value(.down, layer: 3, of: [measured(1, 0), measured(5, 16)]) == 8)
    }

    @Test func layersAreSpread() {
        #expect(SensitivityJob.spread(8, over: 8) == Array(0..<8))
        #expect(SensitivityJob.spread(2, over: 80) == [0, 79])
        for count in 2...40 {
            let layers = SensitivityJob.spread(count, over: 80)
            #expect(layers.count == count && layers.first == 0 && layers.last == 79 && layers == layers.sorted())
        }
    }

    /// Every fault of a file is one clear error.
    @Test func brokenFiles() throws {
        let good = String(
            decoding: SensitivityFile.encoded(configDigest: Digest32.of([1]), values: [("a", 0.5), ("b", 0)], provenance: ["windows": 4]), as: UTF8.self)
        func open(_ text: String) throws -> SensitivityFile {
            var template = Array("/tmp/quern-sensitivity-XXXXXX".utf8CString)
            let descriptor = mkstemp(&template), path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            defer { unlink(path) }
            let bytes = Array(text.utf8)
            #expect(write(descriptor, bytes, bytes.count) == bytes.count)
            close(descriptor)
            return try SensitivityFile.open(path)
        }
        let file = try open(good)
        #expect(file.values == ["a": 0.5, "b": 0] && file.configDigest == Digest32.of([1]))
        let cases = [
            ("", "give a file made with 'quern sensitivity'"), ("[1]", "format is missing"), (good.replacing("quern-sens", "other"), "expected 'quern-sensitivities'"),
            (good.replacing("\"version\": 1", "\"version\": 2"), "this program reads 1"), (good.replacing("\"config_sha256\": \"", "\"config_sha256\": \"x"), "64 lower-case"),
            (good.replacing("0.5", "-0.5"), "expected a number of at least 0"), (good.replacing("0.5", "1e999"), ""), (good.replacing("0.5", "\"x\""), "expected a number"),
            (good.replacing("\"tensors\"", "\"tensor\""), "expected an object of numbers"), (String(good.dropLast(20)), "quern sensitivity"),
        ]
        for (text, message) in cases {
            do {
                _ = try open(text)
                Issue.record("opened: \(text)")
            } catch { #expect("\(error)".contains(message), "\(error)") }
        }
    }
}

private extension String {
    func replacing(_ part: String, _ other: String) -> String {
        guard let range = firstRange(of: part) else { preconditionFailure("no '\(part)'") }
        return String(self[..<range.lowerBound]) + other + self[range.upperBound...]
    }
}
