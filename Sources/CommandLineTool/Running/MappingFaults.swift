import Glibc

/// The text for the signal handler, which may not allocate. Set once, before the handler is installed.
private nonisolated(unsafe) var mappingMessage = UnsafeRawBufferPointer(start: nil, count: 0)

/// A mapped file that is cut, or whose disk fails, while it is used ends the program with SIGBUS; nothing else tells. This makes it a message.
enum MappingFaults {
    static func install(path: String) {
        let text = Array("quern: error: \(path): a part of the file cannot be read any more: it was cut or replaced while in use, or its disk failed; run again on a whole file\n".utf8)
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
        copy.copyBytes(from: text)
        mappingMessage = UnsafeRawBufferPointer(copy)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in
            RawTerminal.restore()
            _ = write(STDERR_FILENO, mappingMessage.baseAddress!, mappingMessage.count)
            _exit(1)
        }
        sigaction(SIGBUS, &action, nil)
    }
}
