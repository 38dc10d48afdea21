/// A template as a tree. Chains of the same precedence are lists, so that only brackets and blocks nest.
struct TemplateExpression: Sendable {
    indirect enum Kind: Sendable {
        case constant(Constant)
        case name(String)
        case list([TemplateExpression])
        case tuple([TemplateExpression])
        case dictionary([(key: TemplateExpression, value: TemplateExpression)])
        case postfix(TemplateExpression, [TemplatePostfix])
        case negated(TemplateExpression)
        case positive(TemplateExpression)
        case not(TemplateExpression)
        /// Operations from left to right, of one precedence.
        case arithmetic(TemplateExpression, [(operation: ArithmeticOperation, operand: TemplateExpression)])
        case joined([TemplateExpression])
        case comparison(TemplateExpression, [(relation: Relation, operand: TemplateExpression)])
        case all([TemplateExpression])
        case any([TemplateExpression])
        case conditional(value: TemplateExpression, condition: TemplateExpression, otherwise: TemplateExpression?)
    }

    enum Constant: Sendable {
        case none
        case bool(Bool)
        case integer(Int)
        case float(Double)
        case text(MarkedText)
    }

    var kind: Kind
    var line: Int
}

enum ArithmeticOperation: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case remainder = "%"
    case power = "**"
}

enum Relation: String, Sendable {
    case equal = "=="
    case unequal = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case contained = "in"
    case notContained = "not in"
}

/// What follows a value.
struct TemplatePostfix: Sendable {
    enum Kind: Sendable {
        case attribute(String)
        case item(TemplateExpression)
        case slice(TemplateExpression?, TemplateExpression?, TemplateExpression?)
        case call(CallArguments)
        case filter(String, CallArguments)
        case test(String, CallArguments, isNegated: Bool)
    }

    var kind: Kind
    var line: Int
}

struct CallArguments: Sendable {
    var positional: [TemplateExpression] = []
    var named: [(name: String, value: TemplateExpression)] = []
}

struct TemplateStatement: Sendable {
    indirect enum Kind: Sendable {
        case data(MarkedText)
        case output(TemplateExpression)
        case set(AssignmentTarget, TemplateExpression)
        /// The text of a body, sent through filters.
        case setBlock(AssignmentTarget, [TemplatePostfix], [TemplateStatement])
        case filtered([TemplatePostfix], [TemplateStatement])
        case branches([(condition: TemplateExpression, body: [TemplateStatement])], otherwise: [TemplateStatement])
        case loop(LoopStatement)
        case macro(MacroStatement)
        case with([(target: AssignmentTarget, value: TemplateExpression)], [TemplateStatement])
        /// A body that stands for itself.
        case body([TemplateStatement])
        case leaveLoop
        case nextIteration
    }

    var kind: Kind
    var line: Int
}

struct LoopStatement: Sendable {
    var target: AssignmentTarget
    var sequence: TemplateExpression
    var condition: TemplateExpression?
    var body: [TemplateStatement]
    var otherwise: [TemplateStatement]
}

struct MacroStatement: Sendable {
    var name: String
    var parameters: [(name: String, standard: TemplateExpression?)]
    var body: [TemplateStatement]
}

indirect enum AssignmentTarget: Sendable {
    case name(String)
    /// A member of a namespace.
    case member(of: String, String)
    case tuple([AssignmentTarget])
}
