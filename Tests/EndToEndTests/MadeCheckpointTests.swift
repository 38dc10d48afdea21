import StrictJSON
import Testing

@Suite struct MadeCheckpointTests {
    @Test(arguments: ["q4", "q4s", "q8", "f16"], ["BF16", "F32"])
    func allZeroIsLossless(type: String, source: String) throws {
        let scratch = try Scratch()
        let made = try MadeCheckpoint(in: scratch, type: source)
        let run = try QuernProcess.run("convert", made.folder, "-o", scratch.path("m.quern"), "--type", type)
        #expect(run.code == 0, "\(run.errors)")
        let verified = try QuernProcess.run("verify", scratch.path("m.quern"), "--against", made.folder, "--json")
        #expect(verified.code == 0, "\(verified.errors)")
        #expect(try verified.json["worst_sqnr_db"] == .null)
        #expect(try QuernProcess.run("verify", scratch.path("m.quern"), "--min-sqnr", "100").code == 0)
    }

    @Test(arguments: ["BF16", "F32"])
    func tooLargeForHalfPrecision(source: String) throws {
        let scratch = try Scratch()
        let made = try MadeCheckpoint(in: scratch, type: source, values: [("model.layers.2.mlp.down_proj.weight", 768 * 20 + 3, 1e6)])
        let run = try QuernProcess.run("convert", made.folder, "-o", scratch.path("m.quern"), "--type", "f16")
        #expect(run.code == 1)
        #expect(run.errors.contains("model.safetensors: tensor 'model.layers.2.mlp.down_proj.weight': the value at [20, 3] is "), "\(run.errors)")
        #expect(run.errors.contains("but f16 holds at most 65504"))
        #expect(try scratch.names() == ["made"])
        #expect(try QuernProcess.run("convert", made.folder, "-o", scratch.path("m.quern"), "--type", "q8").code == 0)
    }

    @Test func vectorsHaveOneIndex() throws {
        let scratch = try Scratch()
        let made = try MadeCheckpoint(in: scratch, type: "F32", values: [("model.norm.weight", 17, .nan)])
        let run = try QuernProcess.run("convert", made.folder, "-o", scratch.path("m.quern"))
        #expect(run.code == 1)
        #expect(run.errors.contains("tensor 'model.norm.weight': the value at [17] is nan, expected a finite number"), "\(run.errors)")
    }

    /// Of several bad values the first in the file is reported, however many threads look.
    @Test(arguments: ["1", "8"])
    func firstOfSeveralBadValues(threads: String) throws {
        let scratch = try Scratch()
        let made = try MadeCheckpoint(
            in: scratch, type: "BF16",
            values: [("model.layers.7.mlp.up_proj.weight", 0, .nan), ("model.layers.1.mlp.up_proj.weight", 256 * 700 + 9, .infinity)])
        let run = try QuernProcess.run("convert", made.folder, "-o", scratch.path("m.quern"), "--threads", threads)
        #expect(run.code == 1)
        #expect(run.errors.contains("'model.layers.1.mlp.up_proj.weight': the value at [700, 9] is inf"), "\(run.errors)")
    }
}
