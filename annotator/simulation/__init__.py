"""Rounds of labelling on a corpus whose answers are known: what a way to choose clips is worth."""
