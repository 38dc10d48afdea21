import Glibc
import Synchronization

/// Has the page cache take up a file that is being written in pages of 2 MiB, so that a later mapping of it has them, too.
///
/// What is written goes into pages of the size that are there; new ones are as small as the pieces in which the bytes come. Reading a place of a
/// mapping that asks for huge pages makes one, filled with zeros as long as the disk's reserved blocks hold nothing. Decoding from a file that was
/// just converted is 3 to 20 % faster so (Zen 3, ext4, Linux 6.18). A kernel or file system without huge pages for files goes on with small ones.
///
/// *Threads*: `prepare` may be called from several.
final class PageCachePreparation: Sendable {
    private static let window = 2 << 20

    private let file: MappedFile
    private let isPrepared: Mutex<[Bool]>

    /// Of an open file whose whole size is reserved. Nil where it cannot be mapped in huge pages; then nothing is lost but speed.
    init?(path: String, descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0, Self.isBlockDevice(status.st_dev), let file = try? MappedFile(path: path),
            file.bytes.count >= Self.window, file.preferHugePages()
        else { return nil }
        self.file = file
        isPrepared = Mutex([Bool](repeating: false, count: (file.bytes.count + Self.window - 1) / Self.window))
    }

    /// File systems without a device of their own, as those over a network, have major number 0: there, zeros would have to come from afar.
    private static func isBlockDevice(_ device: dev_t) -> Bool { (device >> 8) & 0xfff != 0 }

    /// Call before bytes of the range are written.
    func prepare(offset: UInt64, count: Int) {
        let size = file.bytes.count
        guard count > 0, offset < UInt64(size) else { return }
        let first = Int(offset) / Self.window, last = (min(Int(offset) + count, size) - 1) / Self.window
        isPrepared.withLock { isPrepared in
            for index in first...last where !isPrepared[index] {
                isPrepared[index] = true
                let start = index * Self.window
                file.populateUntouched(start..<start + 1)
                // The page would count as this process's memory.
                file.release(start..<min(start + Self.window, size))
            }
        }
    }
}
