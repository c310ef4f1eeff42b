"""Batch annotation of emotion video corpora with LDDU: predictions, uncertainty, human review."""

import os

__version__ = "0.1.0"

# onnxruntime (1.32) would write down a device's id and report its use to Microsoft. It reads this
# when it is imported, by us or by what we import, and worker processes inherit it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
