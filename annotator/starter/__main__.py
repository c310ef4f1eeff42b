"""Make the starter's text encoder, its corpus of features, and of its training what ships.

    python -m annotator.starter text --data DATA --out annotator/features/weights/minilm.safetensors
    python -m annotator.starter corpus --data DATA --out corpus
    annotate train corpus --out training --config benchmarks/starter.toml
    python -m annotator.starter ship training --out annotator/models/starter

`make starter` does it. DATA holds `ravdess`, `emodb`, `ferplus`, `goemotions` and `mosei`. The
corpus is a Parquet file a split, for `annotate train`, and a folder for each source in `parts`,
for `annotate eval`.
"""

from pathlib import Path

import click
import torch

from annotator.datasets.hf_write import write_hugging_face
from annotator.errors import UsageError
from annotator.features.extractor import DEFAULT_EXTRACTORS, extractor_spec
from annotator.learning.card import open_model
from annotator.learning.dataset import TRAIN, VALID, Dataset, Example
from annotator.starter import encoder, faces, speech, texts, trios
from annotator.starter.labels import LABELS
from annotator.types import MODALITIES, Modality
from lddu_model import save

SOURCES = ("ravdess", "emodb", "ferplus", "goemotions", "mosei")
TRIOS = {TRAIN: 7_000, VALID: 100}
SEED = 0

Splits = dict[str, list[Example]]


def source_splits(name: str, data: Path, workers: int) -> Splits:
    """The examples of one source by split."""
    if name == "ravdess":
        return speech.examples(speech.ravdess(data / name), workers, variants=6)
    if name == "emodb":
        return speech.examples(speech.emodb(data / name), workers, variants=12)
    if name == "ferplus":
        return faces.examples(data / name, workers)
    rows = texts.goemotions(data / name / "ekman") if name == "goemotions" else None
    return texts.examples(list(rows or texts.mosei(data / "mosei")), workers)


def corpus(name: str, splits: Splits) -> Dataset:
    """Examples as a dataset of features of our own."""
    specs = {m: extractor_spec(DEFAULT_EXTRACTORS[m]) for m in MODALITIES}
    present: list[Modality] = [
        m for m in MODALITIES if any(m in e.features for part in splits.values() for e in part)
    ]
    return Dataset(
        name=name,
        labels=LABELS,
        dimensions={m: specs[m].dimension for m in present},
        extractors={m: specs[m].id for m in present},
        splits=splits,
    )


def with_trios(parts: dict[str, Splits]) -> Splits:
    """All sources together, and the trios made of them."""
    whole: Splits = {}
    for splits in parts.values():
        for split, examples in splits.items():
            whole.setdefault(split, []).extend(examples)
    for split, count in TRIOS.items():
        sources: dict[Modality, list[Example]] = {
            m: [e for e in whole[split] if m in e.features] for m in MODALITIES
        }
        whole[split] = whole[split] + trios.pair(sources, count, SEED, split)
    return whole


def _demand(data: Path, *sources: str) -> None:
    for name in sources:
        if not (data / name).is_dir():
            raise click.UsageError(f"{data} holds no {name}: expected {', '.join(sources)}")


@click.group()
def main() -> None:
    """Make the model that ships."""


@main.command("text")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--epochs", default=2, show_default=True)
@click.option("--seed", default=0, show_default=True)
def write_encoder(data: Path, out: Path, epochs: int, seed: int) -> None:
    """Fine-tune the text encoder on the sentences in DATA and write its layers and heads to OUT."""
    _demand(data, "mosei", "goemotions")
    out.parent.mkdir(parents=True, exist_ok=True)  # before the minutes of training
    for number, measured in enumerate(encoder.fine_tune(data, out, epochs, seed), start=1):
        told = ", ".join(f"{name} {value:.3f}" for name, value in measured.items())
        click.echo(f"epoch {number}: mean AP of what validates: {told}")


@main.command("corpus")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--workers", default=2, show_default=True)
def write_corpus(data: Path, out: Path, workers: int) -> None:
    """Read the sources in DATA, extract their features and write the corpus to OUT."""
    _demand(data, *SOURCES)
    parts: dict[str, Splits] = {}
    for name in SOURCES:
        parts[name] = source_splits(name, data, workers)
        write_hugging_face(corpus(name, parts[name]), out / "parts" / name)
        counts = ", ".join(f"{len(rows)} {split}" for split, rows in parts[name].items())
        click.echo(f"{name}: {counts}")
    write_hugging_face(corpus("starter", with_trios(parts)), out)
    click.echo(f"corpus: {out}")


@main.command()
@click.argument("training", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
def ship(training: Path, out: Path) -> None:
    """Write the model of TRAINING to OUT with weights of half precision."""
    try:
        model = open_model(training)
        digest = save(model.network, out, model.metadata, dtype=torch.float16)
    except (UsageError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    size = sum(file.stat().st_size for file in out.iterdir())
    click.echo(f"{out}: {size / 1e6:.1f} MB, weights {digest[:12]}")


if __name__ == "__main__":
    main()
