extension KeyValueCache {
    /// Takes back a `truncate`: the positions below `position` count again, with what they held last.
    ///
    /// The caller knows that each of them was filled, and with the tokens that it means.
    package func restore(to position: Int) {
        precondition(position >= 0 && position <= context, "position \(position) of a context of \(context)")
        count = position
    }
}
