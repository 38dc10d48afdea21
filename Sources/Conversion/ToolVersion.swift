/// The version that `quern --version` prints and that each written file names as its generator's.
package enum ToolVersion {
    package static let name = "quern"
    package static let text = "0.1.0"
}
