import Glibc
import Kernels
import RandomNumbers
import TestSupport
import Testing

private let lacking = KernelSet.knownNames.filter { KernelSet(named: $0) == nil }

@Suite struct KernelSetTests {
    @Test(.enabled(if: lacking.isEmpty, "this machine cannot run \(lacking.joined(separator: ", ")): the other tests leave these out"))
    func everyKnownSetRuns() {
        #expect(KernelSet.available.map(\.name) == KernelSet.knownNames)
    }

    @Test func scalarIsAlwaysThereAndLast() {
        #expect(KernelSet.available.last?.name == "scalar")
        #expect(KernelSet(named: "scalar") != nil)
        #expect(KernelSet(named: "mmx") == nil)
        #expect(KernelSet(named: "") == nil)
    }

    // Two tables may share a name: the first that the machine can run is meant.
    @Test func eachNameIsListedOnce() {
        #expect(Set(KernelSet.knownNames).count == KernelSet.knownNames.count)
        #if arch(x86_64)
        #expect(KernelSet.knownNames == ["avx512", "avx512bw", "avxvnni", "avx2", "scalar"])
        #elseif arch(arm64)
        #expect(KernelSet.knownNames == ["neon", "scalar"])
        #endif
    }

    // Own processes: the environment belongs to the whole process.
    @Test func theEnvironmentChooses() async {
        await #expect(processExitsWith: .success) {
            unsetenv(KernelSet.environmentVariable)
            #expect((try? KernelSet.selected().name) == KernelSet.available[0].name)
            setenv(KernelSet.environmentVariable, "", 1)
            #expect((try? KernelSet.selected().name) == KernelSet.available[0].name)
            for kernels in KernelSet.available {
                setenv(KernelSet.environmentVariable, kernels.name, 1)
                #expect((try? KernelSet.selected().name) == kernels.name)
            }
        }
    }

    @Test func anUnknownNameIsRefusedWithTheChoices() async {
        await #expect(processExitsWith: .success) {
            setenv(KernelSet.environmentVariable, "sse9", 1)
            do throws(InstructionSetError) {
                _ = try KernelSet.selected()
                Issue.record("sse9 was accepted")
            } catch {
                #expect(error.requested == "sse9" && !error.isKnown)
                #expect(error.description.hasPrefix("QUERN_FORCE_ISA=sse9: no such instruction set; choose one of "))
                #expect(error.description.contains("scalar") && error.description.hasSuffix("or unset the variable"))
            }
        }
    }

    @Test(arguments: KernelSet.available.map(\.name)) func dotProductLoopsSayWhatTheyDid(name: String) throws {
        let kernels = try #require(KernelSet(named: name))
        #expect(kernels.dotProductLoop(rounds: 0) == 0)
        #expect(kernels.dotProductLoop(rounds: 3) == 3 * 6144)
    }

    @Test(arguments: [1, 63, 64, 65, 200, 4096 + 17]) func readMemoryReadsEveryWord(count: Int) {
        var random = SplitMix64(seed: 8)
        let words = (0..<count).map { _ in random.next() }
        let memory = GuardedMemory(words)
        #expect(KernelSet.readMemory(memory.raw) == words.reduce(0, &+))
    }
}
