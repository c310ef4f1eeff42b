"""Text subtitles inside a media file."""

from pathlib import Path

from annotator.errors import StageFailure
from annotator.media.command import subtitle_arguments
from annotator.media.process import FFmpeg
from annotator.types import MediaInfo

MAX_BYTES = 16 << 20  # of SRT text; a day of speech is about 2 MiB
LIMIT_S = 600.0  # the whole file is read, though nothing is decoded


def embedded_subtitles(path: Path, info: MediaInfo) -> str | None:
    """The first text subtitle track as SRT, its times counted from the file's start.

    Returns None if there is no such track or it says nothing.

    Raises:
        StageFailure: the track is broken or larger than `MAX_BYTES`, or ffmpeg hangs.
        EnvironmentFault: there is no ffmpeg.
    """
    if not info.subtitles:
        return None
    index = info.subtitles[0].index
    text = bytearray()
    with FFmpeg(
        lambda urls: subtitle_arguments(path, index, urls),
        outputs=1,
        stage="subtitles",
        limit_s=LIMIT_S,
    ) as process:
        for _, data in process.read():
            text += data
            if len(text) > MAX_BYTES:
                limit = MAX_BYTES >> 20
                raise StageFailure("subtitles", f"the embedded track is over {limit} MiB of text")
        complaint = process.complaint()
    if not text.strip():
        if complaint:
            raise StageFailure("subtitles", f"the embedded track cannot be read: {complaint}")
        return None
    return text.decode(errors="replace")
