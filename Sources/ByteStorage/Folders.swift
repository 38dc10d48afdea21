import Glibc

/// Questions about paths and folders, asked before work starts.
package enum Folders {
    package enum Kind: Sendable { case file, folder, other, missing }

    package static func kind(of path: String) -> Kind {
        var status = stat()
        guard stat(path, &status) == 0 else { return .missing }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .folder
        default: return .other
        }
    }

    /// Why there is nothing at a path: it may only be out of this user's reach.
    package static func whyMissing(_ path: String) -> String {
        var status = stat()
        return stat(path, &status) != 0 && errno == EACCES ? "a folder on the way to it may not be entered (permission denied)" : "no such file or folder"
    }

    /// Whether the path itself is a symbolic link, wherever it leads.
    package static func isLink(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    /// Names in the folder, sorted by bytes; without "." and "..".
    package static func names(in folder: String) throws(FileError) -> [String] {
        guard let directory = opendir(folder) else { throw FileError(operation: "open the folder", path: folder, errno: errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    /// Whether this user may list the folder and open what is in it.
    package static func isReadable(_ folder: String) -> Bool { access(folder, R_OK | X_OK) == 0 }

    package static func isWritable(_ folder: String) -> Bool { access(folder, W_OK | X_OK) == 0 }

    /// Bytes that this user can still write on the file system of `folder`.
    package static func freeBytes(at folder: String) throws(FileError) -> UInt64 {
        var status = statvfs()
        _ = try SystemCalls.call("read the free space", folder) { statvfs(folder, &status) }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }

    /// The path without symbolic links, or nil when it does not exist.
    package static func canonical(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}

extension Folders {
    /// Removes a file; one that is not there, or cannot be removed, is left.
    package static func removeFile(_ path: String) { unlink(path) }
}
