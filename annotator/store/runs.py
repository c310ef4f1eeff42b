"""Model versions and runs: the provenance of every prediction."""

from collections.abc import Mapping
from datetime import UTC, datetime
from os import fspath
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, delete, select, update

from annotator.errors import UsageError
from annotator.store.database import AnyRow, insert
from annotator.store.records import ModelFacts, ModelRecord, RunRecord, RunState
from annotator.store.schema import Model, Run, Sighting


def register_model(connection: Connection, model: ModelFacts) -> int:
    """The id of the model, entered if it is new; see `Store.register_model`."""
    connection.execute(
        insert(connection.dialect, Model).on_conflict_do_nothing(index_elements=[Model.name]),
        {
            "name": model.name,
            "weights_hash": model.weights_hash,
            "labels": list(model.labels),
            "config": dict(model.config),
            "extractors": dict(model.extractors),
            "trained": model.trained,
            "created_at": datetime.now(UTC),
            "path": None if model.path is None else fspath(model.path),
            "parent": model.parent,
        },
    )
    known = connection.execute(
        select(Model.id, Model.weights_hash).where(Model.name == model.name)
    ).one()
    if known.weights_hash != model.weights_hash:
        raise UsageError(
            f"the model {model.name} is known here with other weights "
            f"({known.weights_hash[:12]}, now {model.weights_hash[:12]}): give this one a new name"
        )
    return cast(int, known.id)


def models(connection: Connection) -> list[ModelRecord]:
    """Every registered model, oldest first."""
    return [_model(row) for row in connection.execute(select(*_MODEL).order_by(Model.id))]


def start_run(
    connection: Connection, model_id: int, settings: Mapping[str, object], tool_version: str
) -> int:
    """Enter a run and forget which files the finished ones were about."""
    over = select(Run.id).where(Run.state != "running")
    connection.execute(delete(Sighting).where(Sighting.run_id.in_(over)))
    run_id = connection.scalar(
        insert(connection.dialect, Run)
        .values(
            started_at=datetime.now(UTC),
            model_id=model_id,
            settings=dict(settings),
            tool_version=tool_version,
            state="running",
            counts={},
            stage_seconds={},
        )
        .returning(Run.id)
    )
    return cast(int, run_id)


def finish_run(
    connection: Connection,
    run_id: int,
    state: RunState,
    counts: Mapping[str, object],
    stage_seconds: Mapping[str, float],
) -> None:
    """Write down how a run ended."""
    connection.execute(
        update(Run)
        .where(Run.id == run_id)
        .values(
            finished_at=datetime.now(UTC),
            state=state,
            counts=dict(counts),
            stage_seconds=dict(stage_seconds),
        )
    )


def last_run(connection: Connection) -> RunRecord | None:
    """The run started last, over or not."""
    row: Any = connection.execute(
        select(*_RUN).join(Model, Model.id == Run.model_id).order_by(Run.id.desc()).limit(1)
    ).first()
    return None if row is None else RunRecord(*row)


_RUN = (
    Run.id,
    Model.name,
    Run.state,
    Run.started_at,
    Run.finished_at,
    Run.settings,
    Run.tool_version,
    Run.counts,
    Run.stage_seconds,
)
_MODEL = (
    Model.id,
    Model.name,
    Model.weights_hash,
    Model.labels,
    Model.config,
    Model.extractors,
    Model.trained,
    Model.created_at,
    Model.path,
    Model.parent,
)


def _model(row: AnyRow) -> ModelRecord:
    return ModelRecord(
        model_id=row.id,
        name=row.name,
        weights_hash=row.weights_hash,
        labels=tuple(row.labels),
        config=row.config,
        extractors=row.extractors,
        trained=row.trained,
        created_at=row.created_at,
        path=None if row.path is None else Path(row.path),
        parent=row.parent,
    )
