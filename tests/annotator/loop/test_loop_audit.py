"""What the audit says of a model, against numbers counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from annotator.datasets.answered import AnsweredClip, Opinion
from annotator.labels.votes import Vote
from annotator.loop.audit import estimate
from annotator.store.records import ClipPlace

LABELS = ("happy", "sad")


def clip(number: int, *said: str) -> AnsweredClip:
    """What each person said; none is neutral and ? is unusable."""
    place = ClipPlace(number, Path(f"/{number}.mp4"), f"{number:04}", (0, 1), f"s{number}", None)
    votes = [
        Vote(
            number,
            f"p{person}",
            frozenset(words.split()) - {"?"},
            neutral=not words,
            unusable=words == "?",
        )
        for person, words in enumerate(said)
    ]
    return AnsweredClip(place, tuple(Opinion(vote, frozenset(LABELS)) for vote in votes))


def test_jaccard_and_macro_f1_of_the_consensus():
    clips = [clip(1, "happy"), clip(2, "happy sad"), clip(3, ""), clip(4, "sad")]
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.1], [0.9, 0.9]])
    found = estimate(p, [0.5, 0.5], clips, LABELS)
    assert found.clips == 4
    assert found.jaccard == pytest.approx((1 + 0.5 + 1 + 0.5) / 4)
    happy, sad = 2 * 2 / (2 * 2 + 1), 2 * 1 / (2 * 1 + 1)
    assert found.macro_f1 == pytest.approx((happy + sad) / 2)
    assert found.jaccard_low is not None
    assert found.jaccard_low < found.jaccard < found.jaccard_high
    assert (found.shared, found.model, found.people) == (0, None, None)


def test_thresholds_are_the_models():
    found = estimate(np.array([[0.3, 0.3]]), [0.2, 0.4], [clip(1, "happy")], LABELS)
    assert found.jaccard == 1.0
    assert found.jaccard_low is None  # one clip has no interval


def test_a_tie_decides_nothing():
    found = estimate(np.array([[0.9, 0.9]]), 0.5, [clip(1, "happy", "happy sad")], LABELS)
    assert found.jaccard == 1.0


def test_people_and_the_model_meet_the_same_others():
    clips = [clip(1, "happy", "happy", "sad"), clip(2, "sad"), clip(3, "sad", "?")]
    p = np.array([[0.9, 0.1]] * 3)
    found = estimate(p, 0.5, clips, LABELS)
    assert found.shared == 1
    # Others of the first two tie on both labels, which leaves nothing to miss: NaN. The third's
    # others say happy, which the model says too and the third does not.
    assert (found.model, found.people) == (1.0, 0.0)


def test_nobody_has_answered():
    found = estimate(np.empty((0, 2)), 0.5, [], LABELS)
    assert (found.clips, found.jaccard, found.macro_f1, found.shared) == (0, None, None, 0)
