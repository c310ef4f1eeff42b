"""The steps of a round. Each can be begun again after a kill at any moment of it.

What a step did stands in the store, on the server or among the models, and each asks there before
it does anything twice: predictions are kept clip by clip, a task arrives once, an answer is an
upsert, and a fine-tuning of the same answers gives the same version.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TypeVar

from annotator import registry
from annotator.acquisition.propose import propose
from annotator.datasets.held_out import TooFewLabels
from annotator.errors import EnvironmentFault, UsageError
from annotator.finetune import Finetuned, Request, finetune, make_plan
from annotator.labelstudio import export as reviews
from annotator.labelstudio.failures import ServerFault
from annotator.labelstudio.hosting import Hosting
from annotator.labelstudio.projects import Wanted, known_project
from annotator.labelstudio.server import Server
from annotator.labelstudio.watch import pulls
from annotator.lineage import lineage_of
from annotator.loop.audit import audited
from annotator.loop.records import (
    Answered,
    Audited,
    Fact,
    Learnt,
    Predicted,
    Round,
    Selected,
    Sent,
    Step,
)
from annotator.loop.settings import LoopSettings, Observer
from annotator.outgoing import shared
from annotator.predict import choose_device
from annotator.registry import ModelVersion
from annotator.repredict import repredict
from annotator.run import run
from annotator.store.engine import Store
from annotator.store.review_records import ReviewProject
from annotator.workspace import Workspace

T = TypeVar("T")

NO_NEWS = "nothing new to learn: the model knows all of these answers already"


class Waiting(Exception):
    """No error, for people take their time: so many answers are there of those a round needs."""

    def __init__(self, round_: int, answered: int, needed: int, project: str) -> None:
        super().__init__(f"round {round_} waits for answers: {answered} of {needed} in {project}")
        self.round, self.answered, self.needed = round_, answered, needed


@dataclass(frozen=True, slots=True)
class World:
    """Where a loop works: its workspace, the server it asks on, and where its clips play."""

    workspace: Workspace
    server: Server
    hosting: Hosting
    settings: LoopSettings
    observer: Observer


def predict(world: World, now: Round, _before: Sequence[Round]) -> Predicted:
    """Have the model in use answer about every clip; only a loop's first round opens media."""
    model = registry.choose(world.workspace, None)
    settings, clips = world.settings, 0
    if now.number == 1 and settings.paths:
        with world.observer.running() as watcher:
            summary = run(world.workspace, settings.paths, model, settings.run, watcher)
        if summary.state == "interrupted":
            raise KeyboardInterrupt
        clips = summary.clips
    found = _repredicted(world, model)
    return replace(found, clips=found.clips + clips)


def repredict_all(world: World, _now: Round, _before: Sequence[Round]) -> Predicted:
    """Have the version that is in use now answer, from features alone."""
    return _repredicted(world, registry.choose(world.workspace, None))


def select(world: World, now: Round, before: Sequence[Round]) -> Selected:
    """Choose clips that nobody has answered and that are not in the project.

    Raises:
        NoCandidates: none is left.
    """
    settings, model = world.settings, _model(world, now)
    plan = replace(settings.choosing.plan, size=settings.policy.size(before))
    with world.workspace.open_store() as store:
        project = _check_labels(world, store, model)
        asked = {t.clip_id for t in store.tasks(project.project_id)} if project else set()
        found = propose(
            store,
            store.register_model(model),
            settings.choosing.by,
            replace(plan, seed=plan.seed + now.number - 1),
            split=settings.choosing.split,
            leaving_out=asked,
        )
    world.observer.problems(found.notes)
    return Selected(
        clips=tuple(found.clips),
        scores=tuple(found.scores.values()),
        audit=tuple(sorted(found.audit)),
        shortfall=found.shortfall,
    )


def send(world: World, now: Round, _before: Sequence[Round]) -> Sent:
    """Cut the chosen clips and send them; each arrives once.

    Raises:
        ServerFault: the server did not do it.
        UsageError: the project asks other questions, or no clip could be cut.
    """
    chosen_now, model = _need(now.selected), _model(world, now)
    asking, by = world.settings.asking, world.settings.choosing.by
    wanted = Wanted(asking.project, model.labels, asking.overlap, asking.shown)
    scores = dict(zip(chosen_now.clips, chosen_now.scores, strict=True))
    with world.workspace.open_store() as store:
        model_id = store.register_model(model)
        with closing(store.clips(model_id, by, scores)) as clips:
            chosen = reviews.choose(clips, len(scores), frozenset(chosen_now.audit))
        sent = shared(model, by, shown=asking.shown)
        with world.observer.counting("cutting clips", len(chosen.clips)) as progress:
            parcel = reviews.pack(
                wanted, sent, world.hosting, chosen, os.cpu_count() or 1, progress
            )
        world.observer.problems([f"{one.path}: {one.reason}" for one in parcel.failed])
        if not parcel.outgoing:
            raise UsageError(f"none of the {len(scores)} chosen clips could be cut to be sent")
        with world.observer.counting("sending clips", len(parcel.outgoing)) as progress:
            review = reviews.send(
                store, world.server, parcel, model_id, world.workspace.root, progress
            )
    if review.project is None:
        raise ValueError("a review that was sent has a project")
    return Sent(
        world.server.address,
        review.project,
        review.title,
        len(parcel.outgoing),
        len(parcel.failed),
    )


def wait(world: World, now: Round, _before: Sequence[Round]) -> Answered:
    """Pull until enough is answered.

    Raises:
        Waiting: it is not, and the user does not want to wait.
        ServerFault: the server failed on the first look.
        UsageError: the project is another server's, or gone.
    """
    asking, clips = world.settings.asking, set(_need(now.selected).clips)
    with world.workspace.open_store() as store:
        project = _project(store, world.server, _need(now.sent))
        hint = world.workspace.pull_hint
        tasks = done = 0
        for found in pulls(store, world.server, [project], hint, asking.every_s, everything=False):
            if isinstance(found, ServerFault):
                world.observer.problems([str(found)])
                continue
            world.observer.problems([line for _, pull in found for line in pull.problems])
            tasks, done = _answered(store, project, clips, asking.overlap or 1)
            needed = asking.wait_for.of(tasks)
            if done >= needed:
                return Answered(tasks, done)
            world.observer.waiting(now.number, done, needed)
    raise Waiting(now.number, done, asking.wait_for.of(tasks), f"project {project.title!r}")


def audit(world: World, now: Round, _before: Sequence[Round]) -> Audited:
    """Measure the round's model on the clips that were drawn at random."""
    with world.workspace.open_store() as store:
        return audited(store, _model(world, now), _need(now.selected).audit)


def learn(world: World, now: Round, _before: Sequence[Round]) -> Learnt:
    """Fine-tune the round's model on all answers there are, and promote the result or not."""
    learning, parent = world.settings.learning, _model(world, now)
    request = Request(parent.name, None, learning.replay, learning.promote, learning.ignored)
    try:
        with world.observer.counting("reading features", None) as progress:
            plan = make_plan(world.workspace, learning.settings, request, progress)
    except TooFewLabels as few:
        return Learnt(None, promoted=False, reason=str(few))
    if lineage_of(plan.start.model.metadata).answers == plan.reviewed.sha256:
        return Learnt(None, promoted=False, reason=NO_NEWS)
    device = choose_device(world.settings.run.device)
    with world.observer.training() as watcher:
        done = finetune(world.workspace, plan, device=device, watcher=watcher)
    return _learnt(done)


STEPS: Mapping[Step, Callable[[World, Round, Sequence[Round]], Fact]] = {
    "predicted": predict,
    "selected": select,
    "sent": send,
    "answered": wait,
    "audited": audit,
    "learnt": learn,
    "repredicted": repredict_all,
}


def _repredicted(world: World, model: ModelVersion) -> Predicted:
    settings = world.settings.run
    with world.observer.counting("predicting from features", None) as progress:
        found = repredict(
            world.workspace,
            model,
            device=settings.device,
            mc_dropout=settings.mc_dropout,
            progress=progress,
        )
    return Predicted(model.name, model.weights_hash, found.clips, found.missing)


def _model(world: World, now: Round) -> ModelVersion:
    """The version that was in use when the round began.

    Raises:
        UsageError: it is gone, or another has its name.
    """
    wanted = _need(now.predicted)
    model = registry.choose(world.workspace, wanted.model)
    if model.weights_hash != wanted.weights_sha256:
        raise UsageError(
            f"model {wanted.model!r} has other weights than when round {now.number} began: put "
            "the version of then back under that name"
        )
    return model


def _check_labels(world: World, store: Store, model: ModelVersion) -> ReviewProject | None:
    """The project as far as it is there; its questions must be those of the model.

    Raises:
        UsageError: they are not.
    """
    named = world.settings.asking.project
    remote = known_project(store, world.server, named)
    if remote is None:
        return None
    ours = [p for p in store.projects(world.server.address) if p.number == remote.number]
    if ours and set(ours[-1].labels) != set(model.labels):
        raise UsageError(
            f"the label set has changed: project {remote.number} {remote.title!r} asks about "
            f"{', '.join(ours[-1].labels)} and model {model.name!r} knows "
            f"{', '.join(model.labels)}: begin a loop in another project with --project, or go "
            "back with `annotate models promote`"
        )
    return ours[-1] if ours else None


def _project(store: Store, server: Server, sent: Sent) -> ReviewProject:
    found = [p for p in store.projects(server.address) if p.number == sent.project]
    if not found:
        raise UsageError(
            f"the round's clips went to project {sent.project} {sent.title!r} at {sent.server}: "
            "set LABEL_STUDIO_URL to that address"
        )
    return found[-1]


def _answered(
    store: Store, project: ReviewProject, clips: set[int], people: int
) -> tuple[int, int]:
    """Tasks of these clips that are there, and those that enough people have dealt with.

    To skip a clip is to have dealt with it, else a clip that nobody can judge would hold all up.
    """
    there = {
        task.clip_id
        for task in store.tasks(project.project_id)
        if task.state == "there" and task.clip_id in clips
    }
    by_clip: dict[int, set[str]] = {clip_id: set() for clip_id in there}
    for given in store.answers(project.project_id):
        if given.clip_id in there and given.answer.state != "empty":
            by_clip[given.clip_id].add(given.answer.annotator)
    return len(there), sum(len(who) >= people for who in by_clip.values())


def _learnt(done: Finetuned) -> Learnt:
    verdict = done.verdict
    return Learnt(
        name=done.name,
        promoted=done.promoted,
        reason=done.reason,
        clips=verdict.comparison.clips,
        measure=verdict.comparison.measure,
        before=_number(verdict.comparison.before),
        after=_number(verdict.comparison.after),
        macro_f1_before=_number(verdict.before.metrics["macro_f1"].value),
        macro_f1_after=_number(verdict.after.metrics["macro_f1"].value),
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _need(fact: T | None) -> T:
    if fact is None:
        raise EnvironmentFault("the record of the loop lacks a step: steps are written in order")
    return fact
