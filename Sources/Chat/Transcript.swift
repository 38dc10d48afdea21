package import ChatTemplates
package import StrictJSON

/// What was said.
package struct Transcript: Sendable, Equatable {
    package var system: String?
    /// User and assistant by turns.
    package var turns: [ChatMessage] = []
    /// Of `turns`, how many from the start the model does not see any more.
    package var dropped = 0

    package init(system: String? = nil) { self.system = system }

    private var systemMessage: [ChatMessage] { system.map { [ChatMessage(role: .system, content: $0)] } ?? [] }

    /// What the model sees.
    package var visible: [ChatMessage] { systemMessage + turns[dropped...] }

    // MARK: The saved form

    private static let format = "quern-conversation"
    private static let version = 1

    /// `{"format": "quern-conversation", "version": 1, "dropped": 0, "messages": [{"role": "user", "content": "..."}, ...]}`
    package var document: JSONValue {
        let messages = (systemMessage + turns).map { message in
            JSONValue(["role": JSONValue(message.role.rawValue), "content": JSONValue(message.content)] as JSONObject)
        }
        return JSONValue(
            ["format": JSONValue(Self.format), "version": JSONValue(Self.version), "dropped": JSONValue(dropped), "messages": JSONValue(messages)] as JSONObject)
    }

    package static func isDocument(_ value: JSONValue) -> Bool { value["format"]?.string == format }

    /// Checks everything: a file may have been written by anyone.
    package init(document: JSONValue) throws(ChatError) {
        func invalid(_ text: String) -> ChatError { .invalidDocument(text) }
        guard Self.isDocument(document) else { throw invalid("this is no saved conversation: \"format\" is not \"\(Self.format)\"; give a file made with /save") }
        guard document["version"]?.int == Self.version else {
            throw invalid("\"version\" is \(document["version"]?.text() ?? "missing"), this program reads version \(Self.version); use the program that wrote it")
        }
        guard let list = document["messages"]?.array else { throw invalid("\"messages\": expected an array") }
        for (index, entry) in list.enumerated() {
            let place = "message \(index + 1)"
            guard let name = entry["role"]?.string, let role = ChatMessage.Role(rawValue: name) else {
                throw invalid("\(place): \"role\" is \(entry["role"]?.text() ?? "missing"), expected \"system\", \"user\" or \"assistant\"")
            }
            guard let content = entry["content"]?.string else { throw invalid("\(place): \"content\" is \(entry["content"] == nil ? "missing" : "no text"), expected text") }
            if role == .system {
                guard index == 0 else { throw invalid("\(place) is the system's, which may only be the first") }
                system = content
                continue
            }
            let expected: ChatMessage.Role = turns.count % 2 == 0 ? .user : .assistant
            guard role == expected else { throw invalid("\(place) is the \(role.rawValue)'s, expected the \(expected.rawValue)'s: they take turns") }
            turns.append(ChatMessage(role: role, content: content))
        }
        guard turns.count % 2 == 0 else { throw invalid("the last message is the user's, expected the assistant's; remove it, and ask it again") }
        if let value = document["dropped"] {
            guard let count = value.int, count >= 0, count <= turns.count, count % 2 == 0 else {
                throw invalid("\"dropped\" is \(value.text()), expected an even number within 0 ... \(turns.count)")
            }
            dropped = count
        }
    }
}
