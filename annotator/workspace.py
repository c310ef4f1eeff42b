"""The folder that holds what the tool knows of a corpus: database, features, models.

`.annotate/` in the current folder or the nearest parent; `--workspace` or ANNOTATE_WORKSPACE
names another. The database may lie elsewhere: ANNOTATE_DATABASE or a file in the folder says where.
"""

import os
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
DATABASE_VARIABLE = "ANNOTATE_DATABASE"
MAX_URL = 10_000  # bytes of the file that holds one
MAX_TITLE = 50  # characters of a Label Studio project's title


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where everything of one workspace lies."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite database, where no other is named."""
        return self.root / "annotate.db"

    @property
    def address(self) -> Path:
        """The file that holds the URL of a database elsewhere; for its owner's eyes."""
        return self.root / "database.url"

    @property
    def elsewhere(self) -> str | None:
        """The URL of the database, if it is not the one in the folder.

        Raises:
            EnvironmentFault: the file with it cannot be read.
        """
        if named := os.environ.get(DATABASE_VARIABLE):
            return named
        try:
            with self.address.open("rb") as file:
                return file.read(MAX_URL).decode().strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise EnvironmentFault(
                f"{self.address} cannot be read: make it readable, or set {DATABASE_VARIABLE}"
            ) from error

    @property
    def exists(self) -> bool:
        """Whether there is a database, or a word where it is."""
        return self.elsewhere is not None or self.database.is_file()

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

        return open_store(self.elsewhere or self.database)

    def keep_elsewhere(self, url: str) -> None:
        """Have the database be another; it is opened, so that a wrong URL is told at once.

        Raises:
            UsageError: the URL is not one of a database the store supports.
            EnvironmentFault: the database does not answer, or the folder cannot be written to.
        """
        from annotator.store.engine import open_store

        open_store(url).close()
        draft = self.address.with_suffix(f".{os.getpid()}")
        try:
            draft.touch(mode=0o600)
            draft.write_text(f"{url}\n", encoding="utf-8")
            draft.replace(self.address)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise EnvironmentFault(f"{self.address} cannot be written: {error.strerror}") from error

    def cache(self) -> "FeatureCache":
        """The feature cache of this workspace."""
        from annotator.features.cache import FeatureCache

        return FeatureCache(self.features)


def locate(
    named: Path | None, environ: Mapping[str, str], here: Path, *, above: bool = True
) -> Path:
    """The workspace folder a command means; it need not exist yet.

    `above`: it may be that of a folder above.

    >>> locate(Path("w"), {}, Path("/c")), locate(None, {"ANNOTATE_WORKSPACE": "/v"}, Path("/c"))
    (PosixPath('w'), PosixPath('/v'))
    """
    if named is not None:
        return named
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE])
    for folder in (here, *here.parents) if above else ():
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
        if not workspace.exists:
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
