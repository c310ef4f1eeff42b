"""The `annotate` command: its group, what its errors look like, and which commands it has."""

from typing import Any

import click

from annotator import __version__
from annotator.commands import (
    completion,
    corpus,
    db,
    doctor,
    experiments,
    export,
    finetune,
    importing,
    loop,
    models,
    report,
    review,
    serve,
    simulate,
    training,
)
from annotator.errors import AnnotateError, EnvironmentFault

OURS = {"annotator", "lddu_model", "migrations"}
INSTALL = "install annotate-emotions again with pip, which brings what it needs"


class _Group(click.Group):
    """Turns the package's errors into one line and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AnnotateError as error:
            from annotator.console import printable

            click.echo(printable(f"Error: {error}"), err=True)
            ctx.exit(error.exit_code)
        except ModuleNotFoundError as error:
            package = str(error.name).partition(".")[0]
            if package in OURS:
                raise
            click.echo(f"Error: the package {package} is missing: {INSTALL}", err=True)
            ctx.exit(EnvironmentFault.exit_code)
        except KeyboardInterrupt:
            click.echo("Interrupted at once. The same command goes on from here.", err=True)
            ctx.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="annotate")
def main() -> None:
    """Annotate emotion video corpora: multi-label predictions with uncertainty.

    \b
    Examples:
      annotate run corpus/
      annotate list --uncertain-top 20
      annotate status
    """


for _command in (
    corpus.init,
    corpus.run,
    corpus.status,
    corpus.list_clips,
    corpus.show,
    corpus.retry,
    export.export,
    report.report,
    importing.import_group,
    review.pull,
    review.agreement,
    review.suggest,
    serve.serve,
    serve.serve_media,
    training.train,
    training.evaluate,
    finetune.finetune,
    loop.loop,
    experiments.ablate,
    experiments.sweep,
    experiments.crosseval,
    experiments.diagnose,
    experiments.corrupt_test,
    simulate.simulate,
    models.models,
    db.db,
    doctor.doctor,
    completion.completion,
):
    main.add_command(_command)


if __name__ == "__main__":
    main()
