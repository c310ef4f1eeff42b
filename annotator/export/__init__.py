"""What a model and people say of clips, as files that other programs read."""
