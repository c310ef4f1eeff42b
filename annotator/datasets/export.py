"""Write what the store tells of clips as a corpus that models train on."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from annotator.datasets.arrays_write import write_arrays
from annotator.datasets.from_store import corpus_of
from annotator.datasets.hf_write import write_hugging_face
from annotator.export.contents import Clip, Contents
from annotator.export.destination import binary_destination, folder_destination
from annotator.export.export import facts
from annotator.export.exported import Exported
from annotator.features.cache import FeatureCache
from annotator.learning.dataset import SPLITS
from annotator.types import Modality


def export_corpus(
    clips: Iterable[Clip],
    contents: Contents,
    extractors: Mapping[Modality, str],
    cache: FeatureCache,
    style: str,
    out: Path,
) -> Exported:
    """Write labelled clips with their features; see `corpus_of`.

    Args:
        clips: of `Store.timeline`.
        contents: whose labels.
        extractors: that the features must be from.
        cache: of the workspace.
        style: hugging-face, of which `out` is a folder, or arrays, of which it is a file.
        out: replaced as a whole.

    Raises:
        UsageError: as `corpus_of`, or `out` cannot be replaced.
        EnvironmentFault: the disk is full, or the place cannot be written to.
    """
    corpus = corpus_of(clips, contents, extractors, cache)
    about = facts(contents)
    if style == "arrays":
        with binary_destination(out) as file:
            write_arrays(file, corpus.dataset, corpus.predictions, about)
    else:
        with folder_destination(out, {f"{split}.parquet" for split in SPLITS}) as folder:
            write_hugging_face(corpus.dataset, folder, corpus.predictions, about)
    sizes = {name: len(examples) for name, examples in corpus.dataset.splits.items()}
    return Exported(sum(sizes.values()), out, splits=sizes, left_out=corpus.left_out)
