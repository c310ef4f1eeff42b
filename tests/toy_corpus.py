"""A small labelled corpus with features, for everything that trains."""

import sys
from pathlib import Path

import numpy as np

from annotator.learning.dataset import Dataset, Example
from annotator.learning.settings import Settings, override
from annotator.types import MODALITIES

LABELS = ("happy", "sad", "anger")
DIMENSION = 6
TINY = (
    "train.epochs=3",
    "train.batch=16",
    "train.learning_rate=3e-3",
    "loss.queue=100",
    "network.hidden=8",
    "network.feedforward=8",
    "network.heads=2",
    "network.layers=1",
    "network.latent_hidden=[8]",
    "network.latent=4",
    "network.head_hidden=8",
)

ARGUMENTS = tuple(word for assignment in TINY for word in ("--set", assignment))


def corpus(train: int = 70, valid: int = 40, test: int = 30) -> Dataset:
    """Steps lie around the mean of the clip's labels; now and then a modality is missing."""
    return Dataset(
        name="toy",
        labels=LABELS,
        dimensions=dict.fromkeys(MODALITIES, DIMENSION),
        extractors={m: f"foreign {m}" for m in MODALITIES},
        splits={
            "train": _examples("train", train),
            "valid": _examples("valid", valid),
            "test": _examples("test", test),
        },
        files={"toy.pkl": "0" * 64},
    )


def settings(*assignments: str) -> Settings:
    """A network that trains in a second."""
    return override(Settings(), (*TINY, *assignments))


def _examples(split: str, count: int) -> list[Example]:
    random = np.random.default_rng([len(split), count])
    means = np.random.default_rng(0).normal(size=(3, len(LABELS), DIMENSION))
    examples = []
    for number in range(count):
        target = (random.random(len(LABELS)) < 0.4).astype(np.float32)
        features = {
            m: (target @ means[i] + random.normal(size=(random.integers(1, 9), DIMENSION))).astype(
                np.float32
            )
            for i, m in enumerate(MODALITIES)
            if i == number % 3 or random.random() < 0.8
        }
        group = f"{split}-{number // 4}"
        examples.append(Example(f"{split}-{number}", group, features, target, raters=3))
    return examples


def write_parquet(folder: Path, dataset: Dataset | None = None) -> Path:
    """The corpus as a folder of parquet files that `annotate train` reads."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = dataset or corpus()
    (folder / "data").mkdir(parents=True)
    for split, examples in whole.splits.items():
        columns: dict[str, list[object]] = {
            m: [e.features[m].tolist() if m in e.features else None for e in examples]
            for m in MODALITIES
        }
        for column, label in enumerate(whole.labels):
            columns[f"label:{label}"] = [float(e.target[column]) for e in examples]
        columns |= {"id": [e.id for e in examples], "video": [e.group for e in examples]}
        types = [(m, pa.list_(pa.list_(pa.float32()))) for m in MODALITIES]
        types += [(f"label:{label}", pa.float32()) for label in whole.labels]
        types += [("id", pa.string()), ("video", pa.string())]
        file = folder / "data" / f"{split.replace('valid', 'validation')}-00000-of-00001.parquet"
        pq.write_table(pa.table(columns, schema=pa.schema(types)), file)
    return folder


class Silent:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.epochs: list[object] = []

    def step(self, done: int, total: int, part: str) -> None:
        assert 0 < done <= total
        assert part

    def epoch(self, epoch: object) -> None:
        self.epochs.append(epoch)


def main() -> None:
    """Train on the corpus in this process, as one of torchrun's if it started us."""
    import torch

    from annotator.learning.distributed import join
    from annotator.learning.training import train

    out, *assignments = sys.argv[1:]
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    ranks = join(cpu)
    given = settings(*assignments)
    train(corpus(), given, Path(out), device=cpu, watcher=Silent(), ranks=ranks)


if __name__ == "__main__":
    main()
