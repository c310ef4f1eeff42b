"""Features of clips: extractors of text, sound and faces, and the cache of what they made."""
