"""Which clips are worth asking a human about: scores over predictions."""
