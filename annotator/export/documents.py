"""Write a file for each medium, or one where all clips are of one."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from annotator.errors import EnvironmentFault, UsageError
from annotator.export.contents import Clip, Contents
from annotator.export.destination import destination
from annotator.export.elan import elan
from annotator.export.exported import Exported
from annotator.export.formats import FORMATS
from annotator.export.names import Names
from annotator.export.textgrid import textgrid
from annotator.export.timed import Document
from annotator.export.webvtt import webvtt

RENDERERS: Mapping[str, Callable[[Document], str]] = {
    "elan": elan,
    "textgrid": textgrid,
    "webvtt": webvtt,
}
_SUFFIXES = {"elan": ".eaf", "textgrid": ".TextGrid", "webvtt": ".vtt"}


def export_documents(
    clips: Iterable[Clip],
    contents: Contents,
    style: str,
    out: Path,
) -> Exported:
    """Write what is said of clips on the time lines of their media, one medium in memory at a time.

    Args:
        clips: of `Store.timeline`: file by file.
        contents: what is told of each.
        style: elan, textgrid or webvtt.
        out: a file of the format's suffix, or a folder for a file a medium, made if need be.

    Raises:
        UsageError: no clips; one file for clips of several media; or the files would lie beside
            their media, where `annotate run` takes such files for transcripts.
        EnvironmentFault: the disk is full, or the folder cannot be written to.
    """
    single = out.suffix.lower() in FORMATS[style].suffixes
    names = Names(_SUFFIXES[style])
    files = written = 0
    for document in _documents(clips, contents, alone=out if single else None):
        _refuse_beside(document.media, out.parent if single else out)
        target = out if single else _folder(out) / names.take(document.media)
        with destination(target) as text:
            text.write(RENDERERS[style](document))
        files, written = files + 1, written + len(document.rows)
    if not files:
        raise UsageError("there are no such clips: `annotate list` shows those the model annotated")
    return Exported(written, out, files=None if single else files)


def _documents(clips: Iterable[Clip], contents: Contents, alone: Path | None) -> Iterator[Document]:
    """A document a medium; if there is to be but one, it comes once it is known to be alone."""
    waiting: Document | None = None
    for media, ours in groupby(clips, key=lambda clip: clip.path):
        document = Document(media, [contents.row(clip) for clip in ours], contents)
        if alone is None:
            yield document
        elif waiting is not None:
            raise UsageError(
                f"the clips are of several files, and {alone.name!r} is one: name a folder"
            )
        else:
            waiting = document
    if waiting is not None:
        yield waiting


def _refuse_beside(media: Path, folder: Path) -> None:
    if os.path.realpath(media.parent) == os.path.realpath(folder):
        raise UsageError(
            f"{folder} holds {media.name!r}: `annotate run` would take the files for its "
            "transcripts; name another folder"
        )


def _folder(out: Path) -> Path:
    try:
        out.mkdir(exist_ok=True)
    except FileExistsError:
        raise UsageError(f"cannot write to {out}: it is a file; name a folder") from None
    except FileNotFoundError:
        raise UsageError(f"cannot write to {out}: make {out.parent} first") from None
    except OSError as error:
        raise EnvironmentFault(f"cannot make {out} ({error.strerror}): name another") from error
    return out
