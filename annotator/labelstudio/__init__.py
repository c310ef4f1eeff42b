"""A Label Studio project: clips go there to be judged, the judgements come back."""
