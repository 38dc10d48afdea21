import Architectures
import ByteStorage
import Conversion
import HostFacts
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
        let tokens = context ?? min(configuration.contextLength, 4096)
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

    private func showJSON(_ running: RunningMemory, _ memory: MachineMemory, _ free: UInt64?) {
        Terminal.line([
            "event": "plan", "output": JSONValue(output), "source_bytes": JSONValue(plan.model.shardBytes),
            "largest_file_bytes": JSONValue(plan.largestFileBytes), "tensor_bytes": JSONValue(plan.tensorBytes),
            "parameters": JSONValue(plan.model.parameterCount), "bpw": JSONValue(plan.bitsPerWeight),
            "types": JSONValue(
                plan.byType.map {
                    ["type": JSONValue($0.type.name), "tensors": JSONValue($0.tensors), "weights": JSONValue($0.weights), "bytes": JSONValue($0.bytes)]
                }),
            "free_disk_bytes": free.map { JSONValue($0) } ?? .null,
            "run": [
                "context": JSONValue(running.context), "weights_bytes": JSONValue(running.weights), "kv_cache_bytes": JSONValue(running.cache),
                "scratch_bytes": JSONValue(running.scratch), "total_bytes": JSONValue(running.total), "fits": JSONValue(running.fits(memory)),
            ],
            "memory": MachineReport.memoryJSON(memory),
        ])
    }
}
