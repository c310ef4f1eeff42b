"""Label Studio: clips go there for review, and people's answers come back."""
