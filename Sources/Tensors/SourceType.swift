/// Element types of a checkpoint that Quern converts.
package enum SourceType: UInt16, CaseIterable, Sendable {
    case f32 = 1
    case f16 = 2
    case bf16 = 3

    /// The name in a safetensors header.
    package var name: String {
        switch self {
        case .f32: "F32"
        case .f16: "F16"
        case .bf16: "BF16"
        }
    }

    package var bytes: Int { self == .f32 ? 4 : 2 }

    package init?(name: some StringProtocol) {
        guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = type
    }
}
