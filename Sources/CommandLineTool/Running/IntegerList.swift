import ArgumentParser

/// An option's value like 1,2,4.
struct IntegerList: ExpressibleByArgument, Equatable {
    /// As given, without repetitions.
    let values: [Int]

    init(_ values: [Int]) { self.values = values.reduce(into: []) { if !$0.contains($1) { $0.append($1) } } }

    /// Nil unless every part is a number of digits alone.
    init?(argument: String) {
        var values: [Int] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard part.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let value = Int(part) else { return nil }
            values.append(value)
        }
        self.init(values)
    }
}
