"""The commands of `annotate`: each parses, calls one function of annotator and prints. No logic."""
