"""Train the expression network on FER+ votes and export it.

    python -m annotator.learning.expression --data DIR --out expression.onnx

DIR holds `{train,valid}.webp`, lossless mosaics of 48×48 faces, 160 a row, and
`{train,valid}.csv` with ten raters' votes a face, in the mosaic's order. The votes are Microsoft
FER+ (Barsoum et al. 2016); the target is their distribution, not its largest label, because the
disagreement of raters is what the tool predicts.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from annotator.errors import UsageError
from annotator.features.expression import CROP, EMBEDDING, EXPRESSIONS
from annotator.learning.face_augmentation import augment

TILES_PER_ROW = 160
OTHER_VOTES = ("unknown", "not_a_face")  # a face most raters gave these is left out
WIDTHS = (32, 64, 128, 128)  # channels of the stem and block 1, of block 2, and of blocks 3 and 4
STRIDES = (1, 2, 2, 1)
DROPOUT = 0.2
BATCH = 128
PEAK_RATE = 3e-3  # of the one-cycle schedule
WEIGHT_DECAY = 0.02
EMA_DECAY = 0.998  # a step: the average reaches back about 500 steps, 2.7 epochs
BOOTSTRAP = 1_000  # resamples of the faces behind the accuracy's interval
TERMS = "votes: MIT (Microsoft FER+); images: FER2013, research use; neither is distributed"


@dataclass(frozen=True, slots=True)
class Faces:
    """Grey faces (n, 48, 48) uint8 and the votes for the eight expressions (n, 8)."""

    images: NDArray[np.uint8]
    votes: NDArray[np.float32]

    @property
    def targets(self) -> NDArray[np.float32]:
        """The vote distributions (n, 8); each row sums to 1."""
        return cast(NDArray[np.float32], self.votes / self.votes.sum(axis=1, keepdims=True))


class Block(nn.Module):
    """Two 3×3 convolutions around a shortcut (He et al. 2016)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        """`stride` is the first convolution's and the shortcut's."""
        super().__init__()
        self.first = _convolution(before, after, 3, stride)
        self.second = _convolution(after, after, 3, 1)
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else _convolution(before, after, 1, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (n, before, h, w) to (n, after, h / stride, w / stride)."""
        inner = self.second(functional.relu(self.first(maps)))
        return functional.relu(inner + self.shortcut(maps))


class ExpressionNet(nn.Module):
    """A residual network of 0.6 million weights over faces of 48×48 pixels."""

    def __init__(self) -> None:
        """The stem halves the sides, so that one face costs 37 million multiplications."""
        super().__init__()
        earlier = (WIDTHS[0], *WIDTHS[:-1])
        blocks = [Block(*shape) for shape in zip(earlier, WIDTHS, STRIDES, strict=True)]
        stem = _convolution(1, WIDTHS[0], 5, 2)
        self.trunk = nn.Sequential(stem, nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.embedding = nn.Sequential(
            nn.Linear(WIDTHS[-1], EMBEDDING, bias=False), nn.BatchNorm1d(EMBEDDING)
        )
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(EMBEDDING, len(EXPRESSIONS)))

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Faces (n, 48, 48) of any brightness scale to embeddings (n, 64) and logits (n, 8)."""
        embedding = self.embedding(self.trunk(_standardise(faces)[:, None]))
        return embedding, self.head(embedding)


class Exported(nn.Module):
    """What the run-time file holds: grey uint8 crops in, embeddings and probabilities out."""

    def __init__(self, net: ExpressionNet) -> None:
        """Wrap `net`, whose weights are shared."""
        super().__init__()
        self.net = net

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Crops (n, 48, 48) uint8 to embeddings (n, 64) and probabilities (n, 8)."""
        embedding, logits = self.net(crops.float())
        return embedding, logits.softmax(dim=1)


def read_faces(folder: Path, split: str) -> Faces:
    """The faces of `split` that most raters saw an expression in.

    Raises UsageError where the mosaic or the votes are absent or do not fit each other.
    """
    mosaic = cv2.imread(str(folder / f"{split}.webp"), cv2.IMREAD_GRAYSCALE)
    votes_path = folder / f"{split}.csv"
    if mosaic is None or not votes_path.is_file():
        raise UsageError(f"{folder} needs {split}.webp and {split}.csv: point --data at FER+")
    with votes_path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    names = (*EXPRESSIONS, *OTHER_VOTES)
    votes = np.array([[int(row[name]) for name in names] for row in rows], np.float32)
    tiles = mosaic.reshape(-1, CROP, TILES_PER_ROW, CROP).swapaxes(1, 2).reshape(-1, CROP, CROP)
    if len(tiles) < len(votes):
        raise UsageError(
            f"{split}.webp holds {len(tiles)} faces, {split}.csv {len(votes)} rows: get both again"
        )
    shown = votes.argmax(axis=1) < len(EXPRESSIONS)
    return Faces(tiles[: len(votes)][shown].astype(np.uint8), votes[shown][:, : len(EXPRESSIONS)])


def train(faces: Faces, epochs: int, seed: int) -> Iterator[ExpressionNet]:
    """Train on soft cross-entropy; yield the averaged network after every epoch.

    AdamW (Loshchilov & Hutter 2019) under a one-cycle rate (Smith & Topin 2019). The network
    yielded is the exponential average of the weights, in evaluation mode.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = ExpressionNet()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(net, avg_fn=_average, use_buffers=True)
    images = torch.from_numpy(faces.images)
    targets = torch.from_numpy(faces.targets)
    steps = max(1, len(images) // BATCH)  # an epoch's remainder is left out: a small batch
    optimizer = torch.optim.AdamW(net.parameters(), PEAK_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, steps * epochs)
    for _ in range(epochs):
        net.train()
        order = torch.randperm(len(images), generator=generator)
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            batch = augment(images[chosen].float() / 255, generator)
            with torch.autocast("cpu", torch.bfloat16):  # half the time where the CPU has it
                _, logits = net(batch)
            optimizer.zero_grad()
            loss = functional.cross_entropy(logits.float(), targets[chosen])
            loss.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(net)
        yield cast(ExpressionNet, average.module.eval())


@torch.inference_mode()
def evaluate(net: ExpressionNet, faces: Faces, seed: int) -> dict[str, float | list[float]]:
    """How well `net` gives the majority label and the raters' disagreement.

    accuracy is of the expression with most votes (the first of equals); accuracy_interval its
    95 % bootstrap interval over faces; accuracy_clear is over faces on which more than half of
    the votes agree; entropy_spearman is the rank correlation of the predicted distribution's
    entropy with the votes'.
    """
    exported = Exported(net)
    batches = torch.split(torch.from_numpy(faces.images), BATCH)
    predicted = torch.cat([exported(batch)[1] for batch in batches]).numpy()
    right = predicted.argmax(axis=1) == faces.votes.argmax(axis=1)
    clear = faces.targets.max(axis=1) > 0.5
    draws = np.random.default_rng(seed).integers(len(right), size=(BOOTSTRAP, len(right)))
    low, high = np.percentile(right[draws].mean(axis=1), [2.5, 97.5])
    return {
        "accuracy": float(right.mean()),
        "accuracy_interval": [float(low), float(high)],
        "accuracy_clear": float(right[clear].mean()),
        "entropy_spearman": spearman(_entropy(predicted), _entropy(faces.targets)),
    }


def export(net: ExpressionNet, path: Path) -> None:
    """Write the network as ONNX: `crops` in; `embedding` and `probabilities` out."""
    torch.onnx.export(
        Exported(net).eval(),
        (torch.zeros(2, CROP, CROP, dtype=torch.uint8),),
        str(path),
        dynamo=False,
        input_names=["crops"],
        output_names=["embedding", "probabilities"],
        dynamic_axes={name: {0: "n"} for name in ("crops", "embedding", "probabilities")},
    )


def spearman(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """The rank correlation of two samples (n,); equal values share their mean rank.

    >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0])), 3)
    0.5
    """
    return float(np.corrcoef(_ranks(left), _ranks(right))[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = last - (counts - 1) / 2
    return mean[inverse]


def _entropy(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """In nats, of distributions (n, 8)."""
    wide = rows.astype(np.float64)
    entropy: NDArray[np.float64] = -(wide * np.log(np.clip(wide, 1e-12, 1))).sum(axis=1)
    return entropy


def _average(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
    """The exponential average after `count` steps, which at first forgets the start faster."""
    decay = min(EMA_DECAY, (1 + int(count)) / (10 + int(count)))
    return decay * old + (1 - decay) * new


def _convolution(before: int, after: int, side: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, side, stride, side // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after))


def _standardise(faces: Tensor) -> Tensor:
    """Each face to mean 0 and deviation 1, so that exposure and contrast do not matter."""
    centred = faces - faces.mean(dim=(1, 2), keepdim=True)
    deviation = centred.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return centred / deviation.clamp_min(1e-3)


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--epochs", default=25, show_default=True)
@click.option("--seed", default=20, show_default=True)
@click.option("--threads", default=2, show_default=True)
def main(data: Path, out: Path, epochs: int, seed: int, threads: int) -> None:
    """Train on DIR and write the network and, beside it, what it was trained on.

    Both files are written after every epoch, so that a stopped run leaves its last network.
    """
    torch.set_num_threads(threads)
    learned, held_out = read_faces(data, "train"), read_faces(data, "valid")
    for epoch, net in enumerate(train(learned, epochs, seed), start=1):
        export(net, out)
        measured = evaluate(net, held_out, seed)
        card = {
            "data": f"FER+, {len(learned.images)} faces of train, {len(held_out.images)} of valid",
            "terms": TERMS,
            "seed": seed,
            "epochs": epoch,
            "of_epochs": epochs,
            "labels": EXPRESSIONS,
            "valid": measured,
        }
        out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
        click.echo(f"epoch {epoch}: {json.dumps(measured)}")


if __name__ == "__main__":
    main()
