"""Let another model version answer about clips whose features are known: no media is opened.

A run would find the features in the cache too, but needs the corpus at hand, and loads extractors
and decodes where something is missing. This leaves such clips out and counts them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from annotator import __version__
from annotator.predict import Predictor, choose_device
from annotator.registry import ModelVersion, load_network
from annotator.store.records import ClipResult
from annotator.workspace import Workspace

if TYPE_CHECKING:
    from annotator.store.engine import Store
    from annotator.types import ClipFeatures

CHUNK = 256  # clips in memory: sorted by length, then cut into batches
BATCH = 32  # through the model at once

Featured = tuple[int, "ClipFeatures"]


@dataclass(frozen=True, slots=True)
class Repredicted:
    """How many clips the model answered about, and how many lack features of its extractors."""

    clips: int
    missing: int


def repredict(
    workspace: Workspace,
    model: ModelVersion,
    *,
    device: str = "auto",
    mc_dropout: int = 0,
    run_id: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Repredicted:
    """Answer for every clip of the workspace that the model has not answered for yet.

    With `mc_dropout` clips whose answer has no BALD are asked about again.

    Args:
        workspace: of clips, features and answers.
        model: one of its versions.
        device: as for `choose_device`.
        mc_dropout: stochastic passes a clip for BALD, 0 for none.
        run_id: only about the files of the last run, whose number this is; by default about all.
        progress: told how many more clips have been looked at.

    Raises:
        UsageError: the model's files are damaged, or its name is known with other weights.
        EnvironmentFault: the device, the disk or the database cannot do it.
    """
    with workspace.open_store() as store:
        model_id = store.register_model(model)
        waiting = store.unanswered(model_id, with_bald=mc_dropout > 0, run_id=run_id)
        if not waiting:
            return Repredicted(0, 0)
        predictor = Predictor(load_network(model), choose_device(device), mc_dropout)
        settings = {"features": "cached", "device": device, "mc_dropout": mc_dropout}
        run_id = store.start_run(model_id, settings, __version__)
        done = 0
        for first in range(0, len(waiting), CHUNK):
            chunk = waiting[first : first + CHUNK]
            for results in _answers(_featured(workspace, store, model, model_id, chunk), predictor):
                store.save_results(run_id, model_id, results)
                done += len(results)
            progress(len(chunk))
        store.finish_run(run_id, "done", {"clips": done}, {})
    return Repredicted(done, len(waiting) - done)


def _featured(
    workspace: Workspace,
    store: "Store",
    model: ModelVersion,
    model_id: int,
    clip_ids: Sequence[int],
) -> list[Featured]:
    cache = workspace.cache()
    known = store.known_clips(model_id, clip_ids)
    found = [
        (clip_id, cache.fitting(clip.content_hash, clip.bounds, model.extractors, clip.text))
        for clip_id, clip in known.items()
    ]
    return [(clip_id, features) for clip_id, features in found if features is not None]


def _answers(featured: Sequence[Featured], predictor: Predictor) -> Iterator[list[ClipResult]]:
    """A batch at a time, clips of like length together."""
    by_length = sorted(featured, key=lambda one: one[1].steps)
    for first in range(0, len(by_length), BATCH):
        batch = by_length[first : first + BATCH]
        answers = predictor([features for _, features in batch])
        yield [
            ClipResult(clip_id, features, answer)
            for (clip_id, features), answer in zip(batch, answers, strict=True)
        ]
