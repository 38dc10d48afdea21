import Architectures
import ByteStorage
package import Kernels
import ModelFiles
import Safetensors

/// Everything that can be known to go wrong is looked for before any work, and reported at once.
package struct Preflight {
    package var folder: String
    package var output: String
    package var types: TypeRequest
    package var weighting: ErrorWeighting
    /// A calibration file to open for `weighting`.
    package var calibration: String?
    /// A sensitivity file for a mixture of types.
    package var sensitivities: String?
    /// The chat format to record, by name; nil for what the checkpoint says.
    package var chatFormat: String?
    /// Positions that the converted model shall be run with, if that is known; nothing that could not be run afterwards is planned.
    package var context: Int?
    /// Nothing is written or removed, so the output may be in the way of nothing.
    package var isDryRun: Bool

    package init(
        folder: String, output: String, types: TypeRequest, weighting: ErrorWeighting = ErrorWeighting(), calibration: String? = nil,
        sensitivities: String? = nil, chatFormat: String? = nil, context: Int? = nil, isDryRun: Bool
    ) {
        self.folder = folder
        self.output = output
        self.types = types
        self.weighting = weighting
        self.calibration = calibration
        self.sensitivities = sensitivities
        self.chatFormat = chatFormat
        self.context = context
        self.isDryRun = isDryRun
    }

    /// A mixture of types is chosen with `kernels` on `threads` threads; neither changes the result.
    package func check(kernels: KernelSet = .available[0], threads: Int = 1) throws -> ConversionPlan {
        var faults: [String] = []
        let model = CheckpointModel.open(folder: folder, chatFormat: chatFormat, faults: &faults)
        let nameIsUsable = passes(&faults) { () throws(FileError) in try OutputFile.checkName(output) }
        let folderIsThere = nameIsUsable && passes(&faults) { () throws(FileError) in try OutputFile.checkFolder(output) }
        if nameIsUsable { checkOutput(model, &faults) }
        if let context, let fault = model?.configuration.contextFault(context) { faults.append(fault) }
        var weighting = weighting
        if let calibration { weighting.calibration = CalibrationCheck(path: calibration).open(for: model, &faults) }
        let measured = sensitivities.flatMap { SensitivityCheck(path: $0).open(for: model, &faults) }
        var plan: ConversionPlan?
        // A mixture is chosen by reading the checkpoint: only where nothing else is wrong.
        if let model, faults.isEmpty || !types.isMixed {
            do {
                plan = try ConversionPlan(
                    model: model, types: try TypeAssignment(types, model: model, sensitivities: measured, weighting: weighting, kernels: kernels, threads: threads),
                    weighting: weighting, output: output)
            } catch let error as ConversionError { faults += error.faults } catch { faults.append("\(error)") }
        }
        if folderIsThere && !isDryRun {
            do throws(FileError) { try AtomicFileWriter.removeLeftovers(of: output) } catch { faults.append("\(error)") }
        }
        if let plan, folderIsThere, !isDryRun { checkFreeDisk(plan, &faults) }
        guard faults.isEmpty, let plan else { throw ConversionError(faults) }
        return plan
    }

    /// The name when none was given: that of the checkpoint's folder and the type or target, in the current folder.
    package static func defaultOutput(folder: String, label: String) -> String {
        let canonical = Folders.canonical(folder) ?? folder
        let name = AtomicFileWriter.split(canonical).name
        return "\(name.isEmpty || name == "." ? "model" : name)-\(label).quern"
    }

    private var outputFolder: String { AtomicFileWriter.split(output).folder }

    /// Adds what `check` finds to the faults; whether it found nothing.
    private func passes(_ faults: inout [String], _ check: () throws(FileError) -> Void) -> Bool {
        do throws(FileError) { try check() } catch {
            faults.append("\(error)")
            return false
        }
        return true
    }

    private func checkOutput(_ model: CheckpointModel?, _ faults: inout [String]) {
        guard passes(&faults, { () throws(FileError) in
            try OutputFile.checkTarget(output, option: "-o")
            try OutputFile.checkLink(output)
        }), Folders.kind(of: output) == .file else { return }
        if let input = sameFile(model) {
            faults.append("\(output): the output is the input \(input); choose another name with -o")
        } else if !ModelFileReader.looksLikeModelFile(output) {
            faults.append("\(output): the output exists and is no quern model file; remove it or choose another name with -o")
        }
    }

    /// The file of the checkpoint that the output is, whatever path leads there.
    private func sameFile(_ model: CheckpointModel?) -> String? {
        guard let existing = try? ReadableFile(path: output) else { return nil }
        if let shard = model?.checkpoint.shards.first(where: { existing.isSame(as: $0.file) }) { return shard.name }
        let names = (try? Folders.names(in: folder)) ?? []
        return names.first { name in
            Folders.kind(of: "\(folder)/\(name)") == .file && !name.hasSuffix(".quern")
                && ((try? ReadableFile(path: "\(folder)/\(name)")).map(existing.isSame) ?? false)
        }
    }

    private func checkFreeDisk(_ plan: ConversionPlan, _ faults: inout [String]) {
        do throws(FileError) {
            let free = try Folders.freeBytes(at: outputFolder)
            if free < plan.largestFileBytes {
                faults.append(
                    "\(output): the file needs \(plan.largestFileBytes) bytes, but \(outputFolder) has only \(free) free; "
                        + "free some space or choose another folder with -o")
            }
        } catch { faults.append("\(error)") }
    }
}
