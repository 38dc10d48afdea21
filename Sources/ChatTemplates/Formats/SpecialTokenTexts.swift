import StrictJSON

/// The texts of a checkpoint's special tokens by their role, as its tokenizer files name them.
package struct SpecialTokenTexts: Sendable, Equatable {
    /// "bos_token" to "<s>", for example. Only roles with one token.
    package private(set) var byRole: [String: String] = [:]

    package init(begin: String? = nil, end: String? = nil) {
        byRole["bos_token"] = begin
        byRole["eos_token"] = end
    }

    package var begin: String? { byRole["bos_token"] }
    package var end: String? { byRole["eos_token"] }

    private static let roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]

    /// The later of two files that name a role counts.
    init(reading files: [JSONObject?]) {
        for case let file? in files {
            for role in Self.roles {
                guard let value = file[role], let text = value.string ?? value["content"]?.string else { continue }
                byRole[role] = text
            }
        }
    }
}
