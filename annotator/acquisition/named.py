"""The scores by name, over what the store keeps of predictions; high = ask."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from annotator.acquisition import scores
from annotator.acquisition.pool import Floats

# What a score tells. Noise in the data (aleatoric) stays however many clips are answered, and more
# raters of a clip average it out; what the model does not know (epistemic) one answer can teach it.
Kind = Literal["none", "aleatoric", "epistemic", "both"]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What a store has of n clips and q labels; None where nobody asked for it, or has it.

    Attributes:
        count: n.
        seed: of a score that is drawn.
        variance: (n,) of `annotator.acquisition.scores`, as the next two.
        entropy: (n,)
        margin: (n,) low = ask.
        bald: (n,), NaN where there were no stochastic passes.
        probability: (n, q) of the model's answer.
        heads: (3, n, q) of the parts it is fused from: classifiers of μ, of σ, and the direct one.
        versions: (m, n, q) of m model versions, this one among them.
        usual: mean number of labels of an answered clip.
    """

    count: int
    seed: int = 0
    variance: Floats | None = None
    entropy: Floats | None = None
    margin: Floats | None = None
    bald: Floats | None = None
    probability: Floats | None = None
    heads: Floats | None = None
    versions: Floats | None = None
    usual: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A score: what of `Predictions` it is a function of, what it tells, and that function."""

    needs: tuple[str, ...]
    kind: Kind
    words: str
    of: Callable[..., Floats]


def _as_stored(values: Floats) -> Floats:
    return values


def _lot(count: int, seed: int) -> Floats:
    lot: Floats = np.random.default_rng(seed).random(count)
    return lot


SCORES: Mapping[str, Score] = {
    "variance": Score(
        ("variance",), "aleatoric", "LDDU's σ: the noise it sees in a clip", _as_stored
    ),
    "entropy": Score(("entropy",), "both", "mean entropy of the labels' probabilities", _as_stored),
    "margin": Score(
        ("margin",), "both", "how near the least decided label is to 0.5", lambda far: 1 - far
    ),
    "least-confidence": Score(
        ("probability",),
        "both",
        "probability that the most probable label set is not the right one",
        scores.least_confidence,
    ),
    "bald": Score(
        ("bald",), "epistemic", "how far stochastic passes differ (run --mc-dropout)", _as_stored
    ),
    "ensemble": Score(
        ("versions",),
        "epistemic",
        "how far the answers of all model versions differ (BALD of an ensemble)",
        scores.bald,
    ),
    "disagreement": Score(
        ("heads",),
        "both",
        "how far the network's classifiers of μ, of σ and the direct one differ",
        scores.disagreement,
    ),
    "cardinality": Score(
        ("probability", "usual"),
        "both",
        "how far the number of labels is from the usual one (Li & Guo 2013)",
        scores.cardinality,
    ),
    "random": Score(
        ("count", "seed"),
        "none",
        "drawn by lot",
        _lot,
    ),
}


def score(name: str, given: Predictions) -> Floats:
    """(n,) scores, not negative, NaN where a clip has none; high = ask.

    Raises:
        ValueError: there is no such score, or the predictions lack what it needs.

    >>> score("margin", Predictions(2, margin=np.array([0.9, 0.2]))).round(3)
    array([0.1, 0.8])
    """
    if name not in SCORES:
        raise ValueError(f"no score {name!r}: expected one of {', '.join(SCORES)}")
    values = {need: getattr(given, need) for need in SCORES[name].needs}
    lacking = [need for need, value in values.items() if value is None]
    if lacking:
        raise ValueError(f"the score {name!r} needs {' and '.join(lacking)} of the predictions")
    return SCORES[name].of(*values.values())
