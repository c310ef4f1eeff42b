"""From clip features to probabilities and uncertainties, in batches, on the chosen device."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from annotator.acquisition import scores
from annotator.errors import EnvironmentFault
from annotator.features.collate import collate, send
from annotator.store.records import FreshScores, LabelScores
from annotator.types import MODALITIES, ClipFeatures
from lddu_model import LDDU, Output

Array = NDArray[np.floating[Any]]

PASSES_AT_ONCE = 32  # of Monte Carlo dropout: bounds memory, whatever the user asks for


def choose_device(name: str) -> torch.device:
    """The device for `--device`: auto takes a GPU where there is one.

    Raises:
        EnvironmentFault: the device is not on this machine.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(1, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise EnvironmentFault(f"no device {name!r} on this machine: use --device auto") from error


class Predictor:
    """Runs a network over batches of clips.

    Args:
        net: the network; it is moved to `device` and set to evaluation.
        device: from `choose_device`; mixed precision is used on a GPU only, since on a CPU it
            was measured slower.
        mc_dropout: stochastic passes a clip for BALD, 0 for none.
    """

    def __init__(self, net: LDDU, device: torch.device, mc_dropout: int = 0) -> None:
        self.net = net.to(device).eval()
        self.device = device
        self.mc_dropout = mc_dropout

    def __call__(self, clips: Sequence[ClipFeatures]) -> list[FreshScores]:
        """One answer a clip, in order; clips of like length make the cheapest batch.

        Raises:
            EnvironmentFault: the device has no memory left, or the network gives no numbers.
        """
        try:
            return self._answers(clips)
        except torch.OutOfMemoryError as error:
            raise EnvironmentFault(
                f"no memory left on {self.device} for {len(clips)} clips: close what else runs "
                "there, or use --device cpu"
            ) from error

    def each(self, batches: Iterable[Sequence[ClipFeatures]]) -> Iterator[list[FreshScores]]:
        """Answers batch by batch, in order; as calling it does."""
        return map(self, batches)

    def _answers(self, clips: Sequence[ClipFeatures]) -> list[FreshScores]:
        with torch.inference_mode():
            output = self._forward(_collate(clips, self.device))
        present = np.array([[m in clip.present for m in MODALITIES] for clip in clips])
        values = {
            name: getattr(output, name).float().cpu().numpy().astype(np.float64)
            for name in ("probability", "p_mu", "p_sigma", "p_direct", "sigma_norm")
        }
        values["latent"] = mean_latent(output.mu.float().cpu().numpy(), present)
        if not all(np.isfinite(value).all() for value in values.values()):
            raise EnvironmentFault("the model's answers are not finite numbers: import it again")
        bald = self._bald(clips) if self.mc_dropout else None
        return _clip_scores(self.net.config.labels, values, present, bald)

    def _forward(self, batch: dict[str, Tensor]) -> Output:
        with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
            output: Output = self.net(**batch)
        return output

    def _bald(self, clips: Sequence[ClipFeatures]) -> Array:
        """BALD clip by clip, each from the same seed: it does not depend on batch mates."""
        answers = []
        self.net.train()
        try:
            for clip in clips:
                with torch.random.fork_rng(), torch.inference_mode():
                    torch.manual_seed(0)
                    passes = [
                        self._forward(_collate([clip] * count, self.device)).probability.float()
                        for count in _parts(self.mc_dropout, PASSES_AT_ONCE)
                    ]
                answers.append(torch.cat(passes).cpu().numpy())
        finally:
            self.net.eval()
        return scores.bald(np.stack(answers, axis=1).astype(np.float64))


def _parts(whole: int, most: int) -> list[int]:
    """Numbers of at most `most` that add up to `whole`.

    >>> _parts(70, 32)
    [32, 32, 6]
    """
    return [min(most, whole - done) for done in range(0, whole, most)]


def _collate(clips: Sequence[ClipFeatures], device: torch.device) -> dict[str, Tensor]:
    return send(collate([clip.present for clip in clips]), device)


def mean_latent(mu: Array, present: NDArray[np.bool_]) -> Array:
    """A clip's place in the latent space: μ, the mean over labels and the modalities it has.

    Args:
        mu: (n, q, 3, d).
        present: (n, 3), at least one each.

    Returns:
        (n, d), within what float16 holds.

    >>> mean_latent(np.array([[[[2.0], [4.0], [99.0]]]]), np.array([[True, True, False]]))
    array([[3.]])
    """
    weight = present / present.sum(axis=1, keepdims=True)
    most = float(np.finfo(np.float16).max)
    mean: Array = np.clip(np.einsum("ijkl,ik->il", mu, weight) / mu.shape[1], -most, most)
    return mean


def _clip_scores(
    labels: Sequence[str],
    values: dict[str, Array],
    present: NDArray[np.bool_],
    bald: Array | None,
) -> list[FreshScores]:
    variance = scores.variance(values["sigma_norm"], present)
    entropy = scores.entropy(values["probability"])
    margin = scores.margin(values["probability"])
    answers = []
    for row in range(len(present)):
        sigma = np.where(present[row], values["sigma_norm"][row], np.nan)
        answers.append(
            FreshScores(
                labels=tuple(
                    LabelScores(
                        label,
                        *(
                            float(values[name][row, column])
                            for name in ("probability", "p_mu", "p_sigma", "p_direct")
                        ),
                        *(None if np.isnan(norm) else float(norm) for norm in sigma[column]),
                    )
                    for column, label in enumerate(labels)
                ),
                variance=float(variance[row]),
                entropy=float(entropy[row]),
                margin=float(margin[row]),
                bald=None if bald is None else float(bald[row]),
                latent=values["latent"][row].astype("<f2").tobytes(),
            )
        )
    return answers
