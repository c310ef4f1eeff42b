"""Numbers that can be trusted: pure functions of numpy arrays, each checked against another."""
