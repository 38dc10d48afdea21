extension TemplateEvaluator {
    /// Arguments in the order of the parameters; nil for one that was not given.
    ///
    /// - Parameter required: so many of the first must be given.
    func bind(
        _ arguments: TemplateArguments, to parameters: [String], required: Int = 0, of what: String
    ) throws(ChatTemplateError) -> [TemplateValue?] {
        guard arguments.positional.count <= parameters.count else {
            throw fault("'\(what)' takes at most \(parameters.count) arguments, found \(arguments.positional.count)")
        }
        var bound: [TemplateValue?] = arguments.positional
        bound += [TemplateValue?](repeating: nil, count: parameters.count - bound.count)
        for argument in arguments.named {
            guard let position = parameters.firstIndex(of: argument.name) else { throw fault("'\(what)' has no argument '\(argument.name)'", .unsupported) }
            if bound[position] != nil { throw fault("'\(what)': the argument '\(argument.name)' is given twice") }
            bound[position] = argument.value
        }
        for position in 0..<required where bound[position] == nil { throw fault("'\(what)' needs the argument '\(parameters[position])'") }
        return bound
    }

    func text(_ value: TemplateValue, for what: String) throws(ChatTemplateError) -> MarkedText {
        guard case .text(let text) = value else { throw fault("'\(what)' needs a string, found \(value.kind)") }
        return text
    }

    func integer(_ value: TemplateValue, for what: String) throws(ChatTemplateError) -> Int {
        guard let number = value.integer else { throw fault("'\(what)' needs an integer, found \(value.kind)") }
        return number
    }
}
