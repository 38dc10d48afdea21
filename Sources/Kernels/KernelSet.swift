import CKernels
import Glibc

/// The kernels of one instruction set. They differ in speed; exact operations give the same bits on all of them, see `ProductPrecision`.
package struct KernelSet: @unchecked Sendable {  // Safe: points at a constant table that lives as long as the program.
    let table: UnsafePointer<ck_kernels>

    /// "scalar", "avx2", "avxvnni", "avx512bw", "avx512" or "neon".
    package var name: String { String(cString: table.pointee.name) }

    private init(_ table: UnsafePointer<ck_kernels>) { self.table = table }

    /// The set of that name, or nil when this build or this machine has none.
    package init?(named name: String) {
        guard let table = ck_find(name) else { return nil }
        self.init(table)
    }

    /// Every set that this build knows, best first, whether or not the machine can run it.
    package static let knownNames: [String] = {
        var names = [UnsafePointer<CChar>?](repeating: nil, count: 16)
        let count = Int(ck_names(&names, 16))
        return names.prefix(count).map { String(cString: $0!) }
    }()

    /// The sets that this machine can run, best first. Never empty: "scalar" always is.
    package static let available: [KernelSet] = knownNames.compactMap { KernelSet(named: $0) }

    package static let environmentVariable = "QUERN_FORCE_ISA"

    /// The set that the environment variable `QUERN_FORCE_ISA` names, else the best.
    package static func selected() throws(InstructionSetError) -> KernelSet {
        guard let forced = getenv(environmentVariable).map({ String(cString: $0) }), !forced.isEmpty else { return available[0] }
        guard let set = KernelSet(named: forced) else {
            throw InstructionSetError(requested: forced, isKnown: knownNames.contains(forced), available: available.map(\.name))
        }
        return set
    }
}

package struct InstructionSetError: Error, Equatable, CustomStringConvertible {
    package var requested: String
    package var isKnown: Bool
    package var available: [String]

    package var description: String {
        "\(KernelSet.environmentVariable)=\(requested): "
            + (isKnown ? "this processor cannot run it" : "no such instruction set")
            + "; choose one of \(available.joined(separator: ", ")) or unset the variable"
    }
}
