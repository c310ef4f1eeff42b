"""Which labels of two corpora mean the same, by name.

Names are compared without regard to case, spaces, dashes and underscores. Where they differ still,
the synonyms below decide; they are those that the corpora of the field use (CMU-MOSEI, M3ED, MELD,
IEMOCAP, CREMA-D, RAVDESS, AFEW). `calm` counts as `neutral`, as RAVDESS's own papers often have it.
Labels that are merely near, such as `excited` and `happy`, are not joined: whoever wants that names
the pair.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from annotator.errors import UsageError

SYNONYMS = (
    frozenset({"happy", "happiness", "joy", "joyful", "hap"}),
    frozenset({"sad", "sadness"}),
    frozenset({"anger", "angry", "ang"}),
    frozenset({"fear", "fearful", "fea"}),
    frozenset({"disgust", "disgusted", "dis"}),
    frozenset({"surprise", "surprised", "sur"}),
    frozenset({"neutral", "neutrality", "calm", "neu"}),
    frozenset({"contempt", "contemptuous"}),
    frozenset({"excitement", "excited", "exc"}),
    frozenset({"frustration", "frustrated", "fru"}),
)


@dataclass(frozen=True, slots=True)
class Matched:
    """How a corpus's labels stand to a model's."""

    pairs: Mapping[str, str]  # corpus → model; several may stand for one
    unknown: tuple[str, ...]  # of the corpus: the model cannot answer them
    unasked: tuple[str, ...]  # of the model: the corpus has no truth of them


def match_labels(
    corpus: Sequence[str], model: Sequence[str], named: Mapping[str, str] | None = None
) -> Matched:
    """Find for each label of a corpus the one of a model that means the same.

    Args:
        corpus: its labels.
        model: its labels.
        named: pairs (corpus → model) that are to hold whatever the names say.

    Raises:
        UsageError: a named pair is of no such labels, several labels of the model fit one of the
            corpus, or no label has a counterpart.

    >>> match_labels(["Joy", "calm", "neutral", "contempt"], ["happy", "sad", "neutral"])
    ... # doctest: +NORMALIZE_WHITESPACE
    Matched(pairs={'Joy': 'happy', 'calm': 'neutral', 'neutral': 'neutral'},
            unknown=('contempt',), unasked=('sad',))
    """
    named = named or {}
    for ours, theirs in named.items():
        if ours not in corpus or theirs not in model:
            raise UsageError(
                f"no pair {ours}={theirs}: the corpus has {', '.join(corpus)}, "
                f"the model {', '.join(model)}"
            )
    found = {label: named.get(label) or _counterpart(label, model) for label in corpus}
    pairs = {label: match for label, match in found.items() if match is not None}
    if not pairs:
        raise UsageError(
            f"the model knows none of the corpus's labels: it has {', '.join(model)}, "
            f"the corpus {', '.join(corpus)}; name pairs that mean the same with --map"
        )
    return Matched(
        pairs=pairs,
        unknown=tuple(label for label in corpus if label not in pairs),
        unasked=tuple(label for label in model if label not in pairs.values()),
    )


def _counterpart(label: str, model: Sequence[str]) -> str | None:
    """The label of the same name, else the one synonym."""
    name = _plain(label)
    meanings = next((group for group in SYNONYMS if name in group), frozenset())
    for alike in (frozenset({name}), meanings):
        fitting = [candidate for candidate in model if _plain(candidate) in alike]
        if len(fitting) > 1:
            raise UsageError(
                f"{label!r} of the corpus may be any of the model's {', '.join(fitting)}: "
                "name the pair with --map"
            )
        if fitting:
            return fitting[0]
    return None


def _plain(label: str) -> str:
    """A name without what spelling adds.

    >>> _plain("Very_Happy")
    'veryhappy'
    """
    return "".join(sign for sign in label.casefold() if sign not in " -_")
