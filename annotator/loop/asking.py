"""The steps of a round that people and their server take part in: send and wait."""

import os
from collections.abc import Sequence
from contextlib import closing

from annotator.errors import UsageError
from annotator.labelstudio import export as reviews
from annotator.labelstudio import payload
from annotator.labelstudio.export import Parcel
from annotator.labelstudio.failures import ServerFault
from annotator.labelstudio.interface import interface
from annotator.labelstudio.projects import Wanted, known_project
from annotator.labelstudio.server import Server
from annotator.labelstudio.watch import pulls
from annotator.loop.records import Answered, Round, Selected, Sent
from annotator.loop.world import World, model_of, need
from annotator.registry import ModelVersion
from annotator.store.engine import Store
from annotator.store.review_records import ReviewProject


class Waiting(Exception):
    """No error, for people take their time: so many answers are there of those a round needs."""

    def __init__(self, round_: int, answered: int, needed: int, project: str) -> None:
        super().__init__(f"round {round_} waits for answers: {answered} of {needed} in {project}")
        self.round, self.answered, self.needed = round_, answered, needed


def project_of(world: World, store: Store, model: ModelVersion) -> ReviewProject | None:
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


def send(world: World, now: Round, _before: Sequence[Round]) -> Sent:
    """Cut the chosen clips and send them; each arrives once.

    Raises:
        ServerFault: the server did not do it.
        UsageError: the project asks other questions, or no clip could be cut.
    """
    model = model_of(world, now)
    with world.workspace.open_store() as store:
        model_id = store.register_model(model)
        parcel = _packed(world, store, model, need(now.selected))
        with world.observer.counting("sending clips", len(parcel.outgoing)) as progress:
            review = reviews.send(
                store, world.server, parcel, model_id, world.workspace.root, progress
            )
    sent_to = (world.server.address, need(review.project), review.title)
    return Sent(*sent_to, tasks=len(parcel.outgoing), failed=len(parcel.failed))


def wait(world: World, now: Round, _before: Sequence[Round]) -> Answered:
    """Pull until enough is answered.

    Raises:
        Waiting: it is not, and the user does not want to wait.
        ServerFault: the server failed on the first look.
        UsageError: the project is another server's, or gone.
    """
    asking, clips = world.settings.asking, set(need(now.selected).clips)
    with world.workspace.open_store() as store:
        project = _asked_in(store, world.server, need(now.sent))
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


def _packed(world: World, store: Store, model: ModelVersion, selected: Selected) -> Parcel:
    """The tasks of the chosen clips, cut for a browser.

    Raises:
        UsageError: not one of them could be cut.
    """
    asking, by = world.settings.asking, world.settings.choosing.by
    scores = dict(zip(selected.clips, selected.scores, strict=True))
    with closing(store.clips(store.register_model(model), by, scores)) as clips:
        chosen = reviews.choose(clips, len(scores), frozenset(selected.audit))
    wanted = Wanted(asking.project, model.labels, asking.overlap, asking.shown)
    sent = payload.Sent(interface(model.labels), model, model.thresholds, by, asking.shown)
    workers = os.cpu_count() or 1
    with world.observer.counting("cutting clips", len(chosen.clips)) as progress:
        parcel = reviews.pack(wanted, sent, world.hosting, chosen, workers, progress)
    world.observer.problems([f"{one.path}: {one.reason}" for one in parcel.failed])
    if not parcel.outgoing:
        raise UsageError(f"none of the {len(scores)} chosen clips could be cut to be sent")
    return parcel


def _asked_in(store: Store, server: Server, sent: Sent) -> ReviewProject:
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
