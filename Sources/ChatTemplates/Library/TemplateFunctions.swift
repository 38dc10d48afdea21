import StrictJSON

/// What templates can call by name.
enum TemplateFunctions {
    static let table: [String: TemplateFunction] = [
        "raise_exception": { evaluator, arguments throws(ChatTemplateError) in
            let message = try evaluator.bind(arguments, to: ["message"], required: 1, of: "raise_exception")[0]!.shown(evaluator)
            throw evaluator.fault(
                "the template refuses the conversation: \(JSONString.quoted(message.string))", .refused,
                advice: "change the messages as it says, or choose another format with --chat-format")
        },
        "strftime_now": { evaluator, arguments throws(ChatTemplateError) in
            let format = try evaluator.text(try evaluator.bind(arguments, to: ["format"], required: 1, of: "strftime_now")[0]!, for: "strftime_now")
            guard format.count <= 1000, let text = evaluator.date.formatted(format.string) else {
                throw evaluator.fault("strftime_now: the format \(format.quoted) is not supported", .unsupported)
            }
            return .own(text)
        },
        "range": { evaluator, arguments throws(ChatTemplateError) in
            let bounds = try evaluator.bind(arguments, to: ["start", "stop", "step"], required: 1, of: "range")
            var numbers: [Int] = []
            for bound in bounds { if let bound { numbers.append(try evaluator.integer(bound, for: "range")) } }
            let (start, stop) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
            let step = numbers.count == 3 ? numbers[2] : 1
            guard step != 0 else { throw evaluator.fault("range: the step is 0") }
            let (distance, overflows) = stop.subtractingReportingOverflow(start)
            let count = overflows ? Int.max : max(0, distance / step)
            try evaluator.charge(elements: count)
            return .list(stride(from: start, to: stop, by: step).map { .integer($0) })
        },
        "namespace": { evaluator, arguments throws(ChatTemplateError) in
            let space = try evaluator.makeNamespace()
            for case .dictionary(let members) in arguments.positional {
                for (key, value) in zip(members.keys, members.values) { if case .text(let name) = key { space.members[name.string] = value } }
            }
            for (name, value) in arguments.named {
                if case .namespace = value { throw evaluator.fault("a namespace cannot be kept in a namespace", .unsupported) }
                space.members[name] = value
            }
            return .namespace(space)
        },
        "dict": { evaluator, arguments throws(ChatTemplateError) in
            var result = TemplateDictionary()
            if case .dictionary(let members)? = arguments.positional.first { result = members }
            try evaluator.charge(elements: 8 * (result.keys.count + arguments.named.count))
            for (name, value) in arguments.named { result.set(.own(name), .text(MarkedText(name, isTrusted: true)), value) }
            return try evaluator.nested(.dictionary(result))
        },
    ]
}
