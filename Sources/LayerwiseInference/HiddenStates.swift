package import Architectures
import Glibc

/// The residual stream of some windows: [window][position][hidden].
package final class HiddenStates: @unchecked Sendable {  // Safe: plain memory; the engine's threads write different tokens.
    package let windows: Int
    package let windowSize: Int
    package let stride: Int
    package let values: UnsafeMutablePointer<Float>

    package static func byteCount(windows: Int, windowSize: Int, configuration: LlamaConfiguration) -> Int {
        windows * windowSize * stride(configuration) * 4
    }
    private static func stride(_ configuration: LlamaConfiguration) -> Int { (configuration.hiddenSize + 15) / 16 * 16 }

    package init(windows: Int, windowSize: Int, configuration: LlamaConfiguration) {
        precondition(windows >= 1 && windowSize >= 1, "\(windows) windows of \(windowSize)")
        (self.windows, self.windowSize) = (windows, windowSize)
        stride = Self.stride(configuration)
        let bytes = Self.byteCount(windows: windows, windowSize: windowSize, configuration: configuration)
        values = aligned_alloc(64, bytes)!.assumingMemoryBound(to: Float.self)
        memset(values, 0, bytes)
    }

    deinit { free(values) }

    package var tokens: Int { windows * windowSize }
    package var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: values, count: tokens * stride * 4) }

    func row(_ token: Int) -> UnsafeMutablePointer<Float> {
        precondition(token >= 0 && token < tokens, "token \(token) of \(tokens)")
        return values + token * stride
    }
}
