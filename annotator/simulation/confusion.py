"""How people err: which emotions they see in a clip that is meant to show one.

The rates in error_rates.json are those that `benchmarks/confusion.py` prints, from the votes of
CREMA-D (Cao et al. 2014: 91 actors say what they are told to feel, about ten people a clip choose
one of six) and FER+ (Barsoum et al. 2016, arXiv 1608.01041: ten people a face choose one of eight;
the clip's emotion is the one that most chose, and the rate is that of the others).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError

Floats = NDArray[np.floating[Any]]
NONE = ""  # a clip that shows no emotion
TABLES = Path(__file__).with_name("error_rates.json")
ERRORS = ("crema-d-voice", "crema-d-face", "crema-d-both", "ferplus")  # what TABLES holds
ALIASES = {"happiness": "happy", "sadness": "sad", "angry": "anger", "fearful": "fear"}


@dataclass(frozen=True, slots=True)
class Confusion:
    """The chance that a person names an emotion in a clip that shows another one, or NONE.

    `rates` is by what the clip shows, then by what is named. What a person names of an emotion
    that is not in it is not known.
    """

    rates: Mapping[str, Mapping[str, float]]

    def matrix(self, labels: Sequence[str]) -> Floats:
        """(q + 1, q): the chance of naming each label, by what is shown; the last row is NONE.

        Raises:
            UsageError: a label is not among those that were measured.
        """
        known = {ALIASES.get(label, label): label for label in labels}
        if unknown := sorted(known.keys() - self.rates.keys()):
            raise UsageError(
                f"how people mistake {known[unknown[0]]!r} was not measured: expected labels among "
                f"{', '.join(sorted(self.rates.keys() - {NONE}))}, or another --errors"
            )
        names = [ALIASES.get(label, label) for label in labels]
        rows = [[self.rates[shown].get(name, 0.0) for name in names] for shown in (*names, NONE)]
        return np.array(rows)


def measured(name: str) -> Confusion:
    """The rates of that name in ERRORS: of people who heard, saw, or saw and heard.

    >>> measured("ferplus").rates["happy"]["happy"] > 0.8
    True
    """
    return Confusion(json.loads(TABLES.read_text(encoding="utf-8"))[name])


def named(shares: Floats, matrix: Floats) -> Floats:
    """The chance that one person names each label (n, q), of what each clip shows (n, q).

    A label is named if any of what is shown leads to it, each by itself: 1 - Π (1 - share·rate),
    where NONE has the share that all labels are absent.

    >>> matrix = np.array([[0.8, 0.1], [0.3, 0.6], [0.0, 0.2]])
    >>> named(np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]), matrix).round(2)
    array([[0.8 , 0.1 ],
           [0.  , 0.2 ],
           [0.86, 0.64]])
    """
    nothing = (1 - shares).prod(axis=1, keepdims=True)
    shown = np.concatenate([shares, nothing], axis=1)
    chance: Floats = 1 - (1 - shown[:, :, None] * matrix).prod(axis=1)
    return chance
