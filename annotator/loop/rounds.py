"""The steps of a round. Each can be begun again after a kill at any moment of it.

What a step did stands in the store, on the server or among the models, and each asks there before
it does anything twice: predictions are kept clip by clip, a task arrives once, an answer is an
upsert, and a fine-tuning of the same answers gives the same version.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from annotator import registry
from annotator.acquisition.propose import propose
from annotator.datasets.held_out import TooFewLabels
from annotator.finetune import Finetuned, Request, finetune, make_plan
from annotator.lineage import lineage_of
from annotator.loop.asking import project_of, send, wait
from annotator.loop.audit import audited
from annotator.loop.records import Audited, Fact, Learnt, Predicted, Round, Selected, Step
from annotator.loop.world import World, model_of, need
from annotator.predict import choose_device
from annotator.registry import ModelVersion
from annotator.repredict import repredict
from annotator.run import run

NO_NEWS = "nothing new to learn: the model knows all of these answers already"


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
    settings, model = world.settings, model_of(world, now)
    plan = replace(settings.choosing.plan, size=settings.policy.size(before))
    with world.workspace.open_store() as store:
        project = project_of(world, store, model)
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


def audit(world: World, now: Round, _before: Sequence[Round]) -> Audited:
    """Measure the round's model on the clips that were drawn at random."""
    with world.workspace.open_store() as store:
        return audited(store, model_of(world, now), need(now.selected).audit)


def learn(world: World, now: Round, _before: Sequence[Round]) -> Learnt:
    """Fine-tune the round's model on all answers there are, and promote the result or not."""
    learning, parent = world.settings.learning, model_of(world, now)
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
