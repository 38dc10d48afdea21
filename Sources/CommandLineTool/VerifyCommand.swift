import ArgumentParser
import Conversion
import HostFacts
import Kernels
import ModelFiles
import StrictJSON
import Tensors

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Checks every byte of a .quern file, and its error figures against the checkpoint.",
        discussion: """
            Every tensor's SHA-256 is compared; each one that fails is named. With --against every tensor's error is computed anew from \
            the checkpoint and must be identical, to the last bit, to what the file records; the shards' SHA-256 must be the recorded ones.

            Figures of a tensor, w being a weight of the checkpoint and v the value stored for it:
              relative RMSE  sqrt(sum (w - v)^2 / sum w^2)
              SQNR           10 log10(sum w^2 / sum (w - v)^2) in dB; lossless (JSON: null) when nothing was lost
              largest error  the largest |w - v|
              cosine         sum w v / sqrt(sum w^2 sum v^2)
              to Shannon     6.02 dB x bits per weight - SQNR: no code of this size can keep more of a Gaussian source
            The mean SQNR counts each tensor once, the worst is the lowest; tensors that lost nothing are left out of both. \
            --min-sqnr is compared with the worst, as recomputed or, without --against, as recorded.

            \(ExitCodes.helpWithGate)
            """)

    @Argument(help: "The .quern file.", completion: .file()) var file: String
    @Option(help: ArgumentHelp("The checkpoint that the file was made from.", valueName: "folder"), completion: .directory) var against: String?
    @Option(name: .customLong("min-sqnr"), help: ArgumentHelp("Exit with 2 when a tensor's SQNR is lower.", valueName: "dB")) var minimum: Double?
    @Option(help: "Threads (default: as many as this process may use).") var threads: Int?
    @Flag(help: "List every tensor.") var tensors = false
    @Flag(help: "Write one JSON object.") var json = false

    func validate() throws {
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads must be 1 ... 1024, not \(threads).") }
        if let minimum, !minimum.isFinite { throw ValidationError("--min-sqnr must be a number of decibels, not \(minimum).") }
    }

    func run() throws {
        try ErrorPresentation.run(json: json) {
            let start = Terminal.seconds()
            let threads = threads ?? CPUFacts().defaultThreads
            let reader = try ModelFileReader(path: file)
            // Opened before anything takes long, so that its faults show at once.
            let comparison = try against.map { folder in
                try SourceComparison(file: reader, model: try CheckpointModel.open(folder: folder, withTokenizer: false))
            }
            try verifyDigests(reader, threads)
            var figures = ModelFigures(reader.tensors.map { TensorFigures($0) })
            var differences: [String] = []
            if let comparison {
                var bar = ProgressBar("comparing", json: false)
                defer { bar.clear() }
                let findings = try comparison.run(threads: threads, kernels: try KernelSet.selected()) { bar.show($0.bytes, of: $0.total) }
                figures = findings.figures
                differences = findings.differences
            }
            let gate = minimum.map { figures.worstDecibels >= $0 } ?? true
            show(reader, figures, differences, gate: gate, seconds: Terminal.seconds() - start)
            if !differences.isEmpty { throw ExitCodes.failure }
            if !gate { throw ExitCodes.gate }
        }
    }

    private func verifyDigests(_ reader: ModelFileReader, _ threads: Int) throws {
        let bar = SharedProgressBar("verifying")
        defer { bar.clear() }
        try reader.verify(threads: threads) { bar.show($0, of: $1) }
    }

    private func show(_ reader: ModelFileReader, _ figures: ModelFigures, _ differences: [String], gate: Bool, seconds: Double) {
        if json {
            var document: JSONObject = ["file": JSONValue(file), "file_bytes": JSONValue(reader.fileBytes), "ok": JSONValue(differences.isEmpty)]
            document.set("recomputed", JSONValue(against != nil))
            for member in figures.jsonMembers.members { document.set(member.key.string, member.value) }
            if let minimum {
                document.set("min_sqnr_db", JSONValue(minimum))
                document.set("min_sqnr_met", JSONValue(gate))
            }
            document.set("differences", JSONValue(differences.map { JSONValue($0) }))
            document.set("seconds", JSONValue(seconds))
            document.set("tensors", JSONValue(figures.tensors.map(\.json)))
            Terminal.document(document)
        } else {
            if tensors { print("\(FiguresTable(figures).text)\n") }
            let bytes = reader.fileBytes
            print("""
                \(file): every digest is right (\(reader.tensors.count) tensors, \(Quantities.bytes(bytes)), \(Quantities.fixed(seconds, 1)) s)
                  bits per weight  \(Quantities.fixed(figures.bitsPerWeight, 3))
                  SQNR             mean \(Quantities.decibels(figures.meanDecibels)), worst \(Quantities.decibels(figures.worstDecibels))\
                \(against == nil ? " (recorded)" : " (recomputed from \(against!)\(differences.isEmpty ? ", identical to what is recorded" : ""))")
                """)
            for tensor in figures.worst(3) {
                print("                     \(Quantities.decibels(tensor.errors.sqnrDecibels))  \(tensor.type)  \(tensor.name)")
            }
            if let distance = figures.meanShannonDistance {
                print("  to Shannon       \(Quantities.decibels(distance)) below the bound for a Gaussian source, on average")
            }
        }
        if !differences.isEmpty { Terminal.note("quern: error: \(file): not what \(against ?? "") gives\n  \(differences.joined(separator: "\n  "))") }
        if !gate, let minimum, let worst = figures.worst(1).first {
            Terminal.note(
                "quern: error: \(file): tensor \(JSONString.quoted(worst.name)) has an SQNR of \(Quantities.decibels(worst.errors.sqnrDecibels)), "
                    + "expected at least \(Quantities.decibels(minimum)) (--min-sqnr)")
        }
    }
}
