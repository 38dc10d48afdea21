import Conversion
import HostFacts
import StrictJSON
import Tensors

/// What `convert` says at its end.
struct ConversionSummary {
    let result: ConversionJob.Result
    let output: String
    let seconds: Double

    private var rate: Double { Double(result.sourceBytes) / seconds }

    private var sqnr: String {
        let (mean, worst) = (result.figures.meanDecibels, result.figures.worstDecibels)
        return mean.isFinite ? "mean \(Quantities.decibels(mean)), worst \(Quantities.decibels(worst))" : Quantities.decibels(mean)
    }

    func show(json: Bool) {
        let figures = result.figures
        let peak = MachineMemory.peakResident()
        if json {
            var line = figures.jsonMembers
            line.set("event", "done")
            line.set("output", JSONValue(output))
            line.set("file_bytes", JSONValue(result.fileBytes))
            line.set("source_bytes", JSONValue(result.sourceBytes))
            line.set("seconds", JSONValue(seconds))
            line.set("source_bytes_per_second", JSONValue(rate))
            line.set("peak_resident_bytes", peak.map { JSONValue($0) } ?? .null)
            line.set("shards_compared_with_download", JSONValue(result.comparedShards))
            line.set("worst_tensors", JSONValue(figures.worst(3).map(\.json)))
            return Terminal.line(line)
        }
        print("""
            \(output)
              size         \(Quantities.bytes(result.fileBytes)) from \(Quantities.bytes(result.sourceBytes)), \
            \(Quantities.fixed(figures.bitsPerWeight, 3)) bits per weight, \(Quantities.count(figures.weights)) weights
              SQNR         \(sqnr)
            """)
        for (index, tensor) in figures.worst(3).enumerated() {
            print("  \(index == 0 ? "worst three " : "            ")   \(Quantities.decibels(tensor.errors.sqnrDecibels))  \(tensor.type)  \(tensor.name)")
        }
        if result.comparedShards > 0 { print("  shards       \(result.comparedShards) of \(result.sources.count) compared with their download") }
        print("  time         \(Quantities.fixed(seconds, 1)) s, \(Quantities.fixed(rate / 1e6, 0)) MB/s of source, digests included")
        if let peak { print("  peak memory  \(Quantities.bytes(peak)) resident (VmHWM)") }
    }
}
