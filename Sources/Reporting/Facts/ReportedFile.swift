import ByteStorage
package import ModelFiles

/// What a report says of a `.quern` file.
package struct ReportedFile: Sendable {
    package var fileBytes: UInt64
    /// SHA-256 of the header, which holds the digests of all sections: it stands for every byte of the file.
    package var fingerprint: Digest32
    package var tensors: [TensorRecord]
    package var metadata: ModelMetadata
    package var tokenizerFiles: [String]

    package init(fileBytes: UInt64, fingerprint: Digest32, tensors: [TensorRecord], metadata: ModelMetadata, tokenizerFiles: [String]) {
        self.fileBytes = fileBytes
        self.fingerprint = fingerprint
        self.tensors = tensors
        self.metadata = metadata
        self.tokenizerFiles = tokenizerFiles
    }

    package init(_ reader: ModelFileReader) {
        let header = UnsafeRawBufferPointer(rebasing: reader.mapping.bytes[..<ModelFileHeader.byteCount])
        let fingerprint = withExtendedLifetime(reader) { Digest32.of(header) }
        self.init(
            fileBytes: reader.fileBytes, fingerprint: fingerprint, tensors: reader.tensors, metadata: reader.metadata,
            tokenizerFiles: reader.tokenizer.files.map(\.name))
    }

    package var sourceBytes: UInt64 { metadata.sources.reduce(0) { $0.addingReportingOverflow($1.bytes).partialValue } }
}
