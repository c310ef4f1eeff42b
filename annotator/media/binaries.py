"""Which ffmpeg is run."""

import os
import shutil
import subprocess
from functools import lru_cache

from annotator.errors import EnvironmentFault

OVERRIDE = "ANNOTATE_FFMPEG"  # environment variable: the ffmpeg to use instead of any other
VERSION_TIMEOUT_S = 30
H264_ENCODERS = ("libx264", "libopenh264")  # in software, the better one first


def ffmpeg_path() -> str:
    """`ANNOTATE_FFMPEG`, else the ffmpeg on PATH, else the one imageio-ffmpeg carries.

    Raises:
        EnvironmentFault: there is none, or the one named cannot be run.
    """
    named = os.environ.get(OVERRIDE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise EnvironmentFault(
                f"{OVERRIDE} names {named!r}, which is not a program; correct it"
            )
        return found
    return shutil.which("ffmpeg") or _carried()


def ffmpeg_version() -> str:
    """The version the ffmpeg in use reports, such as `9.0` or `n6.1-12-gabc`.

    Raises:
        EnvironmentFault: there is no ffmpeg, or it does not say.
    """
    return _version_of(ffmpeg_path())


def h264_encoder() -> str:
    """The name of the H.264 encoder that the ffmpeg in use has.

    Raises:
        EnvironmentFault: there is no ffmpeg, or it has none.
    """
    program = ffmpeg_path()
    offered = encoders(program)
    found = next((name for name in H264_ENCODERS if name in offered), None)
    if found is None:
        raise EnvironmentFault(
            f"{program} has no H.264 encoder ({' or '.join(H264_ENCODERS)}), which clips for a "
            f"browser need: install an ffmpeg that has one, or set {OVERRIDE} to it"
        )
    return found


def encoders(program: str) -> frozenset[str]:
    """The names of the encoders an ffmpeg has.

    Raises:
        EnvironmentFault: it cannot be run.
    """
    return _listed(program, "-encoders")


def decoders(program: str) -> frozenset[str]:
    """The names of the decoders an ffmpeg has.

    Raises:
        EnvironmentFault: it cannot be run.
    """
    return _listed(program, "-decoders")


def _carried() -> str:
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise EnvironmentFault(
            f"no ffmpeg found: install it, or set {OVERRIDE} to its path"
        ) from error


@lru_cache(maxsize=8)
def _listed(program: str, what: str) -> frozenset[str]:
    """Names of codecs: the second word of lines such as ` V....D libx264  H.264 / AVC`."""
    lines = (line.split() for line in _asked(program, "-hide_banner", what).splitlines())
    return frozenset(words[1] for words in lines if len(words) > 1)


@lru_cache(maxsize=8)
def _version_of(program: str) -> str:
    words = _asked(program, "-version").split()
    if words[:2] != ["ffmpeg", "version"] or len(words) < 3:
        raise EnvironmentFault(f"{program} is not ffmpeg; set {OVERRIDE} to one")
    return words[2]


def _asked(program: str, *arguments: str) -> str:
    """What the program prints about itself."""
    try:
        said = subprocess.run(
            [program, *arguments], capture_output=True, check=True, timeout=VERSION_TIMEOUT_S
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentFault(
            f"{program} cannot be run as ffmpeg ({error}): set {OVERRIDE} to one that can"
        ) from error
    return said.decode(errors="replace")
