"""Where the stages run: local worker processes."""
