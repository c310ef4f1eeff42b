"""ONNX sessions for the networks that ship inside the package."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

WEIGHTS = Path(__file__).parent / "weights"


def cpu_session(network: Path | bytes, threads: int = 1) -> "onnxruntime.InferenceSession":
    """A session of a network on the CPU with `threads` threads, which sleep while they wait.

    Spinning threads would take the cores from the decoder and from the other workers.
    """
    import onnxruntime  # a tenth of a second, which many a command has no need of

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        network if isinstance(network, bytes) else str(network),
        options,
        providers=["CPUExecutionProvider"],
    )
