"""Answers of a model, written many clips at a time: the hot path of the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter

from sqlalchemy import (
    Compiled,
    Connection,
    Dialect,
    Insert,
    bindparam,
    func,
    literal_column,
    null,
    update,
)

from annotator.store.columns import epoch_ms, readable, readable_or_none
from annotator.store.database import Values, execute_rows, insert
from annotator.store.plans import ASR
from annotator.store.records import ClipResult, FreshScores
from annotator.store.schema import Base, Clip, LabelPrediction, Prediction
from annotator.types import Absent, Features

# Parameters in the order of their statements, which is that of the tables' columns.
_CLIP = (
    "text",
    "text_origin",
    "visual_steps",
    "audio_steps",
    "text_steps",
    "visual_absent",
    "audio_absent",
    "text_absent",
    "clip",
)
_SCORES = ("variance", "entropy", "margin", "bald")
_PREDICTION = ("model_id", "clip_id", "run_id", *_SCORES, "created_at", "latent")
_NUMBERS = ("p", "p_mu", "p_sigma", "p_direct", "sigma_visual", "sigma_audio", "sigma_text")
_LABEL = ("model_id", "clip_id", "label", *_NUMBERS)

_scores_of = attrgetter(*_SCORES)
_numbers_of = attrgetter(*_NUMBERS)


def save_results(
    connection: Connection, run_id: int, model_id: int, results: Sequence[ClipResult]
) -> None:
    """Write the answers, over earlier ones of the model; see `Store.save_results`."""
    if not results:
        return
    results = sorted(results, key=lambda result: result.clip_id)  # two that lock rows never cross
    now = epoch_ms(datetime.now(UTC))
    statements = _statements(connection.dialect)
    execute_rows(connection, statements.clip, _CLIP, [_clip_row(result) for result in results])
    execute_rows(
        connection,
        statements.prediction,
        _PREDICTION,
        [
            (model_id, result.clip_id, run_id, *_scores_of(result.scores), now, _latent_of(result))
            for result in results
        ],
    )
    execute_rows(
        connection,
        statements.label,
        _LABEL,
        [
            (model_id, result.clip_id, readable(label.label), *_numbers_of(label))
            for result in results
            for label in result.scores.labels
        ],
    )


def _latent_of(result: ClipResult) -> bytes | None:
    return result.scores.latent if isinstance(result.scores, FreshScores) else None


def _clip_row(result: ClipResult) -> Values:
    features = result.features
    heard = features.transcript_origin == ASR
    found = (features.visual, features.audio, features.text)
    return (
        readable_or_none(features.transcript) if heard else None,
        ASR if heard else None,
        *(item.steps if isinstance(item, Features) else None for item in found),
        *(readable(item.reason) if isinstance(item, Absent) else None for item in found),
        result.clip_id,
    )


@dataclass(frozen=True, slots=True)
class _Statements:
    clip: Compiled
    prediction: Compiled
    label: Compiled


@lru_cache(maxsize=4)
def _statements(dialect: Dialect) -> _Statements:
    """The three statements of a batch, compiled once a process."""
    clip = (
        update(Clip)
        .where(Clip.id == bindparam("clip"))
        .values({name: bindparam(name) for name in _CLIP[2:-1]})
        # A transcript of the plan stays the plan's; one we made is entered.
        .values(
            {name: func.coalesce(bindparam(name), Clip.__table__.c[name]) for name in _CLIP[:2]}
        )
        .values(state=literal_column("'ready'"), stage=null(), reason=null())
    )
    return _Statements(
        clip=clip.compile(dialect=dialect),
        prediction=_upsert(dialect, Prediction, _PREDICTION, key=2).compile(dialect=dialect),
        label=_upsert(dialect, LabelPrediction, _LABEL, key=3).compile(dialect=dialect),
    )


def _upsert(dialect: Dialect, table: type[Base], columns: Sequence[str], key: int) -> Insert:
    """INSERT, or UPDATE where a row has the same first `key` columns."""
    new = insert(dialect, table).values({name: bindparam(name) for name in columns})
    return new.on_conflict_do_update(
        index_elements=columns[:key], set_={name: new.excluded[name] for name in columns[key:]}
    )
