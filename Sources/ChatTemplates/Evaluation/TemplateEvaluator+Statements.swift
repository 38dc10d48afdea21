extension TemplateEvaluator {
    /// How a body ended.
    enum Flow {
        case onward
        case leaveLoop
        case nextIteration
    }

    func run(_ statements: [TemplateStatement]) throws(ChatTemplateError) -> Flow {
        for statement in statements {
            line = statement.line
            try step(count: 1)
            let flow = try run(statement)
            if flow != .onward { return flow }
        }
        return .onward
    }

    private func run(_ statement: TemplateStatement) throws(ChatTemplateError) -> Flow {
        switch statement.kind {
        case .data(let text): try write(text)
        case .output(let expression): try write(try evaluate(expression).shown(self))
        case .set(let target, let expression): try assign(try evaluate(expression), to: target)
        case .setBlock(let target, let filters, let body): try assign(try filtered(body, filters), to: target)
        case .filtered(let filters, let body): try write(try filtered(body, filters).shown(self))
        case .branches(let branches, let otherwise): return try run(branches, otherwise)
        case .loop(let loop): return try run(loop)
        case .macro(let macro): try define(macro)
        case .with(let values, let body):
            // Values see the names outside.
            var evaluated: [(AssignmentTarget, TemplateValue)] = []
            for (target, value) in values { evaluated.append((target, try evaluate(value))) }
            return try scoped(within: scope) { () throws(ChatTemplateError) in
                for (target, value) in evaluated { try assign(value, to: target) }
                return try run(body)
            }
        case .body(let body): return try run(body)
        case .leaveLoop: return .leaveLoop
        case .nextIteration: return .nextIteration
        }
        return .onward
    }

    private func filtered(_ body: [TemplateStatement], _ filters: [TemplatePostfix]) throws(ChatTemplateError) -> TemplateValue {
        let text = try captured { () throws(ChatTemplateError) in
            try scoped(within: scope) { () throws(ChatTemplateError) in _ = try run(body) }
        }
        var value = TemplateValue.text(text)
        for filter in filters { value = try apply(filter, to: value) }
        return value
    }

    private func run(
        _ branches: [(condition: TemplateExpression, body: [TemplateStatement])], _ otherwise: [TemplateStatement]
    ) throws(ChatTemplateError) -> Flow {
        for branch in branches where try evaluate(branch.condition).isTrue { return try run(branch.body) }
        return try run(otherwise)
    }

    private func run(_ loop: LoopStatement) throws(ChatTemplateError) -> Flow {
        var elements = try self.elements(of: try evaluate(loop.sequence))
        if let condition = loop.condition {
            var kept: [TemplateValue] = []
            for element in elements {
                let keeps = try scoped(within: scope) { () throws(ChatTemplateError) in
                    try assign(element, to: loop.target)
                    return try evaluate(condition).isTrue
                }
                if keeps { kept.append(element) }
            }
            elements = kept
        }
        // As in Jinja, 'else' also follows a loop of which no pass came to its end, because each left it or skipped the rest.
        var isAnyComplete = false
        let state = LoopState(elements)
        defer { state.watched = nil }
        for (index, element) in elements.enumerated() {
            state.index = index
            try step(count: 1)
            let flow = try scoped(within: scope) { () throws(ChatTemplateError) in
                scope.set("loop", .loop(state))
                try assign(element, to: loop.target)
                return try run(loop.body)
            }
            if flow == .leaveLoop { break }
            if flow == .onward { isAnyComplete = true }
        }
        // There, 'break' belongs to the loop around.
        return isAnyComplete ? .onward : try run(loop.otherwise)
    }

    func assign(_ value: TemplateValue, to target: AssignmentTarget) throws(ChatTemplateError) {
        switch target {
        case .name(let name): scope.set(name, value)
        case .member(let name, let member):
            guard case .namespace(let space) = scope.value(of: name) else {
                throw fault("'\(name)' is no namespace, so nothing can be assigned to '\(name).\(member)'")
            }
            if case .namespace = value { throw fault("a namespace cannot be kept in a namespace", .unsupported) }
            try charge(bytes: 64)
            space.members[member] = value
        case .tuple(let targets):
            let elements = try elements(of: value)
            guard elements.count == targets.count else {
                throw fault("\(elements.count) values cannot be assigned to \(targets.count) names")
            }
            for (target, element) in zip(targets, elements) { try assign(element, to: target) }
        }
    }
}
