"""Is everything there that the tool needs: a check a thing, which reads and changes nothing."""
