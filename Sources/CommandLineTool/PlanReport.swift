import Architectures
import ByteStorage
import Conversion
import HostFacts
import ModelFiles
import Safetensors
import StrictJSON
import Tensors

/// What `convert --dry-run` shows: sizes, the disk and the memory that they need, and what there is.
struct PlanReport {
    let plan: ConversionPlan
    let output: String
    let context: Int?

    func show(json: Bool) {
        let configuration = plan.model.configuration
        let tokens = context ?? configuration.defaultContext
        let running = RunningMemory(configuration: configuration, tensorBytes: plan.tensorBytes, context: tokens)
        let memory = MachineMemory()
        let folder = AtomicFileWriter.split(output).folder
        let free = try? Folders.freeBytes(at: folder)
        let fits = free.map { $0 >= plan.largestFileBytes } ?? false
        if json { return showJSON(running, memory, free) }

        print("\(output): not written, this is the plan\n")
        var table = TextTable(["type", "tensors", "weights", "bytes", "bits per weight"])
        for row in plan.byType {
            table.add([
                row.type.name, "\(row.tensors)", Quantities.count(row.weights), "\(row.bytes)",
                Quantities.fixed(Double(row.bytes) * 8 / Double(row.weights), 3),
            ])
        }
        table.add(["all", "\(plan.planned.count)", Quantities.count(plan.model.parameterCount), "\(plan.tensorBytes)", Quantities.fixed(plan.bitsPerWeight, 3)])
        print(table.text)
        if let mixture = plan.types.mixture { showMixture(mixture) }
        print("""

              source    \(plan.model.shardBytes) bytes in \(plan.model.checkpoint.shards.count) shard\(plan.model.checkpoint.shards.count == 1 ? "" : "s")
              file      at most \(plan.largestFileBytes) bytes (\(Quantities.bytes(plan.largestFileBytes)))
              disk      \(free.map { "\(Quantities.bytes($0)) free in \(folder): \(fits ? "enough" : "NOT ENOUGH")" } ?? "\(folder) cannot be examined")

              to run with \(tokens) tokens of context
              weights   \(Quantities.bytes(running.weights))
              KV cache  \(Quantities.bytes(running.cache)) (fp16)
              scratch   \(Quantities.bytes(running.scratch)) (estimate)
              total     \(Quantities.bytes(running.total))
              machine   \(Quantities.bytes(memory.physical)), \(Quantities.bytes(memory.available)) available\
            \(memory.groupLimit.map { ", control group limit \(Quantities.bytes($0))" } ?? ", no control group limit"): \
            \(running.fits(memory) ? "enough" : "NOT ENOUGH, weights will be read from disk again and again")
            """)
    }

    /// Which types each kind of tensor got.
    private func showMixture(_ mixture: TypeAssignment.Mixture) {
        print("""

              target        at most \(mixture.target.description)
              sensitivity   \(mixture.basis)
              expected loss \(Quantities.short(mixture.loss)) (sum of sensitivity x relative squared error, to compare plans of this model)

            """)
        var table = TextTable(["kind", "sensitivity", "weights", "bits per weight", "tensors of each type"])
        for kind in plan.byRole {
            let types = kind.types.map { "\($0.type) x \($0.tensors)" }.joined(separator: ", ")
            table.add([
                kind.role.rawValue, Quantities.short(kind.sensitivity), Quantities.count(kind.weights),
                Quantities.fixed(Double(kind.bytes) * 8 / Double(kind.weights), 3), types,
            ])
        }
        print(table.text)
    }

    private func showJSON(_ running: RunningMemory, _ memory: MachineMemory, _ free: UInt64?) {
        Terminal.line([
            "event": "plan", "output": JSONValue(output), "source_bytes": JSONValue(plan.model.shardBytes),
            "largest_file_bytes": JSONValue(plan.largestFileBytes), "tensor_bytes": JSONValue(plan.tensorBytes),
            "parameters": JSONValue(plan.model.parameterCount), "bpw": JSONValue(plan.bitsPerWeight),
            "types": JSONValue(
                plan.byType.map {
                    ["type": JSONValue($0.type.name), "tensors": JSONValue($0.tensors), "weights": JSONValue($0.weights), "bytes": JSONValue($0.bytes)]
                }),
            "mixture": plan.types.mixture.map { mixture in
                [
                    "target": JSONValue(mixture.target.description), "basis": JSONValue(mixture.basis), "loss": JSONValue(mixture.loss),
                    "tensors": JSONValue(
                        zip(plan.layout.tensors, mixture.sensitivities).map {
                            ["name": JSONValue($0.name), "type": JSONValue($0.type.name), "bytes": JSONValue($0.bytes), "sensitivity": JSONValue($1)]
                        }),
                ]
            } ?? .null,
            "free_disk_bytes": free.map { JSONValue($0) } ?? .null,
            "run": [
                "context": JSONValue(running.context), "weights_bytes": JSONValue(running.weights), "kv_cache_bytes": JSONValue(running.cache),
                "scratch_bytes": JSONValue(running.scratch), "total_bytes": JSONValue(running.total), "fits": JSONValue(running.fits(memory)),
            ],
            "memory": MachineReport.memoryJSON(memory),
        ])
    }
}
