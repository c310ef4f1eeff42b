"""Splits for corpora that have none: by group, so that no video or speaker is on both sides."""

import hashlib
from collections.abc import Sequence

from annotator.corpus.manifest_cells import SPLITS as SPELLINGS
from annotator.learning.dataset import TEST, TRAIN, VALID, Example

VALID_SHARE = 0.2  # of the groups
_OURS = {"train": TRAIN, "val": VALID, "test": TEST}


def split_named(name: str) -> str | None:
    """Our name of a split, however it is spelled; None if it is none.

    >>> split_named("validation"), split_named("Dev"), split_named("all")
    ('valid', 'valid', None)
    """
    return _OURS.get(SPELLINGS.get(name.strip().lower(), ""))


def split_by_group(examples: Sequence[Example]) -> dict[str, list[Example]]:
    """Train and valid, 80 to 20 by groups in the order of their hashes; never a test split.

    Depends on the set of groups alone, not on their order or on chance. A single group is all
    train: there is nothing to judge by.
    """
    groups = sorted({example.group for example in examples}, key=_digest)
    count = max(1, round(VALID_SHARE * len(groups))) if len(groups) > 1 else 0
    held = set(groups[:count])
    splits: dict[str, list[Example]] = {TRAIN: [], VALID: []}
    for example in examples:
        splits[VALID if example.group in held else TRAIN].append(example)
    return splits


def hashed_split(group: str, seed: int, valid: float, test: float) -> str:
    """The split of a group, whatever other groups there are or come later.

    Args:
        group: a video or speaker.
        seed: of the hash.
        valid: about this share of all groups chooses among models.
        test: about this share is held out.

    >>> [hashed_split(name, 0, 0.2, 0.2) for name in ("ann", "bob", "cat", "dan")]
    ['train', 'train', 'train', 'test']
    """
    share = int.from_bytes(_digest(f"{seed} {group}")[:8]) / 2**64
    if share < test:
        return TEST
    return VALID if share < test + valid else TRAIN


def _digest(group: str) -> bytes:
    return hashlib.sha256(group.encode("utf-8", "surrogatepass")).digest()
