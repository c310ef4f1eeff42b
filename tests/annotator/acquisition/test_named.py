"""The registry of scores: every one is high where a clip is worth asking about."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from annotator.acquisition import scores
from annotator.acquisition.named import SCORES, Predictions, score

probabilities = arrays(np.float64, (4, 3), elements=st.floats(0, 1))


def _all(p):
    """Predictions that lack nothing."""
    return Predictions(
        count=len(p),
        variance=scores.entropy(p),
        entropy=scores.entropy(p),
        margin=scores.margin(p),
        bald=scores.bald(np.stack([p, 1 - p])),
        probability=p,
        heads=np.stack([p, p, 1 - p]),
        versions=np.stack([p, p**2]),
        usual=1.5,
    )


@pytest.mark.parametrize("name", SCORES)
@given(p=probabilities)
def test_every_score_is_one_number_a_clip_fit_for_a_pool(name, p):
    found = score(name, _all(p))
    assert found.shape == (4,)
    assert (np.isfinite(found) & (found >= 0)).all()


@pytest.mark.parametrize(
    "name", ["variance", "entropy", "margin", "least-confidence", "bald", "disagreement"]
)
def test_the_undecided_clip_scores_higher_than_the_decided_one(name):
    p = np.array([[0.02, 0.99, 0.01], [0.45, 0.5, 0.6]])
    given = _all(p)
    if name in {"bald", "disagreement"}:  # these ask whether several answers differ
        several = np.stack([np.full_like(p, 0.5), np.array([[0.5] * 3, [0.1, 0.9, 0.1]])])
        given = Predictions(2, bald=scores.bald(several), heads=several)
    low, high = score(name, given)
    assert low < high


@given(probabilities)
def test_least_confidence_is_what_the_most_probable_label_set_leaves(p):
    sets = np.array([[i >> k & 1 for k in range(3)] for i in range(8)])
    each = np.where(sets[None] == 1, p[:, None], 1 - p[:, None]).prod(axis=2)
    assert each.sum(axis=1) == pytest.approx(1)
    assert scores.least_confidence(p) == pytest.approx(1 - each.max(axis=1), abs=1e-9)


def test_versions_that_agree_score_nothing_and_those_that_differ_a_lot():
    versions = np.array([[[0.9], [0.9]], [[0.9], [0.1]]])
    same, differ = score("ensemble", Predictions(2, versions=versions))
    assert same == pytest.approx(0, abs=1e-9)
    assert differ == pytest.approx(1 - scores.entropy(np.array([[0.9]]))[0])


def test_cardinality_is_the_distance_from_the_usual_number_of_labels():
    p = np.array([[0.9, 0.9, 0.9], [0.9, 0.1, 0.1], [0.1, 0.1, 0.1]])
    assert score("cardinality", Predictions(3, probability=p, usual=1.2)) == pytest.approx(
        [1.8, 0.2, 1.2]
    )


def test_random_is_drawn_by_seed():
    first, again, other = (score("random", Predictions(50, seed=seed)) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_an_unknown_name_and_missing_predictions_are_named():
    with pytest.raises(ValueError, match="expected one of variance, entropy"):
        score("luck", Predictions(1))
    with pytest.raises(ValueError, match="'cardinality' needs probability and usual"):
        score("cardinality", Predictions(1))
