"""Readers of labelled corpora: files in, `annotator.learning.dataset.Dataset` out."""

from annotator.datasets.open import open_dataset

__all__ = ["open_dataset"]
