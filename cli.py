"""The `annotate` command: its group, what its errors look like, and which commands it has."""

from typing import Any

import click

from annotator import __version__
from annotator.commands import (
    corpus,
    experiments,
    export,
    importing,
    models,
    review,
    serve,
    training,
)
from annotator.errors import AnnotateError


class _Group(click.Group):
    """Turns the package's errors into one line and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AnnotateError as error:
            from annotator.console import printable

            click.echo(printable(f"Error: {error}"), err=True)
            ctx.exit(error.exit_code)
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
    importing.import_group,
    review.pull,
    review.agreement,
    serve.serve,
    serve.serve_media,
    training.train,
    training.evaluate,
    experiments.ablate,
    experiments.sweep,
    experiments.crosseval,
    experiments.diagnose,
    experiments.corrupt_test,
    models.models,
):
    main.add_command(_command)


if __name__ == "__main__":
    main()
