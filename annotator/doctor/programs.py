"""ffmpeg with the codecs that are needed, and the library that reads what a file holds."""

from collections.abc import Iterator

from annotator.doctor.check import Check, State, attempt, failed, ok
from annotator.media.binaries import (
    OVERRIDE,
    decoders,
    encoders,
    ffmpeg_path,
    ffmpeg_version,
    h264_encoder,
)

DECODERS = ("h264", "hevc", "vp9", "aac", "mp3", "flac", "opus")
NEEDED = ("h264", "aac")  # without the others only some files cannot be read
SOUND_ENCODER = "aac"


def checks() -> Iterator[Check]:
    """Which ffmpeg is run, and what it can read and write."""
    yield from attempt("probe", _probing)
    program = ffmpeg_path()
    yield ok("ffmpeg", f"{ffmpeg_version()}, {program}")
    yield _decoders(program)
    encoder = h264_encoder()
    if SOUND_ENCODER not in encoders(program):
        yield failed(
            "encoders",
            "no AAC, which clips for a browser need",
            f"install an ffmpeg that has it, or set {OVERRIDE} to one",
        )
    else:
        yield ok("encoders", f"{encoder}, {SOUND_ENCODER}")


def _probing() -> Iterator[Check]:
    """PyAV: it does for us what ffprobe does for others."""
    import av

    yield ok("probe", f"PyAV {av.__version__}; no ffprobe is needed")


def _decoders(program: str) -> Check:
    offered = decoders(program)
    missing = [name for name in DECODERS if name not in offered]
    if not missing:
        return ok("decoders", ", ".join(DECODERS))
    remedy = f"install a full build of ffmpeg, or set {OVERRIDE} to one"
    found = f"{program} cannot read {', '.join(missing)}"
    state: State = "failed" if set(missing) & set(NEEDED) else "warning"
    return Check("decoders", state, found, remedy)
