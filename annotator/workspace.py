"""The folder that holds what the tool knows of a corpus: database, features, models.

`.annotate/` in the current folder or the nearest parent; `--workspace` or ANNOTATE_WORKSPACE
names another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.errors import EnvironmentFault, UsageError

if TYPE_CHECKING:
    from annotator.features.cache import FeatureCache
    from annotator.store.engine import Store

FOLDER = ".annotate"
VARIABLE = "ANNOTATE_WORKSPACE"
MAX_TITLE = 50  # characters of a Label Studio project's title


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where everything of one workspace lies."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.root / "annotate.db"

    @property
    def features(self) -> Path:
        """The feature cache."""
        return self.root / "features"

    @property
    def models(self) -> Path:
        """One folder a model version."""
        return self.root / "models"

    @property
    def pull_hint(self) -> Path:
        """A file that is touched when people have answered something."""
        return self.root / "pull.hint"

    @property
    def excerpts(self) -> Path:
        """Clips cut for a browser."""
        return self.root / "excerpts"

    @property
    def title(self) -> str:
        """Of its project in Label Studio: called after the folder that holds the workspace."""
        return f"annotate {self.root.resolve().parent.name}"[:MAX_TITLE]

    def open_store(self) -> "Store":
        """Open the database, upgrading it if it is older; close the store when done."""
        from annotator.store.engine import open_store

        return open_store(self.database)

    def cache(self) -> "FeatureCache":
        """The feature cache of this workspace."""
        from annotator.features.cache import FeatureCache

        return FeatureCache(self.features)


def locate(named: Path | None, environ: Mapping[str, str], here: Path) -> Path:
    """The workspace folder a command means; it need not exist yet.

    >>> locate(Path("w"), {}, Path("/c")), locate(None, {"ANNOTATE_WORKSPACE": "/v"}, Path("/c"))
    (PosixPath('w'), PosixPath('/v'))
    """
    if named is not None:
        return named
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE])
    for folder in (here, *here.parents):
        if (folder / FOLDER).is_dir():
            return folder / FOLDER
    return here / FOLDER


def open_workspace(root: Path, *, create: bool) -> Workspace:
    """The workspace at `root`; with `create` its folders are made.

    Raises:
        UsageError: there is none and `create` is false.
        EnvironmentFault: the folder cannot be made.
    """
    workspace = Workspace(root)
    if not create:
        if not workspace.database.is_file():
            raise UsageError(
                f"no workspace at {root}: run `annotate run CORPUS` or `annotate init` first, "
                "or name one with --workspace"
            )
        return workspace
    try:
        for folder in (root, workspace.features, workspace.models):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot make the workspace {root}: {error.strerror}; name another with --workspace"
        ) from error
    return workspace
