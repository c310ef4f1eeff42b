"""Model versions of a workspace: a folder each, weights in safetensors and a description in JSON.

The version in use is the one promoted last. Where none was, it is the workspace's own trained one,
and where there is none `starter`, which ships with the package. That is copied at its first use, so
that the name means the same weights for as long as the workspace lasts, whatever a later package
ships.

A description is read without torch, so that listing models and a run with nothing to do stay
quick; the weights are checked against their hash when they are loaded.
"""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from annotator import promotions
from annotator.ancestry import FIRST, Ancestry, ancestry_of
from annotator.errors import UsageError
from annotator.features.extractor import DEFAULT_EXTRACTORS, extractor_spec
from annotator.learning.dataset import FOREIGN
from annotator.learning.facts import thresholds_of
from annotator.promotions import Promotion
from annotator.types import DEFAULT_LABELS, MODALITIES, Modality
from annotator.workspace import Workspace

if TYPE_CHECKING:
    from lddu_model import LDDU

STARTER = "starter"
SHIPPED = Path(__file__).parent / "models"  # as in a workspace, a folder each
UNTRAINED = "untrained"
UNTRAINED_SEED = 0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version: its labels, the extractors it was trained on, and where it lies.

    A label is present from its threshold on, which training chose.
    """

    name: str
    weights_hash: str
    labels: tuple[str, ...]
    extractors: Mapping[Modality, str]
    trained: bool
    config: Mapping[str, Any]
    path: Path
    ancestry: Ancestry = FIRST
    thresholds: Mapping[str, float] = field(default_factory=dict)

    @property
    def parent(self) -> str | None:
        """The name of the version it was fine-tuned from."""
        return self.ancestry.parent


def versions(workspace: Workspace) -> list[ModelVersion]:
    """All versions in the workspace and the shipped one, by name."""
    return [read_version(folder) for folder in version_folders(workspace)]


def version_folders(workspace: Workspace) -> list[Path]:
    """The folders of all versions in the workspace and of the shipped one, by name."""
    folders = {STARTER: SHIPPED / STARTER}
    folders |= {folder.name: folder for folder in _folders(workspace)}
    return [folders[name] for name in sorted(folders)]


def own_versions(workspace: Workspace) -> list[ModelVersion]:
    """The versions in the workspace, by name."""
    return [read_version(folder) for folder in _folders(workspace)]


def choose(workspace: Workspace, name: str | None) -> ModelVersion:
    """The version of that name; by default the one in use.

    Raises:
        UsageError: there is no such version, there are several to choose from, or the one that was
            promoted is gone or has other weights since.
    """
    if name is not None:
        return _named(workspace, name)
    if promoted := promotions.holding(promotions.history(workspace.models)):
        return _promoted(workspace, promoted[-1])
    return _unpromoted(workspace)


def _unpromoted(workspace: Workspace) -> ModelVersion:
    """The version in use where none was promoted: the workspace's own trained one, or starter.

    One that was fine-tuned from another is a candidate until it is promoted.
    """
    known = [version for version in own_versions(workspace) if version.name != STARTER]
    own = [v for v in known if v.trained and not _is_foreign(v) and v.parent is None]
    if len(own) > 1:
        names = ", ".join([*(version.name for version in own), STARTER])
        raise UsageError(
            f"several models to choose from: name one with --model ({names}), or settle on one "
            "with `annotate models promote NAME`"
        )
    return own[0] if own else _named(workspace, STARTER)


def _promoted(workspace: Workspace, entry: Promotion) -> ModelVersion:
    """The version of a promotion, just as it was then."""
    remedy = "`annotate models promote NAME`, or `annotate models rollback`"
    folder = workspace.models / entry.name
    if not _NAME.fullmatch(entry.name) or not folder.is_dir():
        raise UsageError(f"the model in use, {entry.name!r}, is no longer there: {remedy}")
    version = read_version(folder)
    if version.weights_hash != entry.weights_sha256:
        raise UsageError(
            f"the model in use, {entry.name!r}, has other weights than when it was promoted: "
            f"{remedy}"
        )
    return version


def promote(workspace: Workspace, name: str, reason: str) -> Promotion:
    """Use a version from now on.

    Raises:
        UsageError: there is no such version, it is untrained, or it is in use already.
        EnvironmentFault: the workspace cannot be written.
    """
    version = _named(workspace, name)
    if not version.trained:
        raise UsageError(f"model {name!r} has random weights: promote a trained one")
    held = promotions.holding(promotions.history(workspace.models))
    if held and (held[-1].name, held[-1].weights_sha256) == (name, version.weights_hash):
        raise UsageError(f"model {name!r} is in use already")
    return promotions.add(
        workspace.models, "promotion", name, version.weights_hash, reason, datetime.now(UTC)
    )


def rollback(workspace: Workspace, reason: str) -> ModelVersion:
    """Take the last promotion back; returns the version that is in use then.

    Raises:
        UsageError: nothing was promoted, or what would be in use then cannot be.
        EnvironmentFault: the workspace cannot be written.
    """
    held = promotions.holding(promotions.history(workspace.models))
    if not held:
        raise UsageError("no model was promoted here, so there is nothing to go back from")
    last = held.pop()
    before = _promoted(workspace, held[-1]) if held else _unpromoted(workspace)
    promotions.add(
        workspace.models, "rollback", last.name, last.weights_sha256, reason, datetime.now(UTC)
    )
    return before


def _is_foreign(version: ModelVersion) -> bool:
    return any(extractor.startswith(FOREIGN) for extractor in version.extractors.values())


def _named(workspace: Workspace, name: str) -> ModelVersion:
    """The version of that name, whatever state the others are in."""
    folders = {folder.name: folder for folder in _folders(workspace)}
    if name in folders:
        return read_version(folders[name])
    if name == STARTER:
        return _copy_starter(workspace)
    if name == UNTRAINED:
        return _make_untrained(workspace)
    names = ", ".join(sorted({*folders, STARTER, UNTRAINED}))
    raise UsageError(f"no model {name!r} in this workspace: expected one of {names}")


def _folders(workspace: Workspace) -> list[Path]:
    return sorted(workspace.models.glob("[!.]*/"))


def extractors_of(version: ModelVersion) -> dict[Modality, str]:
    """The names of the extractors that give the features a version was trained on.

    Raises:
        UsageError: this installation has them not, or in another version.
    """
    names: dict[Modality, str] = {}
    for modality in MODALITIES:
        wanted = version.extractors[modality]
        name = wanted.rpartition("@")[0]
        try:
            ours = extractor_spec(name).id
        except UsageError:
            ours = "none of that name"
        if wanted != ours:
            remedy = "take another with --model, or train it on these"
            if version.name == STARTER:
                remedy = "`annotate models import starter --name NAME` has the one that ships now"
            raise UsageError(
                f"model {version.name!r} was trained on {modality} features of {wanted!r} and this "
                f"installation has {ours!r}: {remedy}"
            )
        names[modality] = name
    return names


def import_released(
    workspace: Workspace, file: Path, name: str, labels: tuple[str, ...] | None
) -> ModelVersion:
    """Make a version of a checkpoint in the format of the released LDDU code.

    Raises:
        UsageError: the name is taken or unfit, or the file is not such a checkpoint.
    """
    from lddu_model import from_released, read_weights

    check_name(name)
    try:
        network = from_released(read_weights(file), labels)
    except ValueError as error:
        raise UsageError(
            f"cannot import {file} ({error}): expected a checkpoint of the released LDDU code"
        ) from error
    facts = {"trained": True, "extractors": dict.fromkeys(MODALITIES, f"{FOREIGN} features")}
    return _save(workspace, network, name, facts)


def import_starter(workspace: Workspace, name: str) -> ModelVersion:
    """Make a version of the starter that ships now, which may be newer than the workspace's copy.

    Raises:
        UsageError: the name is taken or unfit.
    """
    return import_trained(workspace, SHIPPED / STARTER, name)


def in_use(workspace: Workspace) -> str | None:
    """The name of the version in use; None where that is not settled."""
    try:
        return choose(workspace, None).name
    except UsageError:
        return None


def import_trained(workspace: Workspace, folder: Path, name: str) -> ModelVersion:
    """Make a version of a model that `annotate train` wrote, with all that is known of it.

    Raises:
        UsageError: the name is taken or unfit, or there is no such model.
    """
    from annotator.learning.card import open_model

    check_name(name)
    model = open_model(folder)
    return _save(workspace, model.network, name, model.metadata)


def check_name(name: str) -> None:
    """Refuse what cannot name a new version.

    Raises:
        UsageError: the name is unfit, or another model's for good.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a model: expected letters, digits, dot, dash, _")
    if name == STARTER:
        raise UsageError(f"{name!r} names the model that ships: choose another name")
    if name == UNTRAINED:
        raise UsageError(f"{name!r} names the model with random weights: choose another name")


def load_network(version: ModelVersion) -> "LDDU":
    """The network of a version, checked against its hash, on the CPU.

    Raises:
        UsageError: its files are damaged.
    """
    from lddu_model import load

    try:
        return load(version.path).network
    except ValueError as error:
        raise UsageError(
            f"model {version.name!r} is damaged ({error}): remove its folder, or import it again"
        ) from error


def read_version(folder: Path) -> ModelVersion:
    """The description of the version in a folder.

    Raises:
        UsageError: the description is missing or damaged.
    """
    try:
        described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        metadata = described["metadata"]
        labels = tuple(map(str, described["config"]["labels"]))
        return ModelVersion(
            name=folder.name,
            weights_hash=str(described["weights_sha256"]),
            labels=labels,
            extractors={m: str(metadata["extractors"][m]) for m in MODALITIES},
            trained=metadata["trained"] is True,
            config=described["config"],
            path=folder,
            ancestry=ancestry_of(metadata),
            thresholds=dict(zip(labels, thresholds_of(metadata, labels), strict=True)),
        )
    except UsageError as error:
        raise UsageError(f"{folder}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"the model in {folder} is damaged ({type(error).__name__}: {error}): "
            "remove the folder or import it again"
        ) from error


def _copy_starter(workspace: Workspace) -> ModelVersion:
    folder = workspace.models / STARTER
    draft = folder.with_name(f".{STARTER}.{uuid4().hex}")
    try:
        shutil.copytree(SHIPPED / STARTER, draft)
        draft.rename(folder)
    except OSError:
        # Another run may have just copied it.
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return read_version(folder)


def _make_untrained(workspace: Workspace) -> ModelVersion:
    """A seeded network for our own features, to stand in until a trained one is there."""
    from lddu_model import Config, InputSpec, untrained

    ours = {m: extractor_spec(DEFAULT_EXTRACTORS[m]) for m in MODALITIES}
    config = Config(
        labels=DEFAULT_LABELS,
        visual=InputSpec(ours["visual"].dimension),
        audio=InputSpec(ours["audio"].dimension),
        text=InputSpec(ours["text"].dimension),
    )
    extractors = {m: ours[m].id for m in MODALITIES}
    network = untrained(config, seed=UNTRAINED_SEED)
    try:
        return _save(workspace, network, UNTRAINED, {"trained": False, "extractors": extractors})
    except (UsageError, OSError):
        # Another run may have just made it, and then it is the same one.
        if not (workspace.models / UNTRAINED).exists():
            raise
        return read_version(workspace.models / UNTRAINED)


def _save(
    workspace: Workspace, network: "LDDU", name: str, facts: Mapping[str, Any]
) -> ModelVersion:
    from lddu_model import save

    folder = workspace.models / name
    try:
        save(network, folder, facts)
    except ValueError as error:
        raise UsageError(f"cannot save the model: {error}") from error
    return read_version(folder)
