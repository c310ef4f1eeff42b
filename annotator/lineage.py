"""Where a fine-tuned version comes from, as its description has it.

- `parent`: name and weights' hash of the model it was made from, and `round`, one more than that's,
- `labels_from`: how many answers of how many people to how many clips, and `data.sha256` of them,
- `split`: what decides which speakers and videos are held out; later rounds take it over,
- `promotion`: what the held-out clips said of it, and the decision with its reason.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from annotator.datasets.held_out import Split
from annotator.errors import UsageError
from annotator.learning.facts import table
from annotator.registry import ModelVersion, check_name
from annotator.workspace import Workspace

MAX_BASE = 56  # characters of a name, before its round
_ROUND = re.compile(r"-r\d+$")

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a description says of earlier fine-tunings; a model that never was has round 0."""

    round: int
    split: Split | None
    answers: str | None  # SHA-256 of those it has learnt


def lineage_of(facts: Facts) -> Lineage:
    """Read a model's description.

    Raises:
        UsageError: it is damaged.

    >>> lineage_of({"round": 2, "split": {"valid": 0.2, "test": 0.1, "seed": 7}}).split
    Split(valid=0.2, test=0.1, seed=7)
    """
    split, number = table(facts, "split"), facts.get("round", 0)
    try:
        return Lineage(
            round=int(number),
            split=Split(float(split["valid"]), float(split["test"]), int(split["seed"]))
            if split
            else None,
            answers=table(facts, "data").get("sha256"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"the model's description is damaged: round or split ({error}); name another"
        ) from error


def new_name(workspace: Workspace, asked: str | None, parent: str, number: int) -> str:
    """The name asked for, or by default the parent's with the first free round.

    The names of removed versions stay theirs: their answers are kept under them.

    Raises:
        UsageError: the name is taken or unfit.
    """
    known = kept_names(workspace)
    if asked is None:
        base = _ROUND.sub("", parent)[:MAX_BASE]
        names = (f"{base}-r{n}" for n in count(number))
        return next(n for n in names if n not in known and not (workspace.models / n).exists())
    check_name(asked)
    if (workspace.models / asked).exists():
        raise UsageError(
            f"{asked!r} is a model of this workspace already: choose another --name, "
            "models are not overwritten"
        )
    if asked in known:
        raise name_is_kept(asked)
    return asked


def kept_names(workspace: Workspace) -> dict[str, str]:
    """All versions that the store knows, removed ones too, with the hashes of their weights."""
    with workspace.open_store() as store:
        return {record.name: record.weights_hash for record in store.models()}


def name_is_kept(name: str) -> UsageError:
    """Why the name of a version that was removed is not given to another."""
    return UsageError(
        f"{name!r} was a model of this workspace, whose answers are kept under that name: "
        "choose another --name"
    )


def made_before(workspace: Workspace, mark: str) -> str | None:
    """The version that an earlier call made of the same data, settings and model, if there is one.

    Descriptions that cannot be read are of no concern here.
    """
    for file in sorted(workspace.models.glob("[!.]*/model.json")):
        try:
            if json.loads(file.read_bytes())["metadata"]["fingerprint"] == mark:
                return file.parent.name
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
    return None


def described(version: ModelVersion) -> dict[str, str]:
    """A version as `parent` names it."""
    return {"name": version.name, "weights_sha256": version.weights_hash}
