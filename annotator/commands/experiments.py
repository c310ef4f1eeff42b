"""Question a model and its training: ablate, sweep, crosseval, diagnose, corrupt-test."""

from pathlib import Path

import click

from annotator.commands.inputs import to_train
from annotator.commands.options import (
    SPLITS,
    device_option,
    features_option,
    format_option,
    json_option,
    labels_option,
    out_option,
    resamples_option,
    settings_options,
)
from annotator.errors import EnvironmentFault


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@out_option
@settings_options
@click.option("--seeds", default="0,1,2", show_default=True, help="Comma-separated seeds.")
@click.option(
    "--split",
    type=click.Choice(["valid", "test"]),
    default="valid",
    show_default=True,
    help="The split to measure on; thresholds always come from valid.",
)
@format_option
@labels_option
@features_option
@device_option
def ablate(
    data: Path,
    out: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    seeds: str,
    split: str,
    style: str,
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
) -> None:
    """Show what each part of LDDU is worth, by leaving it out.

    Every row is trained with every seed; finished trainings are not done again.

    \b
    Example:
      annotate ablate mosei.pkl --out ablation --seeds 0,1,2,3,4 --format latex
    """
    from annotator import training_console
    from annotator.experiments.ablation import ablate as run_ablation

    numbers = _whole_numbers(seeds)
    dataset, settings, chosen = to_train(data, config, assignments, labels, cache, device)
    with training_console.training_display(as_json=False) as watcher:
        found = run_ablation(
            dataset, settings, out, seeds=numbers, device=chosen, watcher=watcher, split=split
        )
    tables = (found.table(), found.differences())
    training_console.print_tables(tables, found.to_json(), style)


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@out_option
@settings_options
@click.option("--trials", type=click.IntRange(1), help="Points of the grid to try. [default: 27]")
@format_option
@labels_option
@features_option
@device_option
def sweep(
    data: Path,
    out: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    trials: int | None,
    style: str,
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
) -> None:
    """Search the paper's grid of λ, β and γ.

    The validation split alone judges. The same command goes on where it was cut off; more --trials
    add to those done.

    \b
    Example:
      annotate sweep mosei.pkl --out sweep --trials 9
    """
    from annotator import training_console

    try:
        from annotator.experiments.sweep import sweep as run_sweep
    except ImportError as error:
        raise EnvironmentFault(
            f"{error.name} is missing: pip install 'annotate-emotions[experiments]'"
        ) from error
    dataset, settings, chosen = to_train(data, config, assignments, labels, cache, device)
    with training_console.training_display(as_json=False) as watcher:
        found = run_sweep(dataset, settings, out, device=chosen, watcher=watcher, trials=trials)
    training_console.print_tables((found.table(),), found.to_json(), style)


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--split", type=SPLITS, help="Only this split. [default: all]")
@click.option(
    "--map",
    "named",
    multiple=True,
    metavar="CORPUS=MODEL",
    help="A label of the corpus that means one of the model's; may be given several times.",
)
@resamples_option
@format_option
@features_option
@device_option
def crosseval(
    data: Path,
    model: Path,
    split: str | None,
    named: tuple[str, ...],
    resamples: int,
    style: str,
    cache: Path | None,
    device: str,
) -> None:
    """Measure a model on a corpus it was not trained on.

    The labels that both have count. Names such as joy and happy are known to mean the same; --map
    tells of others.

    \b
    Example:
      annotate crosseval meld.csv trainings/mosei --map content=happy
    """
    from annotator import training_console
    from annotator.datasets import open_dataset
    from annotator.experiments.crosseval import crosseval as run_crosseval
    from annotator.predict import choose_device

    meant = _pairs(named)
    found = run_crosseval(
        model,
        open_dataset(data, cache=cache),
        device=choose_device(device),
        split=split,
        named=meant,
        resamples=resamples,
    )
    training_console.print_crosseval(found, style)


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@settings_options
@click.option("--split", type=SPLITS, default="valid", show_default=True, help="Of the clips.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="Where to draw the latent distributions, as .png and .svg.",
)
@json_option
@labels_option
@features_option
@device_option
def diagnose(
    data: Path,
    model: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    split: str,
    picture: Path | None,
    as_json: bool,
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
) -> None:
    """Look for LDDU's failure signatures, with remedies.

    Each comes with a number and the threshold it is held against. Of an unfinished training name
    the folder, and its settings as for `annotate train`.

    \b
    Example:
      annotate diagnose mosei.pkl trainings/mosei --picture latents
    """
    from annotator import training_console
    from annotator.experiments.diagnosis import diagnose as run_diagnosis
    from annotator.experiments.diagnosis_training import best_so_far, open_training
    from annotator.learning.card import open_model

    dataset, settings, chosen = to_train(data, config, assignments, labels, cache, device)
    training = open_training(model, dataset, settings, chosen)
    opened = best_so_far(training, dataset) if training else open_model(model)
    found = run_diagnosis(opened, dataset, split, device=chosen, picture=picture)
    training_console.print_diagnosis(found, as_json=as_json)


@click.command("corrupt-test")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--split", type=SPLITS, default="valid", show_default=True, help="Of the clips.")
@click.option(
    "--picture", type=click.Path(path_type=Path), help="Where to draw curves, as .png and .svg."
)
@click.option(
    "--media-clips",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Of as many clips, drawn by lot, the media themselves are spoilt; some seconds each.",
)
@resamples_option
@json_option
@labels_option
@features_option
@device_option
def corrupt_test(
    data: Path,
    model: Path,
    split: str,
    picture: Path | None,
    media_clips: int,
    resamples: int,
    as_json: bool,
    labels: tuple[str, ...] | None,
    cache: Path | None,
    device: str,
) -> None:
    """Spoil clips ever more: does uncertainty rise with it?

    It must, and quality must fall gracefully. Features are spoilt. Where the corpus has the words
    or the media that they were made from (media: a manifest), so are these, and features made anew:
    words are deleted and substituted, pictures snow, blur and darken, sound hisses, is muffled and
    weakened.

    \b
    Example:
      annotate corrupt-test mosei.pkl trainings/mosei --picture curves
    """
    from annotator import training_console
    from annotator.datasets import open_dataset
    from annotator.experiments.corruption_curves import STRENGTHS
    from annotator.experiments.corruption_curves import corrupt_test as run_corrupt_test
    from annotator.experiments.corruption_media import media_corruptions
    from annotator.experiments.corruption_picture import draw_curves
    from annotator.experiments.corruption_words import word_corruptions
    from annotator.learning.card import open_model
    from annotator.learning.corruption import CORRUPTIONS, Way
    from annotator.learning.evaluation import demand_fit
    from annotator.predict import choose_device
    from annotator.review_console import counting

    opened, chosen = open_model(model), choose_device(device)
    dataset = open_dataset(data, labels=labels, cache=cache)
    demand_fit(opened, dataset)  # before the minutes that media may take
    examples = dataset.split(split)
    with counting("spoiling media", None) as advance:
        media = media_corruptions(dataset, examples, STRENGTHS, media_clips, told=advance)
    ways: tuple[Way, ...] = (*CORRUPTIONS, *word_corruptions(dataset, examples), *media)
    found = run_corrupt_test(
        opened, dataset, split, device=chosen, corruptions=ways, resamples=resamples
    )
    if picture:
        draw_curves(found, picture)
    training_console.print_corruption(found, as_json=as_json)


def _whole_numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of whole numbers, as in 0,1,2") from None


def _pairs(assignments: tuple[str, ...]) -> dict[str, str]:
    pairs = [assignment.partition("=") for assignment in assignments]
    if any(not (left.strip() and right.strip()) for left, _, right in pairs):
        raise click.BadParameter("--map takes CORPUS=MODEL, as in content=happy")
    return {left.strip(): right.strip() for left, _, right in pairs}
