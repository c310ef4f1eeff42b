"""One file's emotions over time, with how unsure the model is of each, and its sound."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotator.errors import EnvironmentFault, StageFailure, UsageError
from annotator.media.local import LocalMedia
from annotator.media.peaks import peaks
from annotator.media.probe import probe
from annotator.metrics.uncertainty import joint_sigma
from annotator.store.records import ClipDetail, StoredPrediction
from annotator.types import MODALITIES

PEAKS = 1_200  # parts that the sound is drawn in
NARROWEST, WIDEST = 0.015, 0.16  # half a band's width, in probability
Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """A model's answers for n clips of a file in order of time; q labels.

    `sigma` is ‖σ‖ of the modalities a clip has together. `peaks` (parts, 2) are None where there is
    no sound to draw, and `silence` says why.
    """

    path: Path
    model: str
    labels: tuple[str, ...]
    bounds_ms: NDArray[np.int64]  # (n, 2)
    probability: Floats  # (n, q)
    sigma: Floats  # (n, q)
    texts: Sequence[str | None]  # (n,)
    duration_ms: int
    peaks: Floats | None
    silence: str | None

    @property
    def band(self) -> Floats:
        """Half the width of each label's band (n, q), from `NARROWEST` to `WIDEST`.

        ‖σ‖ has no unit of probability: the band shows where in this file it is low and high.
        """
        low, high = float(self.sigma.min()), float(self.sigma.max())
        share = (self.sigma - low) / (high - low) if high > low else np.zeros_like(self.sigma)
        width: Floats = NARROWEST + (WIDEST - NARROWEST) * share
        return width

    @property
    def low(self) -> Floats:
        """The lower edge of each band (n, q)."""
        edge: Floats = np.maximum(0.0, self.probability - self.band)
        return edge

    @property
    def high(self) -> Floats:
        """The upper edge of each band (n, q)."""
        edge: Floats = np.minimum(1.0, self.probability + self.band)
        return edge

    @property
    def seconds(self) -> Floats:
        """Start and end of each clip (n, 2)."""
        in_seconds: Floats = self.bounds_ms / 1000
        return in_seconds


def timeline(clips: Sequence[ClipDetail], model: str | None, *, with_sound: bool) -> Timeline:
    """The timeline of a file's clips of the present plan, by the model or the one asked last.

    Raises:
        UsageError: the model has annotated none of them.
    """
    chosen = model or _latest(clips)
    answered = [
        (clip, prediction)
        for clip in clips
        if clip.active and (prediction := _by(clip, chosen)) is not None
    ]
    if not answered:
        who = f"model {model!r}" if model else "no model"
        has = "has annotated none of these clips" if model else "has annotated these clips"
        raise UsageError(f"{who} {has}: `annotate run` the file first")
    scores = [prediction.scores.labels for _, prediction in answered]
    bounds = np.array([(c.segment.start_ms, c.segment.end_ms) for c, _ in answered], np.int64)
    sigma = np.array(
        [[[getattr(label, f"sigma_{m}") for m in MODALITIES] for label in labels]
         for labels in scores],
        np.float64,
    )  # fmt: skip
    duration_ms, sound, silence = _sound(clips[0].path, int(bounds.max()), with_sound)
    return Timeline(
        path=clips[0].path,
        model=answered[0][1].model,
        labels=tuple(label.label for label in scores[0]),
        bounds_ms=bounds,
        probability=np.array([[label.p for label in labels] for labels in scores]),
        sigma=joint_sigma(sigma),
        texts=[clip.segment.text for clip, _ in answered],
        duration_ms=duration_ms,
        peaks=sound,
        silence=silence,
    )


def _latest(clips: Sequence[ClipDetail]) -> str | None:
    """The model that has annotated most of the clips, the newest of those that have as many."""
    counted: Counter[str] = Counter()
    for clip in clips:
        if clip.active:
            for prediction in reversed(clip.predictions):
                counted[prediction.model] += 1
    return counted.most_common(1)[0][0] if counted else None


def _by(clip: ClipDetail, model: str | None) -> StoredPrediction | None:
    return next((p for p in clip.predictions if p.model == model), None)


def _sound(path: Path, end_ms: int, wanted: bool) -> tuple[int, Floats | None, str | None]:
    if not wanted:
        return end_ms, None, None
    try:
        with LocalMedia(path) as media:
            info = probe(media.path)
            whole = max(end_ms, info.duration_ms)
            if info.audio is None:
                return whole, None, "the file has no sound"
            return whole, peaks(media.path, info, PEAKS), None
    except (StageFailure, EnvironmentFault) as error:
        return end_ms, None, f"the sound cannot be drawn ({error})"
