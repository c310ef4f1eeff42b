"""How the training clips are shown in an epoch: some modalities hidden, others corrupted.

Corruption is there for σ. Trained on clean clips alone it knows no others, and its calibration sees
only errors that shrink as the network learns the clips by heart; a corrupted modality makes the
error larger where the input shows why. What the losses make of it stands in `lddu_model.losses`.

Of the ways of `corruption` all but the loss of a whole modality are learnt from; so `corrupt-test`
says of such a model whether it has learnt them, and only spoilt words are new to it.

Everything follows from the seed, the epoch and the clip, so a training that was killed goes on with
what it would have seen, and so do several processes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from annotator.learning.batches import Index, Mask, keep_modalities
from annotator.learning.corruption import Damage, Scale, blur, fade, lose_steps, noise, scales
from annotator.learning.dataset import Array, Example
from annotator.learning.settings import TrainSettings
from annotator.types import MODALITIES, Modality

WAYS = (noise, blur, fade, lose_steps)
_WHICH, _HOW = 2, 3  # streams of chance beside those of `batches`


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The clips of one epoch."""

    examples: Sequence[Example]
    kept: Mask  # (n, 3), the modalities that are shown
    corrupted: Mask  # (n, 3), those of them that are corrupted
    scales: Mapping[Modality, Scale]
    key: tuple[int, int]  # seed and epoch

    def clip(self, place: int) -> dict[Modality, Array]:
        """The features of the clip at this place as the network sees them in this epoch."""
        found: dict[Modality, Array] = {}
        for column, m in enumerate(MODALITIES):
            if self.kept[place, column]:
                values = self.examples[place].features[m]
                found[m] = values
                if self.corrupted[place, column]:
                    random = np.random.default_rng([*self.key, _HOW, place, column])
                    way = WAYS[random.integers(len(WAYS))]
                    found[m] = way(values, Damage(random.random(), self.scales[m], random))
        return found


class Augmentation:
    """What every epoch of a training shows.

    Args:
        examples: of the train split.
        lengths: (n, 3) of `lengths_of`.
        settings: of the training.
    """

    def __init__(
        self, examples: Sequence[Example], lengths: Index, settings: TrainSettings
    ) -> None:
        self._examples, self._lengths, self._settings = examples, lengths, settings
        self._scales = scales(examples) if settings.corruption else {}

    def epoch(self, number: int) -> Shown:
        """The clips of an epoch, counted from 0."""
        t = self._settings
        kept = keep_modalities(self._lengths, t.modality_dropout, t.seed, number)
        draw = np.random.default_rng([t.seed, number, _WHICH]).random(kept.shape)
        corrupted = kept & (draw < t.corruption)
        return Shown(self._examples, kept, corrupted, self._scales, (t.seed, number))
