"""What a way to choose clips is worth, on a corpus whose answers are known: simulate."""

from pathlib import Path

import click

from annotator.commands.options import (
    features_option,
    json_option,
    labels_option,
    names,
    settings_options,
)

STRATEGIES = "variance,entropy,bald,entropy:power,entropy:kmeans,entropy+balance"
ERRORS = ("none", "crema-d-voice", "crema-d-face", "crema-d-both", "ferplus")


def _strategies(_ctx: click.Context, _param: click.Parameter, text: str) -> tuple[str, ...]:
    return names(text) or ()


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of this simulation alone: its runs and the picture of the curves.",
)
@click.option(
    "--strategies",
    callback=_strategies,
    default=STRATEGIES,
    show_default=True,
    help="Comma-separated SCORE, SCORE:SELECTOR, or either with +balance; random is always there.",
)
@click.option(
    "--seeds", type=click.IntRange(1, 100), default=3, show_default=True, help="Runs of each."
)
@click.option(
    "--first", type=click.IntRange(1), default=100, show_default=True, help="Clips drawn by lot."
)
@click.option(
    "--batch", type=click.IntRange(1), default=100, show_default=True, help="Clips a round."
)
@click.option("--budget", type=click.IntRange(1), help="Clips in all. [default: the whole split]")
@click.option(
    "--raters", type=click.IntRange(1, 100), default=3, show_default=True, help="People a clip."
)
@click.option(
    "--errors",
    type=click.Choice(ERRORS),
    default="none",
    show_default=True,
    help="How people err, as measured; none: they name a label by the share of real votes, which "
    "is what a corpus with votes knows of them.",
)
@click.option(
    "--steps", type=click.IntRange(1), default=300, show_default=True, help="Of learning a round."
)
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes."
)
@settings_options
@labels_option
@features_option
@json_option
def simulate(
    data: Path,
    out: Path,
    strategies: tuple[str, ...],
    seeds: int,
    first: int,
    batch: int,
    budget: int | None,
    raters: int,
    errors: str,
    steps: int,
    workers: int,
    config: Path | None,
    assignments: tuple[str, ...],
    labels: tuple[str, ...] | None,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Find out how many labels a way to choose clips would save.

    DATA is a corpus that you have labels of, and its train split the pool. Round after round each
    strategy chooses clips, simulated people answer, a small network learns from all answers so far,
    and the test split measures it, at thresholds that the valid split chose. What a strategy saves
    is told at 95 % of the macro-F1 that all labels give, against choosing by lot. Finished runs are
    kept in --out, and the curves as a picture: the same command goes on from there.

    \b
    Examples:
      annotate simulate corpus/ --out simulation
      annotate simulate corpus/ --out simulation --strategies bald:kcenter
      annotate simulate acted/ --out simulation --errors crema-d-both
    """
    from annotator import simulation_console
    from annotator.datasets import open_dataset
    from annotator.experiments.pictures import needed
    from annotator.learning.settings import chosen
    from annotator.review_console import counting
    from annotator.simulation.annotators import Annotators
    from annotator.simulation.confusion import measured
    from annotator.simulation.learner import DEFAULTS
    from annotator.simulation.picture import draw_curves
    from annotator.simulation.rounds import Setup
    from annotator.simulation.simulation import simulate as run_simulation
    from annotator.simulation.strategy import strategy

    wanted = [strategy(text) for text in strategies]
    settings = chosen(DEFAULTS, config, assignments)
    setup = Setup(
        first=first, batch=batch, budget=budget, steps=steps, raters=raters, settings=settings
    )
    dataset = open_dataset(data, labels=labels, cache=cache)
    needed("matplotlib", "matplotlib")
    confusion = None if errors == "none" else measured(errors).matrix(dataset.labels)
    runs = seeds * (len({one.name for one in wanted} | {"random"}) + 1)
    with counting("simulating", runs) as progress:
        found = run_simulation(
            dataset,
            Annotators(raters, confusion),
            wanted,
            range(seeds),
            setup,
            out,
            workers=workers,
            progress=progress,
        )
    picture, _ = draw_curves(found, out / "curves")
    simulation_console.print_simulation(found, picture, as_json=as_json)
