"""Servers that Label Studio and its pages ask: serve, serve-media."""

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from annotator.commands.completion import complete_models
from annotator.commands.options import device_option, workspace_option

if TYPE_CHECKING:
    from annotator.workspace import Workspace


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=9090,
    show_default=True,
    help="Likewise; 0 takes a free one.",
)
@click.option(
    "--model", help="Model version. [default: as for run]", shell_complete=complete_models
)
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    help="A name the server is reached by, besides localhost; may be given several times.",
)
@device_option
@workspace_option()
def serve(
    host: str,
    port: int,
    model: str | None,
    names: tuple[str, ...],
    device: str,
    workspace: "Workspace",
) -> None:
    """Serve predictions to Label Studio as its ML backend.

    Connect it in a project that `annotate export` made, under Settings, Model. Answers are those of
    the workspace; a clip that the model has not seen is answered from cached features, and one
    without any gets no prediction. As a webhook of the project (Settings, Webhooks), with /webhook
    after the address, it has `annotate pull --watch` pull at once.

    Other machines are let in only with a token in ANNOTATE_SERVE_TOKEN, which then everyone must
    show: as the password of basic authentication (any user), or in a webhook as the header
    Authorization with "Bearer" and the token.

    \b
    Examples:
      annotate serve
      annotate serve --host 0.0.0.0 --port 9090 --model mosei
    """
    from annotator import console, registry
    from annotator.labelstudio.backend import serve_backend
    from annotator.labelstudio.guard import names_of, token_of
    from annotator.labelstudio.live import open_answering

    token_of(os.environ, host)  # refused before the model is loaded
    names_of(host, names)
    with workspace.open_store() as store:
        version = registry.choose(workspace, model)
        console.warn_if_untrained(version)
        answering = open_answering(store, workspace.cache(), version, device)

        def ready(address: str) -> None:
            console.say(f"Model {answering.version} answers at {address}; Ctrl-C stops.")

        serve_backend(
            answering,
            workspace.pull_hint,
            host,
            port,
            environ=os.environ,
            names=names,
            ready=ready,
        )


@click.command("serve-media")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=8081, show_default=True, help="Likewise."
)
@click.option(
    "--origin",
    help="The one whose pages may read the clips, as in https://labels.example.org. "
    "[default: that of LABEL_STUDIO_URL]",
)
@workspace_option()
def serve_media(host: str, port: int, origin: str | None, workspace: "Workspace") -> None:
    """Serve exported clips to the pages of Label Studio.

    Those alone, and nothing else of the disk. Needed where Label Studio cannot serve them itself,
    as on another machine. Addresses are signed and run out. ANNOTATE_MEDIA_KEY signs them, and must
    be the same for `annotate export`; ANNOTATE_MEDIA_URL tells that command where this one is
    reached.

    \b
    Examples:
      export ANNOTATE_MEDIA_KEY=$(openssl rand -hex 32)
      export ANNOTATE_MEDIA_URL=http://localhost:8081
      annotate export --uncertain-top 100
      annotate serve-media
    """
    from annotator import console
    from annotator.labelstudio.failures import URL
    from annotator.labelstudio.media_server import serve_media as serve_clips
    from annotator.labelstudio.signed_urls import media_key

    key = media_key(os.environ)
    if origin is None:
        server = urlsplit(os.environ.get(URL, ""))
        if not server.netloc:
            raise click.UsageError(f"say whose pages may read the clips: --origin, or set {URL}")
        origin = f"{server.scheme}://{server.netloc}"
    serve_clips(
        workspace.excerpts,
        key,
        origin,
        host=host,
        port=port,
        ready=lambda address: console.say(f"Clips are served at {address}; Ctrl-C stops."),
    )
