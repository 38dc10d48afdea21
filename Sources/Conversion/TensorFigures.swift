package import ModelFiles
package import StrictJSON
package import Tensors

/// What is known of one stored tensor: its size and its measured error.
package struct TensorFigures: Sendable, Equatable {
    package let name: String
    package let type: StorageType
    package let rows: Int
    package let columns: Int
    package let bytes: UInt64
    package let errors: ErrorSums

    package init(_ record: TensorRecord) { self.init(record, errors: record.errors) }

    package init(_ record: TensorRecord, errors: ErrorSums) {
        name = record.name
        type = record.type
        rows = record.rows
        columns = record.columns
        bytes = record.bytes
        self.errors = errors
    }

    package var weights: Int { rows * columns }
    package var bitsPerWeight: Double { Double(bytes) * 8 / Double(weights) }
    /// Shannon's bound for a Gaussian source: no code of this size can do better. Nil when nothing was lost.
    package var shannonDistance: Double? {
        errors.noise > 0 ? ModelFigures.decibelsPerBit * bitsPerWeight - errors.sqnrDecibels : nil
    }

    package var json: JSONValue {
        [
            "name": JSONValue(name), "type": JSONValue(type.name), "rows": JSONValue(rows), "columns": JSONValue(columns), "bytes": JSONValue(bytes),
            "bpw": JSONValue(bitsPerWeight), "relative_rmse": JSONValue(errors.relativeRMSE), "sqnr_db": JSONValue(errors.sqnrDecibels),
            "max_abs_error": JSONValue(errors.largest), "cosine": JSONValue(errors.cosine),
            "worst_row": JSONValue(errors.worstRow), "worst_row_sqnr_db": JSONValue(errors.worstRowDecibels),
            "shannon_distance_db": shannonDistance.map { JSONValue($0) } ?? .null,
        ]
    }
}

extension ErrorSums {
    /// SQNR of the row that lost most; infinite when no row lost anything.
    package var worstRowDecibels: Double {
        var row = ErrorSums()
        (row.signal, row.noise) = (1, worstRowRatio)
        return row.sqnrDecibels
    }
}

/// The figures of a whole model.
package struct ModelFigures: Sendable, Equatable {
    package let tensors: [TensorFigures]

    /// 20 log10(2).
    package static let decibelsPerBit = 6.0206

    package init(_ tensors: [TensorFigures]) { self.tensors = tensors }

    package var weights: Int { tensors.reduce(0) { $0 + $1.weights } }
    package var bytes: UInt64 { tensors.reduce(0) { $0 + $1.bytes } }
    package var bitsPerWeight: Double { Double(bytes) * 8 / Double(weights) }

    /// Tensors that lost something; noise without signal, which a forged record may hold, is the worst there is.
    private var lossy: [TensorFigures] { tensors.filter { $0.errors.noise > 0 } }

    /// Mean of the lossy tensors' SQNR, each tensor counted once; infinite when nothing was lost.
    package var meanDecibels: Double {
        let lossy = lossy
        return lossy.isEmpty ? .infinity : lossy.reduce(0) { $0 + $1.errors.sqnrDecibels } / Double(lossy.count)
    }

    /// Mean of the lossy tensors' distance to the Shannon bound; nil when nothing was lost.
    package var meanShannonDistance: Double? {
        let distances = lossy.compactMap(\.shannonDistance)
        return distances.isEmpty ? nil : distances.reduce(0, +) / Double(distances.count)
    }

    package var worstDecibels: Double { lossy.map(\.errors.sqnrDecibels).min() ?? .infinity }

    /// Those of lowest SQNR, the lowest first; ties in file order.
    package func worst(_ count: Int) -> [TensorFigures] {
        lossy.enumerated().sorted { ($0.element.errors.sqnrDecibels, $0.offset) < ($1.element.errors.sqnrDecibels, $1.offset) }
            .prefix(count).map(\.element)
    }

    package var jsonMembers: JSONObject {
        [
            "parameters": JSONValue(weights), "tensor_bytes": JSONValue(bytes), "bpw": JSONValue(bitsPerWeight),
            "mean_sqnr_db": JSONValue(meanDecibels), "worst_sqnr_db": JSONValue(worstDecibels),
            "shannon_distance_db": meanShannonDistance.map { JSONValue($0) } ?? .null,
        ]
    }
}
