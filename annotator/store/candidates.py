"""All clips that a model has answered, as arrays: what a selection is made from."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from annotator.errors import EnvironmentFault
from annotator.store.database import AnySelect
from annotator.store.schema import Annotation, Clip, LabelPrediction, Media, Model, Prediction

ROWS = 20_000  # in memory as Python objects at a time

_CLIP = (Clip.id, Clip.media_id, Clip.start_ms, Clip.end_ms, Clip.speaker)
_SCORES = (Prediction.variance, Prediction.entropy, Prediction.margin, Prediction.bald)
_PARTS = (
    LabelPrediction.p,
    LabelPrediction.p_mu,
    LabelPrediction.p_sigma,
    LabelPrediction.p_direct,
)

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """n clips by number.

    Attributes:
        clip_id: (n,) rising.
        video: (n,) codes from 0, the same for copies of a file.
        speaker: (n,) codes from 0, -1 where nobody knows.
        seconds: (n,) length.
        scores: (n, 4) variance, entropy, margin and bald, NaN where there is none.
        latent: (n, d) float16, NaN where none was kept; None if they were not asked for, or none
            was kept of any.
    """

    clip_id: Codes
    video: Codes
    speaker: Codes
    seconds: Floats
    scores: Floats
    latent: NDArray[np.float16] | None

    def without(self, clip_ids: Collection[int]) -> "Candidates":
        """The others."""
        if not clip_ids:
            return self
        keep = ~np.isin(self.clip_id, sorted(clip_ids))
        return Candidates(
            clip_id=self.clip_id[keep],
            video=self.video[keep],
            speaker=self.speaker[keep],
            seconds=self.seconds[keep],
            scores=self.scores[keep],
            latent=None if self.latent is None else self.latent[keep],
        )


def candidates(
    connection: Connection,
    model_id: int,
    split: str | None,
    *,
    to_ask: bool,
    latents: bool,
) -> Candidates:
    """The clips of the present plans that the model has answered; see `Store.candidates`."""
    columns = (*_CLIP, *_SCORES, *((Prediction.latent,) if latents else ()))
    chosen: AnySelect = select(*columns).join_from(Prediction, Clip)
    chosen = chosen.where(Prediction.model_id == model_id, Clip.active)
    if split is not None:
        chosen = chosen.where(Clip.split == split)
    contents = _contents(connection)
    speakers: dict[str, int] = {}
    places, scores, blobs = [], [], []
    for rows in _parts(connection, chosen.order_by(Clip.id)):
        for clip_id, media_id, start, end, speaker, *_ in rows:
            code = -1 if speaker is None else speakers.setdefault(speaker, len(speakers))
            places.append((clip_id, contents[media_id], start, end, code))
        scores.append(np.array([row[5:9] for row in rows], np.float64))
        if latents:
            blobs.append(_vectors([row[9] for row in rows]))
    place = np.array(places, np.int64).reshape(-1, 5)
    keep = _one_of_each(place[:, 1:4]) if to_ask else np.arange(len(place), dtype=np.int64)
    if to_ask:
        said = _answered(connection, contents)
        fresh = [tuple(where) not in said for where in place[keep, 1:4].tolist()]
        keep = keep[np.array(fresh, bool)]
    return Candidates(
        clip_id=place[keep, 0],
        video=place[keep, 1],
        speaker=place[keep, 4],
        seconds=(place[keep, 3] - place[keep, 2]) / 1000,
        scores=np.concatenate([np.empty((0, 4)), *scores])[keep],
        latent=_joined(blobs, keep),
    )


def label_answers(connection: Connection, model_id: int, clip_id: Codes) -> Floats:
    """(4, n, q) p, p_mu, p_sigma and p_direct of clips whose numbers rise; NaN where there is none.

    The labels are in the order of the model's.
    """
    order = connection.scalar(select(Model.labels).where(Model.id == model_id)) or []
    column = {label: place for place, label in enumerate(order)}
    found = np.full((len(_PARTS), len(clip_id), len(order)), np.nan)
    chosen: AnySelect = select(LabelPrediction.clip_id, LabelPrediction.label, *_PARTS).where(
        LabelPrediction.model_id == model_id
    )
    for rows in _parts(connection, chosen):
        ids, labels, *values = zip(*rows, strict=True)
        clips = np.array(ids, np.int64)
        places = np.searchsorted(clip_id, clips)
        columns = np.array([column.get(label, -1) for label in labels])
        ours = (places < len(clip_id)) & (columns >= 0)
        ours[ours] = clip_id[places[ours]] == clips[ours]
        found[:, places[ours], columns[ours]] = np.array(values, np.float64)[:, ours]
    return found


def _parts(connection: Connection, chosen: AnySelect) -> Iterable[Sequence[Any]]:
    return connection.execute(chosen, execution_options={"yield_per": ROWS}).partitions()


def _contents(connection: Connection) -> dict[int, int]:
    """A code for the content of each file; one that was never opened has its own."""
    known: AnySelect = select(Media.id, Media.content_hash).order_by(Media.id)
    codes: dict[str | int, int] = {}
    return {
        media_id: codes.setdefault(content or media_id, len(codes))
        for media_id, content in connection.execute(known)
    }


def _answered(connection: Connection, contents: dict[int, int]) -> set[tuple[int, int, int]]:
    """Where the clips lie that somebody has answered; to skip one is no answer."""
    said: AnySelect = select(Clip.media_id, Clip.start_ms, Clip.end_ms).join_from(Annotation, Clip)
    said = said.where(Annotation.current, Annotation.state.in_(("labelled", "unusable")))
    rows = connection.execute(said.distinct())
    return {(contents[media_id], start, end) for media_id, start, end in rows}


def _one_of_each(places: Codes) -> Codes:
    """Rows of (n, 3) places, the first of each."""
    _, first = np.unique(places, axis=0, return_index=True)
    rows: Codes = np.sort(first)
    return rows


def _vectors(blobs: Sequence[bytes | None]) -> NDArray[np.float16] | None:
    """(k, d) from the bytes of each row, NaN where there are none; None where all are missing.

    Raises:
        EnvironmentFault: they do not have one length.
    """
    sizes = {len(blob) for blob in blobs if blob is not None}
    if not sizes:
        return None
    if len(sizes) > 1 or sizes & {0} or min(sizes) % 2:
        raise EnvironmentFault("the latents in the database are damaged: restore a backup of it")
    width = sizes.pop() // 2
    nothing = np.full(width, np.nan, "<f2").tobytes()
    joined = b"".join(nothing if blob is None else blob for blob in blobs)
    return np.frombuffer(joined, "<f2").reshape(-1, width).astype(np.float16)


def _joined(parts: Sequence[NDArray[np.float16] | None], keep: Codes) -> NDArray[np.float16] | None:
    """(n, d) of the rows that are kept, from parts of ROWS rows."""
    widths = {part.shape[1] for part in parts if part is not None}
    if not widths:
        return None
    if len(widths) > 1:
        raise EnvironmentFault("the latents in the database are damaged: restore a backup of it")
    joined = np.full((len(keep), widths.pop()), np.nan, np.float16)
    for number, part in enumerate(parts):
        low, high = np.searchsorted(keep, (number * ROWS, (number + 1) * ROWS))
        if part is not None:
            joined[low:high] = part[keep[low:high] - number * ROWS]
    return joined
