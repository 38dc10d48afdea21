/// What a line typed in a chat asks for.
package enum SlashCommand: Equatable, Sendable {
    case message(String)
    case help, reset, regenerate, stats, exit
    /// Shows it.
    case system
    /// Sets it; nil takes it away.
    case setSystem(String?)
    case save(String), load(String)
    /// Shows them.
    case parameters
    case setParameter(name: String, value: String)
    /// What is wrong with the line.
    case mistake(String)

    /// Name, arguments, explanation.
    package static let table: [(name: String, arguments: String, help: String)] = [
        ("/help", "", "this list"),
        ("/system", "[TEXT]", "show the system message, or set it; /system off takes it away"),
        ("/reset", "", "forget the conversation, but not the system message"),
        ("/save", "FILE", "save the conversation as JSON, readable by you alone"),
        ("/load", "FILE", "go on with a saved conversation"),
        ("/regenerate", "", "drop the last answer and give another one"),
        ("/stats", "", "tokens, speed and how full the context is"),
        ("/params", "[NAME VALUE]", "show how answers are made, or change it"),
        ("/exit", "", "end; so does Control-D at an empty prompt"),
    ]

    /// A message may begin with "/" by beginning with "//".
    package init(_ line: String) {
        guard line.hasPrefix("/"), !line.hasPrefix("//") else {
            self = .message(line.hasPrefix("/") ? String(line.dropFirst()) : line)
            return
        }
        let name = String(line.prefix { !$0.isWhitespace })
        let rest = Self.trimmed(line.dropFirst(name.count))
        func alone(_ command: SlashCommand) -> SlashCommand { rest.isEmpty ? command : .mistake("\(name) takes nothing after it, found '\(rest)'") }
        switch name {
        case "/help": self = alone(.help)
        case "/reset": self = alone(.reset)
        case "/regenerate": self = alone(.regenerate)
        case "/stats": self = alone(.stats)
        case "/exit", "/quit": self = alone(.exit)
        case "/system": self = rest.isEmpty ? .system : .setSystem(rest == "off" ? nil : rest)
        case "/save": self = rest.isEmpty ? .mistake("/save needs the name of a file") : .save(rest)
        case "/load": self = rest.isEmpty ? .mistake("/load needs the name of a file") : .load(rest)
        case "/params":
            let words = rest.split(whereSeparator: \.isWhitespace)
            switch words.count {
            case 0: self = .parameters
            case 2: self = .setParameter(name: String(words[0]), value: String(words[1]))
            default: self = .mistake("/params takes a name and a value, like '/params temperature 0.7', or nothing")
            }
        default:
            let near = Self.table.map(\.name).filter { $0.hasPrefix(name) }
            self = .mistake(
                "there is no command \(name)" + (near.isEmpty ? "" : "; did you mean \(near.joined(separator: ", "))?")
                    + " (/help lists the commands; begin with // to send a message that begins with /)")
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
