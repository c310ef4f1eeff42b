"""What a report counts and draws in the database, beside counting it by hand."""

from collections import Counter

import numpy as np
import pytest
from sqlalchemy import Integer, column, func, select, text

from annotator.store.records import ClipResult, ClipScores, LabelScores
from annotator.store.survey import _drawn
from annotator.types import Absent, ClipFeatures

HALF = {"happy": 0.5, "sad": 0.5}


@pytest.fixture
def surveyed(world, make_segment, make_result):
    """Six clips of which one is retired, one unanswered and one of another speaker."""
    world.sync("a.mp4", "broken.mp4")
    plan = [make_segment(n * 1000, (n + 1) * 1000, happy=0.5) for n in range(6)]
    ids = world.plan("a.mp4", plan)
    world.store.fail_media(world.media_id("broken.mp4"), "probe", "no streams")
    odds = [(0.9, 0.9), (0.9, 0.1), (0.5, 0.499), (0.1, 0.1), (0.9, 0.9)]
    answers = [make_result(ids[n], float(n), p) for n, p in enumerate(odds)]
    world.store.save_results(world.run_id, world.model_id, answers)
    world.plan("a.mp4", [*plan[:4], plan[5]])
    return ids


def test_label_sets_are_those_of_the_active_clips(world, surveyed):
    found = world.store.survey(world.model_id, HALF, 100)
    assert found.label_sets == {
        frozenset({"happy", "sad"}): 1,
        frozenset({"happy"}): 2,
        frozenset(): 1,
    }
    assert (found.clips, found.clip_ms) == (4, 4000)


def test_each_label_has_its_own_threshold(world, surveyed):
    found = world.store.survey(world.model_id, {"happy": 0.95, "sad": 0.1}, 100)
    assert found.label_sets == {frozenset({"sad"}): 4}


def test_what_is_absent_and_what_failed_is_counted(world, surveyed):
    found = world.store.survey(world.model_id, HALF, 100)
    assert found.absent == {"visual": 4, "audio": 0, "text": 0}
    assert found.speakers == {None: 4}
    assert [(f.stage, f.count) for f in found.status.failures] == [("probe", 1)]


def test_the_sample_holds_the_answers_and_nan_for_what_is_absent(world, surveyed):
    sample = world.store.survey(world.model_id, HALF, 100).sample
    assert sample.clip_ids.tolist() == surveyed[:4]
    assert sample.probability[:, 0].tolist() == pytest.approx([0.9, 0.9, 0.5, 0.1])
    assert np.isnan(sample.sigma[:, :, 0]).all()
    assert sample.sigma[:, :, 1:].tolist() == [[[3.0, 4.0]] * 2] * 4
    assert sample.variance.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert sample.duration_ms.tolist() == [1000.0] * 4


def test_a_model_without_answers_gives_an_empty_sample(world, surveyed, facts):
    other = world.store.register_model(facts(name="other", weights_hash="b" * 64))
    found = world.store.survey(other, HALF, 100)
    assert (found.clips, found.label_sets) == (0, {})
    assert found.sample.probability.shape == (0, 2)
    assert found.sample.sigma.shape == (0, 2, 3)


def test_given_labels_are_those_of_answered_clips(world, surveyed):
    found = world.store.given_labels(world.model_id, 100)
    assert found == {clip_id: {"happy": 0.5} for clip_id in surveyed[:4]}


def test_surest_first_is_the_ranking_turned_round(world, surveyed):
    for by in ("variance", "entropy", "margin"):
        for label in (None, "happy"):
            scores = [
                [c.score for c in world.store.ranked(world.model_id, by, label=label, surest=turn)]
                for turn in (False, True)
            ]
            assert scores[1] == pytest.approx(scores[0][::-1])


def test_a_sample_is_spread_evenly_and_of_the_size_asked_for(world):
    clips, most = 50_000, 2_000
    numbers = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
                   " SELECT i FROM n").columns(column("i", Integer)).subquery()  # fmt: skip
    drawn = _drawn(numbers.c.i, clips, most)
    facts = select(func.count(), func.min(numbers.c.i), func.max(numbers.c.i),
                   func.avg(numbers.c.i * 1.0)).where(drawn)  # fmt: skip
    with world.store._read() as connection:
        count, low, high, mean = connection.execute(facts).one()
    assert count == pytest.approx(most, rel=0.05)
    assert low < 500
    assert high > clips - 500
    assert float(mean) == pytest.approx(clips / 2, rel=0.02)


def test_more_labels_than_a_number_has_bits(world, make_segment, facts):
    labels = tuple(f"l{n:02}" for n in range(62))
    model_id = world.store.register_model(facts(name="many", weights_hash="c" * 64, labels=labels))
    world.sync("a.mp4")
    (clip_id,) = world.plan("a.mp4", [make_segment(0, 1000)], model_id=model_id)
    scores = tuple(LabelScores(label, 0.9, 0, 0, 0, None, 1.0, None) for label in labels)
    absent = Absent("none", "x@1")
    features = ClipFeatures(absent, absent, absent)
    result = ClipResult(clip_id, features, ClipScores(scores, 1.0, 0.5, 0.2, None))
    world.store.save_results(world.run_id, model_id, [result])
    found = world.store.survey(model_id, dict.fromkeys(labels, 0.5), 10).label_sets
    assert Counter(found) == Counter({frozenset(labels): 1})
