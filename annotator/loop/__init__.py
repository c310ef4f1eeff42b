"""Round after round: ask people, learn from their answers, ask again."""
