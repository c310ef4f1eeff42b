"""Does σ find the noise? LDDU and its ablations on a corpus whose truth is planted.

    python benchmarks/synthetic_truth.py --seeds 3 4 --clips 4000 --epochs 16

Each row is trained on clips whose noise is drawn for each modality by itself, and measured on clips
it has not seen: the Spearman correlation of ‖σ‖ with the true noise in each modality, and of what
of both is more or less than the clip's mean ("within": does σ tell which modality is noisy?); what
an order by variance and by entropy gains over a random one (AUGRC of 1 - Jaccard); and micro-F1
beside that of the exact posterior, which nothing can beat. All thresholds come from validation.
Purity is what the contrastive loss is for: the share of the latent rows [μ/|μ| ; σ/|σ|] whose
nearest neighbour is of the same modality, label and answer. Rises says of how many of the ways to
corrupt features of `annotate corrupt-test` the variance, and the entropy, rise for sure.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from annotator.experiments.corruption_curves import UNCERTAINTIES, corrupt_test
from annotator.learning.answers import answer, forward
from annotator.learning.dataset import TEST, VALID, Dataset, Example
from annotator.learning.epochs import Unwatched
from annotator.learning.settings import Settings, override
from annotator.learning.synthetic import Planted, World, plant
from annotator.learning.training import train
from annotator.metrics import multilabel
from annotator.metrics.bootstrap import mean_sd
from annotator.metrics.evaluate import Answers
from annotator.metrics.inputs import Array
from annotator.metrics.selective import augrc
from annotator.metrics.thresholds import f1_thresholds
from annotator.metrics.uncertainty import spearman
from annotator.types import MODALITIES
from lddu_model import LDDU, Checkpoint, load
from lddu_model.contrastive import contrastive_rows

NEIGHBOURS = 300  # clips whose latent rows are compared, all with all
WORLD = World(labels=3, centre=4.0, dimensions={"visual": 6, "audio": 8, "text": 10})
SMALL = (
    "train.patience=0",
    "train.learning_rate=3e-3",
    "loss.queue=512",
    "network.hidden=32",
    "network.feedforward=32",
    "network.heads=4",
    "network.layers=1",
    "network.latent_hidden=[32]",
    "network.latent=16",
    "network.head_hidden=32",
    "network.dropout=0.05",
    "network.attention_dropout=0.0",
    "network.classifier_dropout=0.0",
)
ROWS: dict[str, tuple[str, ...]] = {
    "full": (),
    "without calibration": ("loss.lambda_=0",),
    "released calibration": ("loss.calibration=released",),
    "σ constant": ("network.constant_sigma=true",),
    "without contrastive": ("loss.beta=0",),
    "without queue": ("loss.queue=0",),
    "fusion by difficulty": ("network.fusion=difficulty",),
    "with corruption": ("train.corruption=0.15",),
    "with label residual": ("network.label_residual=true",),
    "without recalibration": ("train.recalibrate=0",),
    "σ reads answers": ("network.sigma_of_answers=true",),
    "σ reads answers, 0.5": ("network.sigma_of_answers=true", "network.sigma_dropout=0.5"),
    "σ reads answers, 0.8": ("network.sigma_of_answers=true", "network.sigma_dropout=0.8"),
}


@dataclass(frozen=True)
class Found:
    """What a trained network knows of clips it has not seen."""

    noise: tuple[float, ...]  # Spearman of ‖σ‖ with the noise; visual, audio, text
    other: float  # the largest correlation with another modality's noise, in size
    within: float  # Spearman of σ and noise beside those of the clip's other modalities, the mean
    gain: Mapping[str, float]  # of an order by the variance, and by the entropy
    purity: float  # share of latent rows whose nearest neighbour is of their class
    f1: float
    bayes_f1: float
    rises: Mapping[str, int]  # corruptions that raise the variance, and the entropy


def measure(planted: Planted, *assignments: str, corrupted: bool = False) -> Found:
    """Train with these settings and measure on the test split, and corruptions of it if asked."""
    cpu = torch.device("cpu")
    settings = override(Settings(), (*SMALL, *assignments))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "training"
        model = load(train(planted.dataset, settings, out, device=cpu, watcher=Unwatched()))
    network = model.network
    valid, test = (answer(network, planted.dataset.split(s), cpu) for s in (VALID, TEST))
    assert test.sigma_norm is not None
    norms, noise = test.sigma_norm.mean(axis=1), planted.truth[TEST].noise
    found = np.array(
        [[float(spearman(norms[:, i], noise[:, j])) for j in range(3)] for i in range(3)]
    )
    beside, noisier = _beside(norms), _beside(noise)
    exact = (planted.truth[VALID].posterior, planted.truth[TEST].posterior)
    return Found(
        noise=tuple(found.diagonal().tolist()),
        other=float(np.abs(found - np.diag(found.diagonal())).max()),
        within=float(np.mean([spearman(beside[:, m], noisier[:, m]) for m in range(3)])),
        gain=_gains(valid, test),
        f1=_f1(valid.probability, valid.target, test.probability, test.target),
        purity=_purity(network, planted.dataset.split(TEST)[:NEIGHBOURS], cpu),
        bayes_f1=_f1(exact[0], valid.target, exact[1], test.target),
        rises=_rises(model, planted.dataset, cpu) if corrupted else {},
    )


def _beside(values: Array) -> Array:
    """(n, 3), how many times the clip's geometric mean each modality's value is, as a logarithm."""
    logs = np.log(values)
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def _gains(valid: Answers, test: Answers) -> dict[str, float]:
    thresholds = f1_thresholds(valid.probability, valid.target)
    loss = 1 - multilabel.sample_jaccard(test.probability, test.target, thresholds, empty=1.0)
    return {by: float(augrc(getattr(test, by), loss).gain) for by in UNCERTAINTIES}


def _purity(network: LDDU, examples: Sequence[Example], device: torch.device) -> float:
    output = forward(network, examples, device)
    target = torch.from_numpy(np.stack([example.target for example in examples]))
    rows, classes = contrastive_rows(output.mu, output.sigma, target, output.present)
    nearest = (rows @ rows.T).fill_diagonal_(-torch.inf).argmax(dim=1)
    return (classes[nearest] == classes).double().mean().item()


def _rises(model: Checkpoint, dataset: Dataset, device: torch.device) -> dict[str, int]:
    splits = {**dataset.splits, TEST: dataset.split(TEST)[:NEIGHBOURS]}
    found = corrupt_test(model, replace(dataset, splits=splits), TEST, device=device, resamples=100)
    return {u: sum(c.rises[u].rises is True for c in found.curves) for u in UNCERTAINTIES}


def _f1(valid: Array, valid_target: Array, test: Array, test_target: Array) -> float:
    thresholds = f1_thresholds(valid, valid_target)
    return float(multilabel.count(test, test_target, thresholds).pooled().f1)


def show(name: str, found: Sequence[Found]) -> None:
    """One line: means and deviations over the seeds."""
    numbers = [mean_sd([f.noise[m] for f in found]) for m in range(len(MODALITIES))]
    below = mean_sd([f.bayes_f1 - f.f1 for f in found])
    pure = mean_sd([f.purity for f in found]).mean
    row = "  ".join(f"{n.mean:+.2f} ± {n.sd:.2f}" for n in numbers)
    other = max(f.other for f in found)
    within = mean_sd([f.within for f in found]).mean
    gains = " ".join(f"{mean_sd([f.gain[u] for f in found]).mean:.3f}" for u in UNCERTAINTIES)
    rises = " ".join(f"{mean_sd([f.rises[u] for f in found]).mean:4.1f}" for u in UNCERTAINTIES)
    end = f"{below.mean:+.3f} ± {below.sd:.3f}    {pure:.2f}   {rises}"
    print(f"{name:22} {row}   {other:.2f}   {within:+.2f}   {gains}   {end}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--clips", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=[*ROWS])
    options = parser.parse_args()
    torch.set_num_threads(1)
    corpora = {seed: plant(WORLD, options.clips, 500, 2000, seed) for seed in options.seeds}
    heads = "  ".join(f"{m:12}" for m in MODALITIES)
    tail = "other  within  gains         mi-F1 below Bayes  purity  rises"
    print(f"{'ρ(‖σ‖, true noise)':22} {heads}   {tail}")
    for name in options.rows:
        fixed = (*ROWS[name], f"train.epochs={options.epochs}")
        found = [
            measure(p, *fixed, f"train.seed={seed}", corrupted=True) for seed, p in corpora.items()
        ]
        show(name, found)


if __name__ == "__main__":
    main()
