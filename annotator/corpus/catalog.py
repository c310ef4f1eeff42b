"""What a run is asked to annotate: every media file of the given folders, files and manifests."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from annotator.corpus.manifest import Manifest, ManifestEntry, is_manifest, read_manifest
from annotator.corpus.plan import PlanSettings, plan_key
from annotator.corpus.remote_scan import Listing, list_remote
from annotator.corpus.scan import scan
from annotator.corpus.sidecars import SIDECAR_EXTENSIONS, SidecarFinder, Sidecars
from annotator.errors import UsageError
from annotator.media.remote import RemotePath
from annotator.types import Skipped, Source


@dataclass(frozen=True, slots=True)
class CatalogItem:
    """One media file with all that decides its clips; `plan_key` is the digest of that."""

    source: Source
    sidecars: Sidecars
    entries: tuple[ManifestEntry, ...]
    plan_key: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """The files by path, what was skipped and why, and the others' number by extension.

    Sidecars are not counted among the others.
    """

    items: Mapping[Path, CatalogItem]
    skipped: tuple[Skipped, ...] = ()
    other: Mapping[str, int] = field(default_factory=dict)


def read_catalog(paths: Sequence[Path], settings: PlanSettings) -> Catalog:
    """Scan folders and files, here and elsewhere, and read manifests; no media file is opened.

    A manifest may name a URL that lies in a corpus given beside it, and no other: what a table says
    is not followed.

    Raises:
        UsageError: a path does not exist or a manifest cannot be used.
        EnvironmentFault: a corpus elsewhere cannot be listed.
    """
    remote = [path for path in paths if isinstance(path, RemotePath)]
    paths = [path for path in paths if not isinstance(path, RemotePath)]
    _check_no_manifest(remote)
    elsewhere = list_remote(remote)
    manifests = {path: read_manifest(path) for path in paths if is_manifest(path)}
    entries: dict[Path, tuple[ManifestEntry, ...]] = {}
    for manifest in manifests.values():
        for media, rows in manifest.entries.items():
            entries[media] = entries.get(media, ()) + rows
    unlisted = {path: None for path in entries if _is_unlisted(path, elsewhere)}
    listed = [_source_of(path, elsewhere) for path in entries if path not in unlisted]
    found = scan([path for path in paths if path not in manifests])
    scanned = chain(found.sources, elsewhere.media)
    find = SidecarFinder(elsewhere.names)
    items = {}
    for source in chain(listed, (one for one in scanned if one.path not in entries)):
        sidecars, rows = find(source.path), entries.get(source.path, ())
        key = plan_key(source, sidecars, settings, rows, elsewhere.files)
        items[source.path] = CatalogItem(source, sidecars, rows, key)
    skipped = [*found.skipped, *elsewhere.skipped, *map(_not_listed, unlisted)]
    other = Counter(found.other) + elsewhere.other
    other = Counter({kind: n for kind, n in other.items() if kind not in SIDECAR_EXTENSIONS})
    return Catalog(items, (*skipped, *_problems(manifests)), dict(sorted(other.items())))


def _check_no_manifest(remote: Sequence[RemotePath]) -> None:
    for path in filter(is_manifest, remote):
        raise UsageError(
            f"{path} is a manifest elsewhere: copy it here, and name the corpus beside it, as in "
            f"annotate run {path.name} {path.parent}"
        )


def _is_unlisted(media: Path, elsewhere: Listing) -> bool:
    return isinstance(media, RemotePath) and media not in elsewhere.files


def _not_listed(media: Path) -> Skipped:
    return Skipped(
        media, f"not in a corpus that was named: give one beside the manifest, as in {media.parent}"
    )


def _source_of(media: Path, elsewhere: Listing) -> Source:
    """A file that a manifest names, whatever its extension: the probe will say what it is."""
    if (listed := elsewhere.files.get(media)) is not None:
        return listed
    status = media.stat()
    return Source(media, status.st_size, status.st_mtime_ns)


def _problems(manifests: Mapping[Path, Manifest]) -> Iterator[Skipped]:
    for path, manifest in manifests.items():
        for problem in manifest.problems:
            yield Skipped(path, f"row {problem.row}: {problem.reason}")
