"""The workspace: where it is, whether it can be written to, and whether its database is sound."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from annotator.doctor.check import Check, attempt, failed, ok, warning
from annotator.workspace import Workspace

GIB = 2**30
SCARCE_BYTES = 2 * GIB  # features of a thousand clips take about half of it
EMPTY_BYTES = GIB // 4
DRAFT_AGE_S = 24 * 3600.0  # of a draft whose process must have died
DRAFTS = ("models/.*", "features/**/.*.tmp", "excerpts/.*.mp4.*")


def checks(place: Workspace) -> Iterator[Check]:
    """All of it; one line where there is none."""
    yield from attempt("disk", lambda: [_space(place.root)])
    if not place.exists:
        yield ok(
            "workspace",
            f"none at {place.root}",
            "`annotate run CORPUS` or `annotate init` makes one; --workspace names another",
        )
        return
    yield _writable(place)
    elsewhere = place.elsewhere
    yield from attempt(
        "database",
        lambda: [_database(place.database) if elsewhere is None else _server(elsewhere)],
    )
    yield from attempt("drafts", lambda: [_drafts(place.root)])


def _writable(place: Workspace) -> Check:
    parts = (place.root, place.database, place.features, place.models)
    for path in filter(Path.exists, parts):
        if not os.access(path, os.W_OK):
            return failed(
                "workspace",
                f"cannot write to {path}",
                "make it writable, or name another with --workspace",
            )
    return ok("workspace", str(place.root))


def _database(path: Path) -> Check:
    from annotator.store.migrate import HEAD, check_known
    from annotator.store.readonly import health

    seen = health(path)
    if seen.damage:
        return failed(
            "database",
            f"{path} is damaged: {seen.damage.splitlines()[0]}",
            "restore a backup from beside it, or move it away",
        )
    if seen.revision != HEAD:
        if seen.revision is not None:
            check_known(seen.revision, str(path))
        return warning(
            "database",
            f"schema {seen.revision or 'none'}, this version has {HEAD}",
            "`annotate status` brings it up to date and keeps a backup beside it",
        )
    size = f"{path.stat().st_size / 1e6:.1f} MB, schema {HEAD}"
    if not seen.whole:
        return ok(
            "database",
            f"{size}; too large to look through here",
            f"sqlite3 {path} 'PRAGMA quick_check'",
        )
    return ok("database", f"{size}, sound")


def _server(url: str) -> Check:
    from annotator.store.migrate import HEAD
    from annotator.store.server import look

    name, revision = look(url)
    if revision != HEAD:
        return warning(
            "database",
            f"{name}: schema {revision or 'none'}, this version has {HEAD}",
            "`annotate status` brings it up to date",
        )
    return ok("database", f"{name}, schema {HEAD}")


def _space(root: Path) -> Check:
    """What is free where the workspace is, or would be."""
    there = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / GIB:.1f} GiB free at {there}"
    remedy = "free some space, or name a workspace on another disk with --workspace"
    if free < EMPTY_BYTES:
        return failed("disk", found, remedy)
    return warning("disk", found, remedy) if free < SCARCE_BYTES else ok("disk", found)


def _drafts(root: Path) -> Check:
    """What processes that were killed have left half written."""
    old = time.time() - DRAFT_AGE_S
    found = [path for pattern in DRAFTS for path in root.glob(pattern)]
    left = [path for path in found if path.lstat().st_mtime < old]
    if not left:
        return ok("drafts", "none left over")
    return warning(
        "drafts",
        f"{len(left)} half-written by processes that were killed, such as {left[0]}",
        "remove them: nothing refers to them",
    )
