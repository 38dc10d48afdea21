import Glibc

/// A day and time of day, for templates that print the date.
package struct CalendarDate: Sendable, Equatable {
    package var year: Int
    /// 1...12
    package var month: Int
    /// 1...31
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int

    package init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        precondition((1...12).contains(month) && (1...31).contains(day), "no date of a calendar")
        (self.year, self.month, self.day, self.hour, self.minute, self.second) = (year, month, day, hour, minute, second)
    }

    /// By this machine's clock and time zone.
    package static var now: CalendarDate {
        var seconds = time(nil)
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return CalendarDate(year: 1970, month: 1, day: 1) }
        return CalendarDate(
            year: Int(parts.tm_year) + 1900, month: Int(parts.tm_mon) + 1, day: Int(parts.tm_mday), hour: Int(parts.tm_hour),
            minute: Int(parts.tm_min), second: Int(parts.tm_sec))
    }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ]
    private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

    /// 0 for Sunday (Sakamoto's method).
    private var weekday: Int {
        let shifted = month < 3 ? year - 1 : year
        let offset = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4][month - 1]
        return (shifted + shifted / 4 - shifted / 100 + shifted / 400 + offset + day) % 7
    }

    private var dayOfYear: Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month - 1] + day + (isLeap && month > 2 ? 1 : 0)
    }

    private static func padded(_ value: Int, _ digits: Int = 2) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }

    private static let conversions: [Character: @Sendable (CalendarDate) -> String] = [
        "d": { padded($0.day) }, "m": { padded($0.month) }, "Y": { padded($0.year, 4) }, "y": { padded($0.year % 100) },
        "b": { String(months[$0.month - 1].prefix(3)) }, "B": { months[$0.month - 1] },
        "a": { String(weekdays[$0.weekday].prefix(3)) }, "A": { weekdays[$0.weekday] }, "w": { String($0.weekday) }, "j": { padded($0.dayOfYear, 3) },
        "H": { padded($0.hour) }, "I": { padded(($0.hour + 11) % 12 + 1) }, "p": { $0.hour < 12 ? "AM" : "PM" },
        "M": { padded($0.minute) }, "S": { padded($0.second) },
        "F": { "\(padded($0.year, 4))-\(padded($0.month))-\(padded($0.day))" }, "T": { "\(padded($0.hour)):\(padded($0.minute)):\(padded($0.second))" },
        "%": { _ in "%" },
    ]

    /// strftime for the conversions that do not depend on a language; nil for others. `%-d` leaves out leading zeros.
    func formatted(_ format: String) -> String? {
        var result = ""
        var rest = format[...]
        while let character = rest.popFirst() {
            guard character == "%" else {
                result.append(character)
                continue
            }
            let isShort = rest.first == "-"
            if isShort { rest.removeFirst() }
            guard let conversion = rest.popFirst().flatMap({ Self.conversions[$0] }) else { return nil }
            let text = conversion(self)
            result += isShort && text.utf8.count > 1 ? String(text.drop { $0 == "0" }) : text
        }
        return result
    }
}
