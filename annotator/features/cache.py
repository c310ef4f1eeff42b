"""The features of earlier runs: one safetensors file a clip, under the hash of its media file.

`<root>/<hash[:2]>/<hash>/<start>-<end>.safetensors` holds a float16 tensor for each modality
that is not absent. Its metadata says which extractors made them, why a modality is absent, and
the transcript with what made it. The file is replaced as a whole, so a reader sees an old or a new
one; there is no fsync, because a file that a power cut left broken is only a miss.
"""

import errno
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from annotator.errors import EnvironmentFault
from annotator.features.extractor import Identified
from annotator.types import (
    MAX_STEPS,
    MODALITIES,
    Absent,
    Bounds,
    ClipFeatures,
    Features,
    Modality,
    Segment,
)

FORMAT = "1"  # of the metadata; another one is a miss
KEY = "annotate"  # of the metadata within the safetensors header
MAX_BYTES = 64 << 20  # of one file; three modalities of 4,096 channels are 12 MB
_HASH = re.compile(r"[0-9a-f]{8,128}")
_log = logging.getLogger(__name__)

Found = Features | Absent


class Extractors(Protocol):
    """What makes a clip's features now; `asr` is None where no transcript is to be made."""

    @property
    def visual(self) -> Identified: ...  # noqa: D102
    @property
    def audio(self) -> Identified: ...  # noqa: D102
    @property
    def text(self) -> Identified: ...  # noqa: D102
    @property
    def asr(self) -> Identified | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Heard:
    """What a transcriber made of a clip; empty where it heard nobody."""

    transcriber: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """The content of one file."""

    features: ClipFeatures
    heard: Heard | None


class FeatureCache:
    """A folder of features, which several processes may use at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def get(
        self, content_hash: str, segment: Segment, extractors: Extractors
    ) -> ClipFeatures | dict[Modality, Found]:
        """What is there of a clip: all of it, or those modalities that need not be made again.

        A modality counts if its extractor is the same, and text if its transcript is, too. A part
        never holds text made from a transcript of our own, which would go missing: ask for that
        with `transcript`. A damaged file counts as none.
        """
        entry = self.entry(content_hash, (segment.start_ms, segment.end_ms))
        if entry is None:
            return {}
        own = segment.text is None and extractors.asr is not None
        text = _heard(entry, extractors) if own else segment.text
        known: dict[Modality, Found] = {
            name: found
            for name in MODALITIES
            if (found := entry.features.modality(name)).extractor == getattr(extractors, name).id
        }
        if entry.features.transcript != text or (own and text is None):
            known.pop("text", None)
        if len(known) == len(MODALITIES):
            origin = "asr" if own else segment.text_origin
            return ClipFeatures(**known, transcript=text, transcript_origin=origin)
        if own:
            known.pop("text", None)
        return known

    def peek(self, content_hash: str, bounds: Bounds) -> ClipFeatures | None:
        """What is there of a clip, whatever made it; None if there is nothing."""
        entry = self.entry(content_hash, bounds)
        return None if entry is None else entry.features

    def entry(self, content_hash: str, bounds: Bounds) -> Entry | None:
        """All that is kept of a clip; None if there is nothing, or nothing of use."""
        return self._read(self._path(content_hash, bounds))

    def fitting(
        self,
        content_hash: str,
        bounds: Bounds,
        extractors: Mapping[Modality, str],
        transcript: str | None,
    ) -> ClipFeatures | None:
        """A clip's features if these extractors made all of them, of this transcript; else None.

        None too where the clip has nothing at all: no model can be asked about it.
        """
        features = self.peek(content_hash, bounds)
        if features is None or features.transcript != transcript:
            return None
        return features if features.fits(extractors) else None

    def transcript(self, content_hash: str, segment: Segment, extractors: Extractors) -> str | None:
        """What the transcriber in use made of the clip in an earlier run; None if it did not."""
        entry = self.entry(content_hash, (segment.start_ms, segment.end_ms))
        return None if entry is None else _heard(entry, extractors)

    def put(
        self, content_hash: str, segment: Segment, features: ClipFeatures, extractors: Extractors
    ) -> None:
        """Keep a clip's features in place of what was there; a transcript of our own stays.

        Raises:
            EnvironmentFault: the disk is full, or the folder cannot be written to.
        """
        path = self._path(content_hash, (segment.start_ms, segment.end_ms))
        if segment.text is None and extractors.asr is not None and features.transcript is not None:
            heard: Heard | None = Heard(extractors.asr.id, features.transcript)
        else:
            before = self._read(path)
            heard = before.heard if before else None
        try:
            _replace(path, encode_entry(Entry(features, heard)))
        except OSError as error:
            raise _fault(self.root, error) from error

    def _path(self, content_hash: str, bounds: Bounds) -> Path:
        if not _HASH.fullmatch(content_hash):
            raise ValueError(f"expected a content hash in hexadecimal, got {content_hash!r}")
        name = f"{bounds[0]}-{bounds[1]}.safetensors"
        return self.root / content_hash[:2] / content_hash / name

    def _read(self, path: Path) -> Entry | None:
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES >> 20} MiB")
            return decode_entry(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("cached features in %s are of no use (%s): making them again", path, error)
            return None


class SentFeatures(FeatureCache):
    """The cache as a worker on another machine sees it: what was sent along with a file's job.

    It keeps nothing: new features go back to the run, which has the cache.
    """

    def __init__(self, entries: Mapping[Bounds, Entry]) -> None:
        super().__init__(Path())
        self._entries = entries

    def entry(self, content_hash: str, bounds: Bounds) -> Entry | None:  # noqa: ARG002, D102
        return self._entries.get(bounds)

    def put(  # noqa: D102
        self, content_hash: str, segment: Segment, features: ClipFeatures, extractors: Extractors
    ) -> None:
        pass


def encode_entry(entry: Entry) -> bytes:
    """The bytes of a cache file."""
    features = entry.features
    described = {
        "format": FORMAT,
        "modalities": {name: _description(features.modality(name)) for name in MODALITIES},
        "transcript": features.transcript,
        "transcript_origin": features.transcript_origin,
        "heard": [entry.heard.transcriber, entry.heard.text] if entry.heard else None,
    }
    tensors: dict[str, NDArray[Any]] = {
        name: np.ascontiguousarray(found.values)
        for name in MODALITIES
        if isinstance(found := features.modality(name), Features)
    }
    return save(tensors, {KEY: json.dumps(described)})


def decode_entry(content: bytes) -> Entry:
    """What `encode_entry` wrote.

    Raises:
        ValueError: the content is something else, or damaged.
    """
    try:
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        described = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][KEY])
        if described["format"] != FORMAT:
            raise ValueError(f"format {described['format']!r}, expected {FORMAT!r}")
        found = {name: _found(name, described["modalities"][name], tensors) for name in MODALITIES}
        heard = described["heard"]
        return Entry(
            ClipFeatures(
                **found,
                transcript=_text(described["transcript"]),
                transcript_origin=_text(described["transcript_origin"]),
            ),
            None if heard is None else Heard(_name(heard[0]), _name(heard[1])),
        )
    except (SafetensorError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as e:
        raise ValueError(f"{type(e).__name__}: {e}") from e


def _heard(entry: Entry, extractors: Extractors) -> str | None:
    wanted = extractors.asr.id if extractors.asr else None
    return entry.heard.text if entry.heard and entry.heard.transcriber == wanted else None


def _description(found: Found) -> dict[str, str | None]:
    reason = found.reason if isinstance(found, Absent) else None
    return {"extractor": found.extractor, "absent": reason}


def _found(
    name: Modality, described: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]
) -> Found:
    extractor, reason = _name(described["extractor"]), _text(described["absent"])
    if reason is not None:
        return Absent(reason, extractor)
    values = tensors[name]
    if values.dtype != np.float16 or values.ndim != 2 or not 1 <= len(values) <= MAX_STEPS:
        raise ValueError(f"{name} is {values.dtype} {values.shape}, expected float16 (steps, d)")
    if not values.size or not np.isfinite(values).all():
        raise ValueError(f"{name} holds values that are not finite, or none")
    return Features(values, extractor)


def _text(value: object) -> str | None:
    return None if value is None else _name(value)


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def _replace(path: Path, content: bytes) -> None:
    """Put a whole file in place of another, or leave that as it was.

    Who may read it is what the umask says: a workspace may have several users.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{uuid4().hex}.tmp")
    try:
        with draft.open("xb") as file:
            file.write(content)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _fault(root: Path, error: OSError) -> EnvironmentFault:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EnvironmentFault(
            f"no space left for features in {root}: free some space, "
            "then run the same command again"
        )
    return EnvironmentFault(
        f"cannot write features to {root}: {error.strerror}; make the folder writable, "
        "or name another workspace with --workspace"
    )
