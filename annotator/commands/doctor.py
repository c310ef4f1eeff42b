"""Look whether everything is there that the tool needs: doctor."""

import os
from pathlib import Path

import click

from annotator.commands.options import json_option


def _root(_ctx: click.Context, _param: click.Parameter, named: Path | None) -> Path:
    from annotator.workspace import locate

    return locate(named, os.environ, Path.cwd())


@click.command()
@click.option(
    "--workspace",
    "root",
    type=click.Path(path_type=Path),
    callback=_root,
    help="Folder of database, features and models; none is made. "
    "[default: ANNOTATE_WORKSPACE, or the nearest .annotate]",
)
@json_option
def doctor(root: Path, as_json: bool) -> None:
    """Check that everything needed is there; say what to do.

    That is Python and packages, ffmpeg and its codecs, the GPU, weights, the workspace, its models
    and the Label Studio server. Each check is ok, a warning (it works, but less well) or failed,
    with one line that says what to do. Nothing is changed, and no token is shown. Where there is no
    workspace, none is made.

    Exit codes: 0 nothing failed, 2 wrong use, 3 something failed.

    \b
    Examples:
      annotate doctor
      annotate doctor --json
    """
    from annotator.doctor.examine import examine
    from annotator.doctor_console import print_checks
    from annotator.review_console import counting

    checks = []
    with counting("checking", None) as progress:
        for check in examine(root, os.environ):
            checks.append(check)
            progress(1)
    print_checks(checks, as_json=as_json)
    raise SystemExit(3 if any(check.state == "failed" for check in checks) else 0)
