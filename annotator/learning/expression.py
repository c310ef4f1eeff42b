"""Train the expression network on FER+ votes and export it.

    python -m annotator.learning.expression --data DIR --out annotator/features/weights/expression.onnx

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
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from annotator.errors import UsageError
from annotator.features.expression import CROP, EMBEDDING, EXPRESSIONS

TILES_PER_ROW = 160
OTHER_VOTES = ("unknown", "not_a_face")  # a face most raters gave these is left out
WIDTHS = (32, 64, 128, 128)  # channels of the stem and block 1, of block 2, and of blocks 3 and 4
STRIDES = (1, 2, 2, 1)
DROPOUT = 0.2
BATCH = 128
PEAK_RATE = 3e-3  # of the one-cycle schedule
WEIGHT_DECAY = 0.02
EMA_DECAY = 0.998  # about the last 500 of 190 steps an epoch
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
        befores = (WIDTHS[0], *WIDTHS[:-1])
        blocks = [Block(*shape) for shape in zip(befores, WIDTHS, STRIDES, strict=True)]
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
        raise UsageError(f"{split}.webp holds {len(tiles)} faces, {split}.csv {len(votes)} rows")
    shown = votes.argmax(axis=1) < len(EXPRESSIONS)
    return Faces(
        tiles[: len(votes)][shown].astype(np.uint8), votes[shown][:, : len(EXPRESSIONS)]
    )


def augment(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Faces (n, 48, 48) in 0..1 as another detector, camera or codec might have given them."""
    warped = _warp(faces, generator)
    blurred = _resample(warped, generator)
    lit = _relight(blurred, generator)
    noise = torch.randn(lit.shape, generator=generator)
    noisy = lit + noise * _uniform(len(lit), 0.0, 0.04, generator)[:, None, None]
    return _cut_out(noisy, generator)


def train(faces: Faces, epochs: int, seed: int) -> Iterator[ExpressionNet]:
    """Train on soft cross-entropy; yield the averaged network after every epoch.

    AdamW (Loshchilov & Hutter 2019) under a one-cycle rate (Smith & Topin 2019). The network
    yielded is the exponential average of the weights, in evaluation mode.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = cast(ExpressionNet, ExpressionNet().to(memory_format=torch.channels_last))
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(EMA_DECAY), use_buffers=True)
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
            functional.cross_entropy(logits.float(), targets[chosen]).backward()
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
    batches = torch.from_numpy(faces.images).split(BATCH)
    predicted = torch.cat([exported(batch)[1] for batch in batches]).numpy()
    right = predicted.argmax(axis=1) == faces.votes.argmax(axis=1)
    clear = faces.targets.max(axis=1) > 0.5  # noqa: PLR2004 - the meaning of a majority
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
    return cast(NDArray[np.float64], (last - (counts - 1) / 2)[inverse])


def _entropy(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """In nats, of distributions (n, 8)."""
    wide = rows.astype(np.float64)
    return cast(NDArray[np.float64], -(wide * np.log(np.clip(wide, 1e-12, 1))).sum(axis=1))


def _convolution(before: int, after: int, side: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, side, stride, side // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after))


def _standardise(faces: Tensor) -> Tensor:
    """Each face to mean 0 and deviation 1, so that exposure and contrast do not matter."""
    centred = faces - faces.mean(dim=(1, 2), keepdim=True)
    deviation = centred.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return centred / deviation.clamp_min(1e-3)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def _warp(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Flip, turn by up to 12°, scale by up to 16 % and shift by up to 8 % of the side."""
    count = len(faces)
    angle = _uniform(count, -0.21, 0.21, generator)
    scale = _uniform(count, -0.15, 0.15, generator).exp()
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)  # noqa: PLR2004
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    shift = [_uniform(count, -0.16, 0.16, generator) for _ in "xy"]  # the side is 2 units long
    rows = [torch.stack([cosine * mirror, -sine, shift[0]], 1)]
    rows.append(torch.stack([sine * mirror, cosine, shift[1]], 1))
    grid = functional.affine_grid(torch.stack(rows, 1), [count, 1, CROP, CROP], False)
    moved = functional.grid_sample(
        faces[:, None], grid, padding_mode="border", align_corners=False
    )
    return moved[:, 0]


def _resample(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Shrink a third of the faces and enlarge them again, as small or soft faces come."""
    third = len(faces) // 3
    side = int(torch.randint(16, 40, (1,), generator=generator))
    small = functional.interpolate(faces[:third, None], (side, side), mode="area")
    again = functional.interpolate(small, (CROP, CROP), mode="bilinear", align_corners=False)
    return torch.cat([again[:, 0], faces[third:]])


def _relight(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Gamma, contrast and brightness, clipped as a camera clips."""
    count = len(faces)
    gamma = _uniform(count, -0.4, 0.4, generator).exp()[:, None, None]
    contrast = _uniform(count, 0.7, 1.4, generator)[:, None, None]
    brightness = _uniform(count, -0.15, 0.15, generator)[:, None, None]
    bent = faces.clamp_min(1e-3) ** gamma
    return ((bent - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)


def _cut_out(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Grey out a square of up to 16 pixels (DeVries & Taylor 2017): hands, hair, text."""
    count = len(faces)
    side = _uniform(count, 0, 16, generator)[:, None]
    places = torch.arange(CROP)[None]
    spans = []
    for _ in "xy":
        start = _uniform(count, -8, CROP - 8, generator)[:, None]
        spans.append((places >= start) & (places < start + side))
    hidden = spans[0][:, :, None] & spans[1][:, None, :]
    return torch.where(hidden, faces.mean(dim=(1, 2), keepdim=True), faces)


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
