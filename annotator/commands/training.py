"""Train a model and measure it: train, eval."""

from pathlib import Path

import click

from annotator.commands.inputs import to_train
from annotator.commands.options import (
    SPLITS,
    device_option,
    features_option,
    format_option,
    json_lines_option,
    labels_option,
    out_option,
    resamples_option,
    settings_options,
)


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@out_option
@settings_options
@labels_option
@features_option
@device_option
@json_lines_option
def train(
    data: Path,
    out: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
    as_json: bool,
) -> None:
    """Train LDDU on a labelled corpus.

    DATA is an MMSA or CARAT pickle, a CSV of CMU-MOSEI labels, a manifest with features that
    `annotate run` has cached, or a Hugging Face datasets folder. The validation split alone
    decides when to stop and where the thresholds lie. The same command goes on where a training
    was cut off. For several processes start it with torchrun.

    \b
    Examples:
      annotate train mosei_unaligned.pkl --out trainings/mosei
      annotate train clips.csv --out trainings/ours --config ours.toml --set train.epochs=10
    """
    from annotator import training_console
    from annotator.learning.card import open_model
    from annotator.learning.distributed import join
    from annotator.learning.training import train as train_model

    dataset, settings, chosen = to_train(data, config, assignments, labels, cache, device)
    ranks = join(chosen)
    with training_console.training_display(as_json=as_json, silent=not ranks.first) as watcher:
        folder = train_model(dataset, settings, out, device=chosen, watcher=watcher, ranks=ranks)
    if ranks.first:
        validation = open_model(folder).metadata["validation"]
        training_console.print_trained(folder, validation, as_json=as_json)


@click.command("eval")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--split", type=SPLITS, default="test", show_default=True, help="Of the clips.")
@format_option
@resamples_option
@labels_option
@features_option
@device_option
def evaluate(
    data: Path,
    models: tuple[Path, ...],
    split: str,
    style: str,
    resamples: int,
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
) -> None:
    """Measure models: decisions, calibration, selection, σ.

    MODELS are folders that `annotate train` wrote. Thresholds are those that the training chose
    on its validation split. With several models, such as seeds, mean and deviation are added.

    \b
    Examples:
      annotate eval mosei_unaligned.pkl trainings/mosei
      annotate eval mosei_unaligned.pkl trainings/seed-* --format latex
    """
    from annotator import training_console
    from annotator.datasets import open_dataset
    from annotator.learning.card import open_model
    from annotator.learning.evaluation import evaluate_model
    from annotator.predict import choose_device

    opened = {str(folder): open_model(folder) for folder in models}
    chosen = choose_device(device)
    dataset = open_dataset(data, labels=labels, cache=cache)
    evaluations = {
        name: evaluate_model(model, dataset, split, device=chosen, resamples=resamples)
        for name, model in opened.items()
    }
    training_console.print_evaluations(evaluations, style)
