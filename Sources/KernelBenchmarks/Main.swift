import ArgumentParser
import Glibc
import Kernels

/// Times each kernel on one thread, with every instruction set that this machine has.
@main
struct KernelBenchmarks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "KernelBenchmarks", abstract: "Times each kernel on one thread, per instruction set.",
        discussion: """
            Best of several runs of a millisecond or more; the instruction sets take turns. GB/s counts the bytes that a call reads and \
            writes, for matrix products the weights alone; GOP/s counts a multiplication with its addition as two. In "memory" cases \
            each call takes the next part of data larger than the caches, in all others the data stays in cache.
            """)

    @Option(help: "Instruction sets, like avx2,avx512. Default: all that this machine can run.") var isa: String?
    @Option(help: "Only kernels whose line in the table has all of these words, like 'matmul q4' or 'attend 2048'.") var kernel = ""
    @Option(help: "Runs, of which the best counts.") var runs = 15
    @Option(help: "Columns of matrices and length of activations, a multiple of 256.") var columns = 2048
    @Option(help: "Megabytes that do not fit into any cache.") var streamMegabytes = 192
    @Flag(help: "Only list the kernels.") var list = false

    func validate() throws {
        if !(1...100_000).contains(runs) { throw ValidationError("--runs must be within 1...100000.") }
        if !(256...65536).contains(columns) || columns % 256 != 0 { throw ValidationError("--columns must be a multiple of 256 within 256...65536.") }
        if !(8...65536).contains(streamMegabytes) { throw ValidationError("--stream-megabytes must be within 8...65536.") }
        _ = try sets()
    }

    private func sets() throws -> [KernelSet] {
        guard let isa else { return KernelSet.available }
        return try isa.split(separator: ",", omittingEmptySubsequences: false).map { name in
            guard let set = KernelSet(named: String(name)) else {
                throw ValidationError("--isa \(name): expected one of \(KernelSet.available.map(\.name).joined(separator: ", ")), which this machine can run.")
            }
            return set
        }
    }

    func run() throws {
        let words = kernel.split(separator: " ")
        let cases = KernelCase.all(KernelSizes(columns: columns, streamedBytes: streamMegabytes << 20)).filter { item in
            let own = item.name.split(separator: " ")
            return words.allSatisfy { own.contains($0) }
        }
        guard !cases.isEmpty else { throw ValidationError("--kernel '\(kernel)': no kernel has these words; --list shows all.") }
        if list {
            for item in cases { print(item.name) }
            return
        }
        let sets = try sets()
        let timer = KernelTimer(runs: runs)
        let width = cases.map(\.name.count).max()!
        Self.line("kernel", width, "isa", "ns", "GB/s", "GOP/s")
        for item in cases {
            let call = item.prepare()
            for (set, seconds) in zip(sets, timer.best(of: sets, call)) {
                Self.line(
                    item.name, width, set.name, Self.number(seconds * 1e9), item.bytes == 0 ? "-" : Self.number(Double(item.bytes) / seconds / 1e9),
                    item.operations == 0 ? "-" : Self.number(Double(item.operations) / seconds / 1e9))
            }
        }
    }

    /// Three digits or more.
    private static func number(_ value: Double) -> String {
        let digits = value < 10 ? 2 : value < 100 ? 1 : 0
        var buffer = [CChar](repeating: 0, count: 400)
        let count = withVaList([Int32(digits), value]) { vsnprintf(&buffer, buffer.count, "%.*f", $0) }
        return String(decoding: buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A row of the table, shown at once.
    private static func line(_ name: String, _ width: Int, _ isa: String, _ cells: String...) {
        let padded = name + String(repeating: " ", count: width - name.count) + "  " + isa + String(repeating: " ", count: max(0, 12 - isa.count))
        print(padded + cells.map { String(repeating: " ", count: max(1, 12 - $0.count)) + $0 }.joined())
        fflush(nil)
    }
}
