"""Clips by how unsure a model is of them, and the scores that say so."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from sqlalchemy import ColumnElement, Connection, UnaryExpression, case, exists, func, select

from annotator.errors import UsageError
from annotator.media.remote import named
from annotator.store.annotations import answers_by_clip
from annotator.store.database import CHUNK, AnyRow, AnySelect, in_chunks
from annotator.store.records import SCORES, ClipScores, LabelScores, RankedClip, Score
from annotator.store.review_records import ClipAnswer
from annotator.store.schema import Clip, LabelPrediction, Media, Model, Prediction, Run

_SIGMAS = (
    LabelPrediction.sigma_visual,
    LabelPrediction.sigma_audio,
    LabelPrediction.sigma_text,
)
_NUMBERS = (
    LabelPrediction.p,
    LabelPrediction.p_mu,
    LabelPrediction.p_sigma,
    LabelPrediction.p_direct,
    *_SIGMAS,
)
_RANKED = (
    Clip.id,
    Media.path,
    Media.content_hash,
    Clip.start_ms,
    Clip.end_ms,
    Clip.text,
    Clip.speaker,
    Clip.split,
    Prediction.variance,
    Prediction.entropy,
    Prediction.margin,
    Prediction.bald,
    Run.tool_version,
)


def ranked(
    connection: Connection,
    model_id: int,
    by: str,
    limit: int | None,
    label: str | None,
    split: str | None,
    *,
    surest: bool = False,
    answered: bool = False,
) -> Iterator[RankedClip]:
    """The clips the model is least sure of, least sure first; see `Store.ranked`.

    Of the result a chunk is in memory at a time; the transaction must outlast the iteration.
    """
    if by not in get_args(Score):
        raise UsageError(f"no score {by!r}: expected one of {', '.join(get_args(Score))}")
    ranking: AnySelect = select(*_RANKED).join_from(Prediction, Clip).join(Media)
    ranking = ranking.join(Run, Run.id == Prediction.run_id)
    ranking = ranking.where(Prediction.model_id == model_id, Clip.active)
    if label is None:
        _check_known(connection, model_id, by)
        ranking = ranking.where(getattr(Prediction, by).is_not(None))
        order = _least_sure_first(by, surest)
    else:
        _check_label(connection, model_id, by, label)
        ranking = ranking.join(LabelPrediction).where(LabelPrediction.label == label)
        order = _least_sure_first_of_label(by, surest)
    if split is not None:
        _check_split(connection, split)
        ranking = ranking.where(Clip.split == split)
    ranking = ranking.order_by(order, Prediction.clip_id).limit(limit)
    result = connection.execute(ranking, execution_options={"yield_per": CHUNK})
    for rows in result.partitions():
        ids = [row.id for row in rows]
        labels = label_scores(connection, model_id, ids)
        answers = answers_by_clip(connection, ids) if answered else {}
        for row in rows:
            yield _with(_ranked(row, labels[row.id], by, label), answers)


def clips(
    connection: Connection, model_id: int, by: str, scores: Mapping[int, float], *, answered: bool
) -> Iterator[RankedClip]:
    """The clips of those numbers in that order; see `Store.clips`."""
    chosen: AnySelect = select(*_RANKED).join_from(Prediction, Clip).join(Media)
    chosen = chosen.join(Run, Run.id == Prediction.run_id).where(Prediction.model_id == model_id)
    ids = list(scores)
    for first in range(0, len(ids), CHUNK):
        part = ids[first : first + CHUNK]
        rows = {row.id: row for row in in_chunks(connection, chosen, Clip.id, part)}
        labels = label_scores(connection, model_id, part)
        answers = answers_by_clip(connection, part) if answered else {}
        for clip_id in filter(rows.__contains__, part):
            clip = _ranked(rows[clip_id], labels[clip_id], by, None, scores[clip_id])
            yield _with(clip, answers)


def _with(clip: RankedClip, answers: Mapping[int, tuple[ClipAnswer, ...]]) -> RankedClip:
    return replace(clip, answers=answers[clip.clip_id]) if clip.clip_id in answers else clip


def label_scores(
    connection: Connection, model_id: int, clip_ids: Sequence[int]
) -> dict[int, tuple[LabelScores, ...]]:
    """The model's answers for each of the clips, in the order of the model's labels."""
    found: dict[int, dict[str, LabelScores]] = defaultdict(dict)
    answers: AnySelect = select(LabelPrediction.clip_id, LabelPrediction.label, *_NUMBERS).where(
        LabelPrediction.model_id == model_id
    )
    for clip_id, *values in in_chunks(connection, answers, LabelPrediction.clip_id, clip_ids):
        scores = LabelScores(*values)
        found[clip_id][scores.label] = scores
    order = connection.scalar(select(Model.labels).where(Model.id == model_id)) or []
    return {
        clip_id: tuple(scores[label] for label in order if label in scores)
        for clip_id, scores in found.items()
    }


def _check_known(connection: Connection, model_id: int, by: str) -> None:
    """Refuse a score that no answer of the model has: BALD, which is not always asked for."""
    answers: AnySelect = select(Prediction.clip_id).where(Prediction.model_id == model_id).limit(1)
    known = answers.where(getattr(Prediction, by).is_not(None))
    if connection.scalar(answers) is not None and connection.scalar(known) is None:
        raise UsageError(f"no clip has a score {by!r}: `annotate run --mc-dropout 20` gives it")


def _check_label(connection: Connection, model_id: int, by: str, label: str) -> None:
    known = connection.scalar(select(Model.labels).where(Model.id == model_id)) or []
    if label not in known:
        raise UsageError(f"the model has no label {label!r}: expected one of {', '.join(known)}")
    if by == "bald":
        raise UsageError("BALD is a score of the whole clip: rank a label by another score")


def _check_split(connection: Connection, split: str) -> None:
    if connection.scalar(select(exists().where(Clip.split == split))):
        return
    others: AnySelect = select(Clip.split).where(Clip.split.is_not(None)).distinct()
    named = sorted(connection.scalars(others))
    known = f"expected one of {', '.join(named)}" if named else "no clip has one"
    raise UsageError(f"no clips of a split {split!r}: {known}")


def _least_sure_first(by: str, surest: bool) -> UnaryExpression[Any]:
    score = getattr(Prediction, by)
    ordered: UnaryExpression[Any] = score.asc() if (by == "margin") != surest else score.desc()
    return ordered


def _least_sure_first_of_label(by: str, surest: bool) -> UnaryExpression[Any]:
    if by == "variance":
        return _mean_square().asc() if surest else _mean_square().desc()
    # A label's margin and entropy order alike: both only ask how far p is from a coin toss.
    decided = func.abs(LabelPrediction.p - 0.5)
    return decided.desc() if surest else decided.asc()


def _mean_square() -> ColumnElement[float | None]:
    """Of the label's sigmas over the modalities the clip has; at least one, or it had failed."""
    visual, audio, text = (func.coalesce(sigma * sigma, 0.0) for sigma in _SIGMAS)
    has_visual, has_audio, has_text = (case((s.is_(None), 0), else_=1) for s in _SIGMAS)
    mean: ColumnElement[float | None] = (visual + audio + text) / (
        has_visual + has_audio + has_text
    )
    return mean


def _ranked(
    row: AnyRow,
    labels: tuple[LabelScores, ...],
    by: str,
    label: str | None,
    given: float | None = None,
) -> RankedClip:
    """A row as a clip; `given` is its score where the store has none of that name."""
    scores = ClipScores(labels, row.variance, row.entropy, row.margin, row.bald)
    if label is None:
        score = getattr(scores, by) if given is None or by in SCORES else given
    else:
        score = _score_of_label(next(item for item in labels if item.label == label), by)
    return RankedClip(
        clip_id=row.id,
        path=named(row.path),
        content_hash=row.content_hash,
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        text=row.text,
        speaker=row.speaker,
        split=row.split,
        score=score,
        scores=scores,
        tool_version=row.tool_version,
    )


def _score_of_label(label: LabelScores, by: str) -> float:
    """The label's part in the clip's score of that name (`annotator.acquisition.scores`)."""
    if by == "margin":
        return 2 * abs(label.p - 0.5)
    if by == "entropy":
        return -sum(p * math.log2(p) for p in (label.p, 1 - label.p) if p > 0)
    sigmas = (label.sigma_visual, label.sigma_audio, label.sigma_text)
    squares = [sigma * sigma for sigma in sigmas if sigma is not None]
    return math.sqrt(sum(squares) / len(squares))
