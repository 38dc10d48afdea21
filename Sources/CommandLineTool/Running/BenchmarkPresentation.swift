import Benchmarking
import HostFacts
import Inference
import Kernels
import ModelFiles
import StrictJSON
import Tensors

/// What `bench` shows.
struct BenchmarkPresentation {
    let running: RunningModel
    let plan: BenchmarkPlan
    let report: BenchmarkReport
    let machine: CPUFacts

    private var types: [StorageType] {
        StorageType.allCases.filter { type in running.model.reader.tensors.contains { $0.type == type && $0.rank == 2 } }
    }

    var text: String {
        let reader = running.model.reader
        let types = types.map(\.name).joined(separator: ", ")
        let parts = [fileLine(reader.path, types, reader.fileBytes), machineLine, yardsticks.text, results.text]
        return parts.joined(separator: "\n\n")
    }

    private func fileLine(_ path: String, _ types: String, _ bytes: UInt64) -> String {
        """
        \(path): \(types), \(Quantities.count(report.work.parameters)) parameters, \(Quantities.bytes(bytes))
          a token reads \(Quantities.bytes(UInt64(report.work.weightBytes))) of weights and, of the \(running.element) cache, \
        \(Quantities.bytes(UInt64(report.work.cacheBytesPerPosition))) per position
        """
    }

    private var machineLine: String {
        """
        \(machine.model) (\(machine.features.joined(separator: " ")))
          kernels \(running.kernels.name), \(plan.runs) \(plan.runs == 1 ? "run" : "runs"), medians (smallest...largest)
        """
    }

    private var yardsticks: TextTable {
        var table = TextTable(["yardstick", "threads", "unit", "median", "(smallest...largest)"])
        for yardstick in report.yardsticks {
            for (name, unit, spread) in [("read bandwidth", "GB/s", yardstick.readBandwidth), ("int8 peak", "GOP/s", yardstick.int8Peak)] {
                table.add([name, "\(yardstick.threads)", unit] + cells(spread, scale: 1e-9))
            }
        }
        return table
    }

    private var results: TextTable {
        var table = TextTable(["kind", "tokens", "depth", "threads", "tok/s", "(smallest...largest)", "fraction", "of"])
        for result in report.results {
            let note = result.fractionMultiplied.map { "int8 peak; layers only \(Quantities.fixed($0, 3))" } ?? "read bandwidth"
            table.add(
                [result.item.kind.rawValue, "\(result.item.tokens)", "\(result.item.depth)", "\(result.item.threads)"] + cells(result.speed, scale: 1)
                    + [Quantities.fixed(result.fraction, 3), note])
        }
        return table
    }

    private func cells(_ spread: Spread, scale: Double) -> [String] {
        func shown(_ value: Double) -> String { Quantities.fixed(value * scale, value * scale < 1 ? 4 : value * scale < 100 ? 2 : 1) }
        return [shown(spread.median), "(\(shown(spread.smallest))...\(shown(spread.largest)))"]
    }

    var document: JSONObject {
        let reader = running.model.reader
        let top = report.largestYardstick
        var object: JSONObject = [
            "file": JSONValue(reader.path), "file_bytes": JSONValue(reader.fileBytes), "types": JSONValue(types.map { JSONValue($0.name) }),
            "parameters": JSONValue(report.work.parameters), "parameters_multiplied": JSONValue(report.work.multipliedParameters),
            "weight_bytes_per_token": JSONValue(report.work.weightBytes), "kv": JSONValue(running.element.rawValue),
            "kv_bytes_per_position": JSONValue(report.work.cacheBytesPerPosition), "cpu": JSONValue(machine.model),
            "cpu_features": JSONValue(machine.features.map { JSONValue($0) }), "instruction_set": JSONValue(running.kernels.name),
            "threads": JSONValue(top.threads), "runs": JSONValue(plan.runs),
        ]
        for (key, value) in yardstickMembers(top) { object.set(key, value) }
        object.set("results", JSONValue(report.results.map { JSONValue(member($0)) }))
        return object
    }

    private func yardstickMembers(_ yardstick: BenchmarkReport.Yardstick) -> [(String, JSONValue)] {
        spread("read_bandwidth_gb_s", yardstick.readBandwidth, scale: 1e-9) + spread("int8_peak_gop_s", yardstick.int8Peak, scale: 1e-9)
    }

    private func spread(_ name: String, _ spread: Spread, scale: Double) -> [(String, JSONValue)] {
        [
            (name, JSONValue(spread.median * scale)), ("\(name)_min", JSONValue(spread.smallest * scale)),
            ("\(name)_max", JSONValue(spread.largest * scale)),
        ]
    }

    private func member(_ result: BenchmarkReport.Result) -> JSONObject {
        var object: JSONObject = [
            "kind": JSONValue(result.item.kind.rawValue), "tokens": JSONValue(result.item.tokens), "depth": JSONValue(result.item.depth),
            "threads": JSONValue(result.item.threads),
        ]
        for (key, value) in spread("tok_s", result.speed, scale: 1) { object.set(key, value) }
        object.set("fraction", JSONValue(result.fraction))
        if let fraction = result.fractionMultiplied { object.set("fraction_multiplied", JSONValue(fraction)) }
        if let bytes = result.bytesPerToken { object.set("bytes_per_token", JSONValue(bytes)) }
        for (key, value) in yardstickMembers(result.yardstick) { object.set(key, value) }
        return object
    }
}
