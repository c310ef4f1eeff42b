"""People's answers joined to cached features: a dataset to fine-tune on. No media is opened.

Targets are shares of votes, so a tie teaches one half; where models are measured it decides nothing
and is left out. Neutral is a no to every label; what nobody was asked is unknown. A clip counts
unless half of its voters or more say that it cannot be judged. The parts are those of `held_out`; a
clip that came with split=test holds out its speaker or video.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from annotator.datasets.answered import AnsweredClip, answered_clips, demand_known
from annotator.datasets.assemble import assemble
from annotator.datasets.held_out import Split, TooFewLabels, hold_out
from annotator.datasets.splits import split_named
from annotator.errors import UsageError
from annotator.features.cache import FeatureCache
from annotator.learning.dataset import TEST, TRAIN, Dataset, Example
from annotator.types import MODALITIES, ClipFeatures, Modality
from annotator.workspace import Workspace

NAME = "the reviewed clips"

Progress = Callable[[int], None]
Extractors = Mapping[Modality, str]
Featured = tuple[AnsweredClip, ClipFeatures]


@dataclass(frozen=True, slots=True, eq=False)
class Reviewed:
    """The dataset, and where it comes from.

    `held` are the speakers, and the hashes and paths of videos, that are not to be learnt from.
    `sha256` is of clips, targets and raters: the same answers have the same.
    """

    dataset: Dataset
    split: Split
    held: frozenset[str]
    sha256: str
    answers: int
    people: int
    unusable: int  # clips that most people say cannot be judged
    without_features: tuple[str, ...]  # the files of clips that the cache lacks, by clip

    def labels_from(self) -> dict[str, int]:
        """How many answers of how many people to how many clips the labels come from."""
        clips = sum(map(len, self.dataset.splits.values()))
        return {"answers": self.answers, "people": self.people, "clips": clips}


def read_reviewed(
    workspace: Workspace,
    labels: Sequence[str],
    extractors: Extractors,
    split: Split,
    *,
    ignored: Collection[str] = (),
    progress: Progress = lambda _: None,
) -> Reviewed:
    """What people answered, with features of the extractors named.

    Args:
        workspace: of the answers and the features.
        labels: of the model, in its order.
        extractors: that the model was trained on.
        split: the shares; and the seed, if an earlier fine-tuning has chosen it.
        ignored: labels that people gave and the model need not have.
        progress: told how many more clips have been read.

    Raises:
        TooFewLabels: there are no answers, or too few to learn from and to judge by.
        UsageError: they give labels that are not the model's, or none has features.
        EnvironmentFault: the workspace's database cannot be read.
    """
    with workspace.open_store() as store:
        clips = answered_clips(store)
    judged = [clip for clip in clips if clip.can_be_judged]
    if not judged:
        raise TooFewLabels(
            f"no labels in this workspace: people answered about {len(clips)} clips and judged "
            "none; `annotate pull` fetches what they have answered since"
        )
    demand_known(judged, labels, ignored)
    featured, missing = _featured(judged, extractors, FeatureCache(workspace.features), progress)
    examples = [_example(*one, labels) for one in featured]
    always = {_group(clip) for clip, _ in featured if split_named(clip.place.split or "") == TEST}
    split, parts = hold_out(examples, split, always)
    held = {e.group for name, part in parts.items() if name != TRAIN for e in part}
    paths = {str(clip.place.path) for clip, _ in featured if _group(clip) in held}
    digest = _digest(examples, labels)
    return Reviewed(
        dataset=assemble(NAME, labels, parts, {"answers": digest}, extractors=extractors),
        split=split,
        held=frozenset(held | paths),
        sha256=digest,
        answers=sum(len(clip.opinions) for clip in judged),
        people=len({opinion.vote.annotator for clip in judged for opinion in clip.opinions}),
        unusable=len(clips) - len(judged),
        without_features=tuple(str(clip.place.path) for clip in missing),
    )


def _featured(
    clips: Sequence[AnsweredClip], extractors: Extractors, cache: FeatureCache, progress: Progress
) -> tuple[list[Featured], list[AnsweredClip]]:
    """The clips with features of these extractors, and those without.

    Raises:
        UsageError: none has them.
    """
    featured: list[Featured] = []
    missing: list[AnsweredClip] = []
    others: set[str] = set()
    for clip in clips:
        features = cache.peek(clip.place.content_hash, clip.place.bounds)
        if features is not None and features.fits(extractors):
            featured.append((clip, features))
        else:
            missing.append(clip)
            others |= set(features.extractors.values() if features else ())
        progress(1)
    if featured:
        return featured, missing
    wanted = ", ".join(extractors[m] for m in MODALITIES)
    found = f"those of {', '.join(sorted(others))}" if others else "none"
    raise UsageError(
        f"the model takes features of {wanted}, and the workspace has {found} of the "
        f"{len(missing)} labelled clips, {missing[0].place.path.name!r} the first: "
        "run `annotate run` on them with this model, or take another with --from"
    )


def _example(clip: AnsweredClip, features: ClipFeatures, labels: Sequence[str]) -> Example:
    place, present = clip.place, features.present
    return Example(
        id=f"{place.content_hash}[{place.bounds[0]}-{place.bounds[1]}]",
        group=_group(clip),
        features=present,
        target=clip.target(labels),
        raters=len(clip.usable),
        words=features.transcript if "text" in present else None,
    )


def _group(clip: AnsweredClip) -> str:
    return clip.place.speaker or clip.place.content_hash


def _digest(examples: Sequence[Example], labels: Sequence[str]) -> str:
    said = [(e.id, e.group, [float(v) for v in e.target], e.raters) for e in examples]
    return hashlib.sha256(json.dumps([list(labels), said]).encode()).hexdigest()
