"""What a run is asked to annotate: every media file of the given folders, files and manifests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from annotator.corpus.manifest import Manifest, ManifestEntry, is_manifest, read_manifest
from annotator.corpus.plan import PlanSettings, plan_key
from annotator.corpus.scan import scan
from annotator.corpus.sidecars import SIDECAR_EXTENSIONS, SidecarFinder, Sidecars
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
    """Scan folders and files and read manifests; no media file is opened.

    Raises:
        UsageError: a path does not exist or a manifest cannot be used.
    """
    manifests = {path: read_manifest(path) for path in paths if is_manifest(path)}
    entries: dict[Path, tuple[ManifestEntry, ...]] = {}
    for manifest in manifests.values():
        for media, rows in manifest.entries.items():
            entries[media] = entries.get(media, ()) + rows
    listed = [_source_of(media) for media in entries]
    found = scan([path for path in paths if path not in manifests])
    find = SidecarFinder()
    items = {}
    for source in (*listed, *(source for source in found.sources if source.path not in entries)):
        sidecars, rows = find(source.path), entries.get(source.path, ())
        key = plan_key(source, sidecars, settings, rows)
        items[source.path] = CatalogItem(source, sidecars, rows, key)
    skipped = [*found.skipped, *_problems(manifests)]
    other = {kind: n for kind, n in found.other.items() if kind not in SIDECAR_EXTENSIONS}
    return Catalog(items, tuple(skipped), other)


def _source_of(media: Path) -> Source:
    """A file that a manifest names, whatever its extension: the probe will say what it is."""
    status = media.stat()
    return Source(media, status.st_size, status.st_mtime_ns)


def _problems(manifests: Mapping[Path, Manifest]) -> Iterator[Skipped]:
    for path, manifest in manifests.items():
        for problem in manifest.problems:
            yield Skipped(path, f"row {problem.row}: {problem.reason}")
