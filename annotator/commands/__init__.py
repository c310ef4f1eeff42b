"""The commands, by group: parse, call one function of annotator, print. No logic."""
