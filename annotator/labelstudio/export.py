"""Choose clips for review, cut them for a browser, and send them or write them to a file."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from annotator.export.destination import destination
from annotator.labelstudio.excerpts import ExcerptCache, ExcerptRequest
from annotator.labelstudio.hosting import Hosting
from annotator.labelstudio.payload import Sent, sample_of, task, version_of
from annotator.labelstudio.projects import Wanted, ensure_project, known_project
from annotator.labelstudio.push import Outgoing, Push, alone, push
from annotator.labelstudio.server import Server
from annotator.store.engine import Store
from annotator.store.records import RankedClip
from annotator.store.review_records import TaskReason

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Clips by sample, in their order, and how many copies of them were passed over.

    `audit` are the samples that were drawn at random.
    """

    clips: Mapping[str, RankedClip]
    copies: int
    audit: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Failed:
    """A clip that could not be cut, and why."""

    path: Path
    start_ms: int
    end_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """Tasks for a project: the clips that were chosen, those that could not be cut, and the rest.

    `sent` is what the tasks share, `hosting` where their excerpts lie.
    """

    wanted: Wanted
    sent: Sent
    hosting: Hosting
    chosen: Chosen
    outgoing: tuple[Outgoing, ...]
    failed: tuple[Failed, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """What came of it: where clips went, the push if there was one, and what was left out.

    `there` counts tasks that were there before, and `unlike` those of them that show the model's
    answer where blind ones were asked for, or the other way round: they stay so. `project` is None
    where there is none yet, `push` where nothing was sent. `out` is the file that was written in a
    server's place, and `storage` the folder that Label Studio is to serve the excerpts from, if it
    is to. Of those chosen `audit` were drawn at random.
    """

    title: str
    chosen: int
    copies: int
    there: int = 0
    unlike: int = 0
    project: int | None = None
    push: Push | None = None
    out: Path | None = None
    storage: Path | None = None
    audit: int = 0
    failed: tuple[Failed, ...] = ()


def choose(ranked: Iterable[RankedClip], count: int, audit: frozenset[int] = frozenset()) -> Chosen:
    """The first `count` clips of a ranking that are not copies of one before.

    `audit` are the numbers of those that were drawn at random.
    """
    clips: dict[str, RankedClip] = {}
    copies = 0
    for clip in ranked:
        if len(clips) == count:
            break
        sample = sample_of(clip.content_hash, clip.start_ms, clip.end_ms)
        copies += sample in clips
        clips.setdefault(sample, clip)
    drawn = (sample for sample, clip in clips.items() if clip.clip_id in audit)
    return Chosen(clips, copies, frozenset(drawn))


def pack(
    wanted: Wanted, sent: Sent, hosting: Hosting, chosen: Chosen, workers: int, progress: Progress
) -> Parcel:
    """Cut the clips, as far as they are not yet, and make their tasks.

    A clip that cannot be cut costs itself alone.

    Raises:
        EnvironmentFault: the disk is full, or there is no ffmpeg that writes H.264.
    """
    cuts = {}
    for cut in ExcerptCache(hosting.folder).make(_by_file(chosen), workers=workers):
        cuts[cut.request.sample_id] = cut
        progress(1)
    outgoing = []
    failed = []
    for sample, clip in chosen.clips.items():
        cut = cuts[sample]
        if cut.excerpt is None:
            failed.append(Failed(clip.path, clip.start_ms, clip.end_ms, str(cut.failure)))
        else:
            payload = task(clip, sent, hosting.address(cut.excerpt.path.name))
            reason: TaskReason = "audit" if sample in chosen.audit else "score"
            outgoing.append(Outgoing(sample, clip.clip_id, payload, reason))
    return Parcel(wanted, sent, hosting, chosen, tuple(outgoing), tuple(failed))


def _by_file(chosen: Chosen) -> list[ExcerptRequest]:
    """What to cut, file by file: one that lies elsewhere is then fetched once."""
    requests = [
        ExcerptRequest(sample, clip.path, clip.content_hash, clip.start_ms, clip.end_ms)
        for sample, clip in chosen.clips.items()
    ]
    return sorted(requests, key=lambda request: (request.path, request.start_ms))


def look(store: Store, server: Server | None, wanted: Wanted, chosen: Chosen) -> Review:
    """What sending the clips would do; nothing is written anywhere.

    Raises:
        ServerFault: the server does not answer.
    """
    review = _review(wanted, chosen)
    remote = known_project(store, server, wanted.named) if server else None
    if server is None or remote is None:
        return review
    there = server.find(remote.number, sorted(chosen.clips))
    ours = [p.project_id for p in store.projects(server.address) if p.number == remote.number]
    unlike = sum(_unlike(store, project, there.keys(), wanted.shown) for project in ours)
    return replace(review, project=remote.number, there=len(there), unlike=unlike)


def send(
    store: Store, server: Server, parcel: Parcel, model_id: int, lock: Path, progress: Progress
) -> Review:
    """Send the tasks to the project, which is made if need be; each arrives once.

    Args:
        store: where it is written down.
        server: to send to.
        parcel: what to send, and to which project.
        model_id: whose answers the tasks carry.
        lock: a folder of the workspace.
        progress: told how many tasks have been dealt with since it was last told.

    Raises:
        ServerFault: the server did not do it; the same call goes on from there.
        UsageError: the project is gone or asks other questions, or another command is sending.
    """
    with alone(lock):
        version = version_of(parcel.sent.model)
        project = ensure_project(store, server, parcel.wanted, version)
        if parcel.hosting.storage is not None:
            server.add_local_storage(project.number, str(parcel.hosting.storage), "annotate")
        shown = parcel.sent.shown
        done = push(
            store, server, project, model_id, parcel.outgoing, shown=shown, progress=progress
        )
        changed = done.sent or done.completed
        if shown and changed and server.project(project.number).model_version != version:
            # An older project shows the version it was made with, and none to those left blind.
            server.update_project(
                project.number, model_version=version, show_collab_predictions=True
            )
    samples = {task.sample for task in parcel.outgoing}
    unlike = _unlike(store, project.project_id, samples, shown)
    review = _packed(parcel)
    return replace(review, project=project.number, there=done.there, unlike=unlike, push=done)


def write(parcel: Parcel, out: Path) -> Review:
    """Write the tasks as a file that Label Studio imports.

    Raises:
        UsageError: the name is no file's, or its folder is not there.
        EnvironmentFault: the disk is full, or the folder cannot be written to.
    """
    with destination(out) as file:
        json.dump([task.payload for task in parcel.outgoing], file, indent=1)
    return replace(_packed(parcel), out=out, storage=parcel.hosting.storage)


def _unlike(store: Store, project_id: int, samples: Collection[str], shown: bool) -> int:
    """How many of the samples' tasks do not show the model's answer as `shown` says."""
    book = store.tasks(project_id)
    return sum(task.sample in samples and task.shown is not shown for task in book)


def _packed(parcel: Parcel) -> Review:
    return replace(_review(parcel.wanted, parcel.chosen), failed=parcel.failed)


def _review(wanted: Wanted, chosen: Chosen) -> Review:
    return Review(wanted.named, len(chosen.clips), chosen.copies, audit=len(chosen.audit))
