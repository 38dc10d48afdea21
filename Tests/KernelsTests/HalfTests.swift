import Kernels
import RandomNumbers
import Tensors
import TestSupport
import Testing

/// The value of fp16 bits by its definition; nil for infinities and NaN.
private func halfValue(_ bits: UInt16) -> Double? {
    let sign = bits & 0x8000 == 0 ? 1.0 : -1.0, exponent = Int(bits >> 10 & 31), mantissa = Double(bits & 1023)
    switch exponent {
    case 0: return sign * mantissa * 0x1p-24
    case 31: return nil
    default: return sign * (1 + mantissa / 1024) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
    }
}

@Suite struct HalfTests {
    /// Every fp16 value, the points halfway to its neighbour, and the floats next to these.
    @Test func narrowingRoundsToNearestEven() {
        var cases: [(Float, UInt16)] = [
            (65519.996, 0x7BFF), (65520, 0x7C00), (1e38, 0x7C00), (.infinity, 0x7C00), (.nan, 0x7E00), (.leastNonzeroMagnitude, 0), (1e-30, 0),
        ]
        for bits in UInt16(0)..<0x7C00 {
            let value = Float(halfValue(bits)!)
            cases.append((value, bits))
            let next = bits == 0x7BFF ? 65536 : halfValue(bits + 1)!
            let middle = Float((halfValue(bits)! + next) / 2)
            cases.append((middle, bits & 1 == 0 ? bits : bits + 1))
            cases.append((middle.nextDown, bits))
            cases.append((middle.nextUp, bits + 1))
        }
        cases += cases.filter { !$0.0.isNaN }.map { (-$0.0, $0.1 | 0x8000) }
        let source = GuardedMemory(cases.map(\.0))
        for kernels in KernelSet.available {
            let out = GuardedMemory(count: 2 * cases.count)
            let bits = out.base.assumingMemoryBound(to: UInt16.self)
            kernels.narrow(source.floats, count: cases.count, into: bits)
            let lanes = cases.indices.first { bits[$0] != cases[$0].1 }
            #expect(lanes == nil, "\(kernels.name): \(cases[lanes ?? 0])")
            for index in cases.indices { kernels.narrow(source.floats + index, count: 1, into: bits + index) }
            let tails = cases.indices.first { bits[$0] != cases[$0].1 }
            #expect(tails == nil, "\(kernels.name), one at a time: \(cases[tails ?? 0])")
            #expect(out.isIntact)
        }
    }
}

@Suite struct WideningTests {
    private func widen(_ source: GuardedMemory, _ type: SourceType, rows: Int, columns: Int, padded: Int, with kernels: KernelSet) throws -> [Float] {
        let out = GuardedMemory(count: padded * 64)
        for index in 0..<padded * 16 { out.floats[index] = .nan }
        try kernels.widen(source.base, type, rows: rows, columns: columns, padded: padded, into: out.floats)
        #expect(out.isIntact)
        return out.array(of: Float.self)
    }

    private func transposed(_ values: [Float], rows: Int, columns: Int, padded: Int) -> [Float] {
        var out = [Float](repeating: 0, count: padded * 16)
        for row in 0..<rows { for column in 0..<columns { out[column * 16 + row] = values[row * columns + column] } }
        return out
    }

    @Test func everyFiniteHalf() throws {
        let patterns = (0...UInt16.max).filter { halfValue($0) != nil }
        try checkPatterns(patterns, .f16, patterns.map { $0 == 0x8000 ? -0.0 : Float(halfValue($0)!) })
    }

    @Test func everyFiniteBrainFloat() throws {
        let patterns = (0...UInt16.max).filter { $0 & 0x7F80 != 0x7F80 }
        try checkPatterns(patterns, .bf16, patterns.map { Float(bitPattern: UInt32($0) << 16) })
    }

    private func checkPatterns(_ patterns: [UInt16], _ type: SourceType, _ values: [Float]) throws {
        let columns = patterns.count / 16
        let source = GuardedMemory(patterns)
        for kernels in KernelSet.available {
            let got = try widen(source, type, rows: 16, columns: columns, padded: columns, with: kernels)
            #expect(firstDifference(got, transposed(values, rows: 16, columns: columns, padded: columns)) == nil, "\(kernels.name)")
        }
    }

    @Test func everyShapeOfEveryType() throws {
        var random = SplitMix64(seed: 7)
        for type in SourceType.allCases {
            for columns in awkwardColumns {
                for rows in [1, 2, 15, 16] {
                    let values = random.gaussians(rows * columns).map { type == .f32 ? $0 : ($0 * 8).rounded() / 8 }
                    let source = Self.source(values, type)
                    for padded in [columns, (columns + 127) / 128 * 128] {
                        let expected = transposed(values, rows: rows, columns: columns, padded: padded)
                        for kernels in KernelSet.available {
                            let got = try widen(source, type, rows: rows, columns: columns, padded: padded, with: kernels)
                            #expect(firstDifference(got, expected) == nil, "\(kernels.name) \(type.name) \(rows) x \(columns) in \(padded)")
                        }
                    }
                }
            }
        }
        let extremes: [Float] = [.greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, -0.0, Float(bitPattern: 70000)]
        for kernels in KernelSet.available {
            let got = try widen(GuardedMemory(extremes), .f32, rows: 1, columns: 5, padded: 5, with: kernels)
            #expect(firstDifference(got, transposed(extremes, rows: 1, columns: 5, padded: 5)) == nil, "\(kernels.name)")
        }
    }

    /// Small multiples of 1/8 fit all three types.
    private static func source(_ values: [Float], _ type: SourceType) -> GuardedMemory {
        switch type {
        case .f32: return GuardedMemory(values)
        case .bf16: return GuardedMemory(values.map { UInt16($0.bitPattern >> 16) })
        case .f16:
            let floats = GuardedMemory(values), out = GuardedMemory(count: 2 * values.count)
            scalar.narrow(floats.floats, count: values.count, into: out.base.assumingMemoryBound(to: UInt16.self))
            return out
        }
    }

    /// Every bit pattern that is not finite, each somewhere else; a later one does not hide the first.
    @Test func notFiniteIsReportedWhereItStands() {
        let (rows, columns) = (7, 37)
        let f16 = (0...UInt16.max).filter { $0 & 0x7C00 == 0x7C00 }, bf16 = (0...UInt16.max).filter { $0 & 0x7F80 == 0x7F80 }
        let f32: [UInt32] = [0x7F80_0000, 0xFF80_0000, 0x7F80_0001, 0x7FC0_0000, 0xFFFF_FFFF]
        for kernels in KernelSet.available {
            func check(_ type: SourceType, index: Int, _ store: (GuardedMemory, Int) -> Void) {
                let first = index * 31 % (rows * columns)
                let memory = GuardedMemory(count: rows * columns * type.bytes)
                store(memory, first)
                if index % 2 == 0, first + columns + 2 < rows * columns { store(memory, first + columns - 1) }
                #expect(throws: NotFinite(row: first / columns, column: first % columns), "\(kernels.name) \(type.name) \(index)") {
                    _ = try widen(memory, type, rows: rows, columns: columns, padded: 128, with: kernels)
                }
            }
            for (index, bits) in f16.enumerated() { check(.f16, index: index) { $0.bytes.storeBytes(of: bits, toByteOffset: 2 * $1, as: UInt16.self) } }
            for (index, bits) in bf16.enumerated() { check(.bf16, index: index) { $0.bytes.storeBytes(of: bits, toByteOffset: 2 * $1, as: UInt16.self) } }
            for (index, bits) in f32.enumerated() { check(.f32, index: index) { $0.bytes.storeBytes(of: bits, toByteOffset: 4 * $1, as: UInt32.self) } }
        }
    }
}
