"""From people's answers to consensus and agreement: pure functions, no database."""
