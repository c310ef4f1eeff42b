"""A model's answers as files that other programs read."""
