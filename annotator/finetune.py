"""Fine-tune a model on what people answered, and promote it only if it is better.

The result is a version of its own in the workspace; what its description says stands in `lineage`.
The same answers, settings and model give the same version, so a command that was killed at any
moment goes on, and one that was done makes nothing twice.
"""

import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator import registry
from annotator.datasets.held_out import Split
from annotator.datasets.replay import replayed
from annotator.datasets.reviewed import Reviewed, read_reviewed
from annotator.errors import UsageError
from annotator.learning.answers import answer
from annotator.learning.card import open_model
from annotator.learning.dataset import FOREIGN, TEST, TRAIN, VALID, Dataset
from annotator.learning.epochs import Watcher
from annotator.learning.evaluation import demand_features
from annotator.learning.facts import table
from annotator.learning.finetune_settings import FinetuneSettings, ReviewSettings
from annotator.learning.promotion import Comparison, Judged, Promote, compare, decide
from annotator.learning.settings import Settings
from annotator.learning.start import Start
from annotator.learning.training import fingerprint, train
from annotator.lineage import Lineage, described, lineage_of, made_before, new_name
from annotator.metrics.evaluate import Evaluation, evaluate
from annotator.metrics.thresholds import f1_thresholds
from annotator.registry import ModelVersion
from annotator.workspace import Workspace
from lddu_model import LDDU, Checkpoint, save

if TYPE_CHECKING:
    import torch

FOLDER = "finetune"  # of trainings that are not finished, within the workspace


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: from which version, named how, with which earlier data."""

    source: str | None = None  # by default the version in use
    name: str | None = None
    replay: Dataset | None = None
    promote: Promote = "auto"
    ignored: Collection[str] = ()  # labels that people gave and the model need not have


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All that a fine-tuning follows from, and the mark that tells it from others."""

    request: Request
    parent: ModelVersion
    rival: ModelVersion  # that the candidate is to beat: the version in use
    reviewed: Reviewed
    dataset: Dataset  # reviewed and replayed
    start: Start
    settings: Settings
    judging: ReviewSettings
    mark: str

    def sizes(self) -> dict[str, int]:
        """How many reviewed clips each part has."""
        parts = self.reviewed.dataset.splits
        return {name: len(examples) for name, examples in parts.items()}

    @property
    def replayed(self) -> int:
        """How many earlier clips are learnt from besides."""
        return len(self.dataset.split(TRAIN)) - len(self.reviewed.dataset.split(TRAIN))


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """Both models' numbers on the held-out clips, and what they differ by."""

    before: Evaluation  # of the rival
    after: Evaluation
    comparison: Comparison


@dataclass(frozen=True, slots=True, eq=False)
class Finetuned:
    """What came of it."""

    name: str
    plan: Plan
    verdict: Verdict
    promoted: bool
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`."""
        plan, verdict = self.plan, self.verdict
        return {
            "name": self.name,
            "parent": plan.parent.name,
            "compared_with": plan.rival.name,
            "labels_from": plan.reviewed.labels_from(),
            "examples": plan.sizes(),
            "replayed": plan.replayed,
            "unusable": plan.reviewed.unusable,
            "without_features": list(plan.reviewed.without_features),
            "held_out": {
                plan.rival.name: verdict.before.to_json(),
                self.name: verdict.after.to_json(),
            },
            "comparison": verdict.comparison.to_json(),
            "promoted": self.promoted,
            "reason": self.reason,
        }


def finetune(
    workspace: Workspace, plan: Plan, *, device: "torch.device", watcher: Watcher
) -> Finetuned:
    """Make a version from people's answers, measure it on held-out ones, and promote it or not.

    Args:
        workspace: of the models.
        plan: of `make_plan`.
        device: where the networks run.
        watcher: told of every step and epoch.

    Raises:
        UsageError: the name is taken or unfit, or the settings cannot be trained with.
        EnvironmentFault: the workspace cannot be written.
    """
    name = _name(workspace, plan)
    made, work = workspace.models / name, workspace.root / FOLDER / plan.mark[:16]
    if made.exists():
        candidate = open_model(made)
    else:
        folder = train(
            plan.dataset, plan.settings, work, device=device, watcher=watcher, start=plan.start
        )
        candidate = open_model(folder)
    if name == plan.rival.name:  # an earlier call has promoted it
        plan = replace(plan, rival=plan.parent)
    verdict = judge(plan, candidate, device)
    promoted, reason = decide(plan.request.promote, verdict.comparison)
    if not made.exists():
        facts = _facts(plan, candidate, verdict.comparison, reason, promoted=promoted)
        _enter(workspace, candidate, work, name, facts)
    shutil.rmtree(work, ignore_errors=True)
    if promoted:
        _promote(workspace, name, reason)
    return Finetuned(name, plan, verdict, promoted, reason)


def make_plan(
    workspace: Workspace,
    settings: FinetuneSettings,
    request: Request,
    progress: Callable[[int], None],
) -> Plan:
    """Gather what a fine-tuning needs; nothing is trained.

    Args:
        workspace: of answers, features and models.
        settings: of training, layers and judging.
        request: which models and data.
        progress: told how many more clips have been read.

    Raises:
        UsageError: there is nothing to learn from, or it does not fit the model.
        EnvironmentFault: the workspace cannot be read.
    """
    current = registry.choose(workspace, None)
    parent = current if request.source is None else registry.choose(workspace, request.source)
    _demand_ours(parent)
    rival = _rival(current, parent, request.promote)
    start = Start(open_model(parent.path), settings.layers)
    facts = (start.model.metadata, open_model(rival.path).metadata)
    split = _split([lineage_of(known) for known in facts], settings.finetune)
    reviewed = read_reviewed(
        workspace,
        parent.labels,
        parent.extractors,
        split,
        ignored=request.ignored,
        progress=progress,
    )
    if request.source is None and lineage_of(facts[0]).answers == reviewed.sha256:
        raise UsageError(
            f"the model in use, {parent.name!r}, has learnt from just these answers: `annotate "
            "pull` fetches new ones; to train on these again name its parent with --from"
        )
    dataset = reviewed.dataset
    if request.replay is not None:
        demand_features(start.model, request.replay)
        ratio, seed = settings.finetune.replay, settings.train.seed
        dataset = replayed(dataset, request.replay, ratio, reviewed.held, seed)
    training = settings.training(start.model.network.config)
    mark = fingerprint(dataset, training, start)
    return Plan(request, parent, rival, reviewed, dataset, start, training, settings.finetune, mark)


def judge(plan: Plan, candidate: Checkpoint, device: "torch.device") -> Verdict:
    """Measure the candidate and its rival on the clips that neither has learnt from.

    Both decide at thresholds from the same valid clips, which are no part of the judgement.
    """
    known = plan.judging
    networks = (open_model(plan.rival.path).network, candidate.network)
    first, second = (
        _judged(network.to(device), plan.reviewed.dataset, device) for network in networks
    )
    before, after = (
        evaluate(one.answers, thresholds=one.thresholds, resamples=known.resamples)
        for one in (first, second)
    )
    found = compare(
        first, second, known.measure, positives=known.positives, resamples=known.resamples
    )
    return Verdict(before, after, found)


def _judged(network: LDDU, dataset: Dataset, device: "torch.device") -> Judged:
    valid = answer(network, dataset.split(VALID), device)
    thresholds = f1_thresholds(valid.probability, valid.target)
    return Judged(answer(network, dataset.split(TEST), device), thresholds.tolist())


def _name(workspace: Workspace, plan: Plan) -> str:
    """That of the version an earlier call made of the same plan, else a new one.

    Raises:
        UsageError: the name asked for is taken or unfit.
    """
    made, asked = made_before(workspace, plan.mark), plan.request.name
    if made is not None and asked in {None, made}:
        return made
    number = lineage_of(plan.start.model.metadata).round + 1
    return new_name(workspace, asked, plan.parent.name, number)


def _demand_ours(parent: ModelVersion) -> None:
    if any(extractor.startswith(FOREIGN) for extractor in parent.extractors.values()):
        raise UsageError(
            f"model {parent.name!r} was trained on features that are not of this tool's "
            "extractors, and people's labels have those of `annotate run`: take another with --from"
        )


def _rival(current: ModelVersion, parent: ModelVersion, promote: Promote) -> ModelVersion:
    """The version in use; the parent if that cannot be compared and need not be.

    Raises:
        UsageError: it must be compared and cannot.
    """
    alike = current.labels == parent.labels and current.extractors == parent.extractors
    if not alike and promote == "auto":
        raise UsageError(
            f"{parent.name!r} has other labels or extractors than the model in use, "
            f"{current.name!r}, so they cannot be compared: say --promote never or always"
        )
    return current if alike else parent


def _split(known: Sequence[Lineage], settings: ReviewSettings) -> Split:
    """That of the parent or else the rival, for it says what they have learnt; else a new one.

    Raises:
        UsageError: the settings ask for other shares.
    """
    wanted = Split(settings.valid, settings.test)
    settled = next((lineage.split for lineage in known if lineage.split), wanted)
    if replace(settled, seed=None) != wanted:
        raise UsageError(
            "an earlier round has held out other shares, and what it learnt from must not judge it "
            f"now: --set finetune.valid={settled.valid} --set finetune.test={settled.test}"
        )
    return settled


def _facts(
    plan: Plan, candidate: Checkpoint, found: Comparison, reason: str, *, promoted: bool
) -> dict[str, Any]:
    """The candidate's description, with its lineage; see `lineage`."""
    parent, reviewed = plan.start.model.metadata, plan.reviewed
    data = dict(table(candidate.metadata, "data"))
    files = {**table(table(parent, "data"), "files"), **plan.dataset.files}
    return {
        **candidate.metadata,
        "extractors": dict(plan.parent.extractors),
        "parent": described(plan.parent),
        "round": lineage_of(parent).round + 1,
        "labels_from": reviewed.labels_from(),
        "data": {**data, "files": files, "sha256": reviewed.sha256, "replayed": plan.replayed},
        "split": asdict(reviewed.split),
        "promotion": {"promoted": promoted, "reason": reason, **found.to_json()},
    }


def _enter(
    workspace: Workspace, candidate: Checkpoint, work: Path, name: str, facts: dict[str, Any]
) -> None:
    """Make a version of the candidate with its full description; a kill leaves all or nothing."""
    described_model = work / "version"
    shutil.rmtree(described_model, ignore_errors=True)
    save(candidate.network, described_model, facts)
    registry.import_trained(workspace, described_model, name)


def _promote(workspace: Workspace, name: str, reason: str) -> None:
    """Make it the version in use, unless an earlier call has."""
    if registry.in_use(workspace) != name:
        registry.promote(workspace, name, reason)
