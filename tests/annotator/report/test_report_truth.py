"""Which labels are known, and what is measured of them."""

from collections import Counter

import numpy as np
import pytest

from annotator.metrics.calibration import expected_calibration_error
from annotator.metrics.evaluate import Answers
from annotator.report.disagreement import disagreement_section
from annotator.report.reliability import reliability_section, risk_coverage_section
from annotator.report.truth import Truth, _from_corpus, known_truth

LABELS = ("happy", "sad")


def truth(probability, target, disagreement=None) -> Truth:
    n = len(probability)
    answers = Answers(
        labels=LABELS,
        probability=np.array(probability, float),
        target=np.array(target, float),
        variance=np.linspace(1, 2, n),
        entropy=np.linspace(2, 1, n),
        groups=["a"] * n,
        raters=np.full(n, 2),
    )
    asked = np.full(n, np.nan) if disagreement is None else np.array(disagreement, float)
    return Truth(answers, asked, n)


def test_people_stand_before_the_corpus(world):
    with world.workspace.open_store() as store:
        version = store.status().models[0]
        found = known_truth(store, version.model_id, version.labels)
        votes = Counter(
            (answer.clip_id, label.label)
            for answer in store.answers()
            for label in answer.answer.labels
        )
        clips = sorted({answer.clip_id for answer in store.answers()})
    assert found is not None
    assert found.reviewed == len(clips) == 8
    assert found.source == "8 clips that people answered"
    expected = [[votes[clip_id, label] / 2 for label in version.labels] for clip_id in clips]
    assert found.answers.target.tolist() == expected
    assert not np.isnan(found.disagreement).any()


def test_nothing_is_known_of_an_empty_workspace(bare):
    with bare.open_store() as store:
        assert known_truth(store, 1, LABELS) is None


@pytest.mark.parametrize(
    ("given", "targets"),
    [
        ({1: {"happy": 1.0}, 2: {"sad": 1.0}},
         {1: {"happy": 1.0, "sad": 0.0}, 2: {"happy": 0.0, "sad": 1.0}}),
        # Of a label that the corpus never names nothing is known.
        ({1: {"joy": 1.0}, 2: {"sad": 1.0}}, {1: {"sad": 0.0}, 2: {"sad": 1.0}}),
        ({1: {"happy": 0.3}, 2: {"sad": 1.0}}, {1: {"happy": 0.3}, 2: {"happy": 0.0, "sad": 1.0}}),
        ({1: {"joy": 0.5}}, {}),
    ],
)  # fmt: skip
def test_a_list_of_names_says_what_is_not_there(given, targets):
    assert {clip: known.target for clip, known in _from_corpus(given, LABELS).items()} == targets


def test_the_worst_calibrated_label_is_named_with_its_error():
    known = truth([[0.9, 0.1], [0.9, 0.1], [0.1, 0.1]], [[0, 0], [0, 0], [0, 1]])
    found = reliability_section(known)
    error = expected_calibration_error(known.answers.probability, known.answers.target, bins=10)
    assert found.figures[0].title == "“happy” is the worst calibrated label"
    assert f"{error[0]:.3f} for happy" in found.figures[0].caption
    assert ("happy", "0.90", "0.00", "2") in found.figures[0].table.rows


def test_a_label_that_nobody_was_asked_about_does_not_break_it():
    known = truth([[0.9, 0.1], [0.2, 0.1]], [[1, np.nan], [0, np.nan]])
    assert reliability_section(known).missing is None
    assert risk_coverage_section(known, dict.fromkeys(LABELS, 0.5)).missing is None


def test_the_better_ranking_is_named_with_its_gain():
    # Rising variance: the last two are wrong, so ranking by variance is perfect.
    known = truth([[0.9, 0.1]] * 4, [[1, 0], [1, 0], [0, 1], [0, 1]])
    found = risk_coverage_section(known, dict.fromkeys(LABELS, 0.5))
    assert found.headline == "Ranking by variance gains 100 % of what a perfect order could"
    assert found.figures[0].title.startswith("The surer half of the clips has a risk of 0.00")
    turned = truth([[0.9, 0.1]] * 4, [[0, 1], [0, 1], [1, 0], [1, 0]])
    assert "by entropy gains 100 %" in (
        risk_coverage_section(turned, dict.fromkeys(LABELS, 0.5)).headline
    )


@pytest.mark.parametrize(
    ("disagreement", "words"),
    [
        ([0.0, 0.1, 0.5, 1.0], "less sure where people disagree"),
        ([1.0, 0.5, 0.1, 0.0], "does not follow"),
        ([0.5, 0.5, 0.5, 0.5], "Too little varies"),
    ],
)
def test_the_headline_says_whether_uncertainty_follows_people(disagreement, words):
    known = truth([[0.9, 0.1]] * 4, [[1, 0]] * 4, disagreement)
    assert words in disagreement_section(known).headline


def test_one_rater_cannot_disagree():
    found = disagreement_section(truth([[0.9, 0.1]] * 2, [[1, 0]] * 2))
    assert "--overlap 2" in str(found.missing)
