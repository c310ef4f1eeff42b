"""Batch annotation of emotion video corpora with LDDU: predictions, uncertainty, human review."""

__version__ = "0.1.0"
