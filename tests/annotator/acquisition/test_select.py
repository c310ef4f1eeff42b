"""Properties of selections that hold whatever the pool, and a few pools whose answer is known."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.acquisition.pool import SELECTORS, UNKNOWN, Plan, Pool
from annotator.acquisition.select import select

DETERMINISTIC = [name for name in SELECTORS if name != "power"]


@st.composite
def pools(draw, least=1):
    """Pools whose scores and distances all differ, some of speakers nobody knows."""
    count = draw(st.integers(least, 60))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    return Pool(
        score=random.permutation(count) / count,
        probability=random.random((count, 3)),
        latent=random.normal(size=(count, 4)).astype(np.float32),
        speaker=random.integers(UNKNOWN, 4, count),
        video=random.integers(0, 6, count),
        seconds=random.uniform(1, 20, count),
    )


plans = st.builds(
    Plan,
    size=st.integers(1, 30),
    select=st.sampled_from(SELECTORS),
    seed=st.integers(0, 99),
    audit=st.sampled_from([0.0, 0.1, 0.5]),
    balance=st.booleans(),
    per_speaker=st.none() | st.integers(1, 4),
    per_video=st.none() | st.integers(1, 4),
    near=st.none() | st.just(0.9),
    per_second=st.booleans(),
    power=st.sampled_from([0.0, 1.0, 8.0]),
    prefilter=st.integers(1, 3),
)


def _reordered(pool, order):
    names = ("score", "probability", "latent", "speaker", "video", "seconds")
    return Pool(**{name: getattr(pool, name)[order] for name in names})


def _most_of_a_group(codes, places, audit):
    """The largest number of chosen that share a group which the audit has not filled already."""
    held = Counter(codes[audit].tolist())
    counts = Counter(codes[places].tolist())
    return [count + held[code] for code, count in counts.items() if code != UNKNOWN]


@given(pools(), plans)
def test_there_are_as_many_as_wanted_or_a_reason(pool, plan):
    found = select(pool, plan)
    total = len(found.chosen) + len(found.audit)
    assert found.wanted == plan.size
    assert total <= plan.size
    assert bool(found.shortfall) == (total < plan.size)
    assert len(found.audit) == min(round(plan.audit * plan.size), len(pool))


@given(pools(), plans)
def test_nobody_is_chosen_twice(pool, plan):
    found = select(pool, plan)
    both = [*found.chosen.tolist(), *found.audit.tolist()]
    assert len(set(both)) == len(both)
    assert all(0 <= place < len(pool) for place in both)


@given(pools(), plans)
def test_caps_are_never_exceeded_and_the_audit_counts(pool, plan):
    found = select(pool, plan)
    for cap, codes in ((plan.per_speaker, pool.speaker), (plan.per_video, pool.video)):
        if cap is not None:
            assert all(n <= cap for n in _most_of_a_group(codes, found.chosen, found.audit))


@given(pools(), plans)
def test_no_two_chosen_are_near_duplicates(pool, plan):
    chosen = select(pool, plan).chosen
    centred = pool.latent - pool.latent.mean(axis=0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-30)
    cosines = unit[chosen] @ unit[chosen].T
    np.fill_diagonal(cosines, 0)
    if plan.near is not None and len(pool) > 1:
        assert (cosines < plan.near + 1e-5).all()


@given(pools(), plans)
def test_a_short_batch_leaves_out_nobody_who_fits(pool, plan):
    found = select(pool, plan)
    if len(found.chosen) + len(found.audit) == plan.size or plan.near is not None:
        return
    left = set(range(len(pool))) - set(found.chosen.tolist()) - set(found.audit.tolist())
    both = np.concatenate([found.chosen, found.audit])
    for place in left:
        full = [
            codes[place] != UNKNOWN and (codes[both] == codes[place]).sum() >= cap
            for cap, codes in ((plan.per_speaker, pool.speaker), (plan.per_video, pool.video))
            if cap is not None
        ]
        assert any(full)


@given(pools(), plans)
def test_the_same_seed_gives_the_same_selection(pool, plan):
    first, second = select(pool, plan), select(pool, plan)
    assert first.chosen.tolist() == second.chosen.tolist()
    assert first.audit.tolist() == second.audit.tolist()


@given(pools(least=10), plans)
def test_the_audit_does_not_depend_on_scores_nor_on_the_selector(pool, plan):
    other = Pool(score=pool.score[::-1] * 3)
    plain = Plan(plan.size, seed=plan.seed, audit=plan.audit)
    assert select(pool, plan).audit.tolist() == select(other, plain).audit.tolist()


@given(pools(), plans, st.sampled_from(DETERMINISTIC), st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(pool, plan, name, random):
    order = np.array(random.sample(range(len(pool)), len(pool)))
    plan = Plan(plan.size, select=name, audit=0, per_speaker=plan.per_speaker)
    straight = select(pool, plan).chosen
    moved = select(_reordered(pool, order), plan).chosen
    assert sorted(straight.tolist()) == sorted(order[moved].tolist())


@given(pools(), st.integers(1, 30))
def test_top_is_the_best_in_order_of_score(pool, size):
    chosen = select(pool, Plan(size, audit=0)).chosen
    assert chosen.tolist() == np.argsort(-pool.score)[:size].tolist()


@given(pools(), st.integers(1, 30))
def test_top_a_second_divides_by_cost(pool, size):
    chosen = select(pool, Plan(size, audit=0, per_second=True)).chosen
    worth = pool.score / pool.seconds
    assert sorted(worth[chosen]) == sorted(np.sort(worth)[::-1][:size])


def _radius(latent, centres):
    return np.linalg.norm(latent[:, None] - latent[list(centres)], axis=2).min(axis=1).max()


@given(st.integers(0, 10**6), st.integers(2, 9), st.integers(1, 4))
def test_kcenter_covers_within_twice_the_best_radius(seed, count, size):
    random = np.random.default_rng(seed)
    latent = random.normal(size=(count, 2)).astype(np.float32)
    size = min(size, count)
    pool = Pool(score=random.random(count), latent=latent)
    chosen = select(pool, Plan(size, select="kcenter", audit=0)).chosen
    best = min(_radius(latent, centres) for centres in combinations(range(count), size))
    assert _radius(latent, chosen) <= 2 * best + 1e-5


@pytest.mark.parametrize("name", ["kcenter", "kmeans"])
def test_geometric_selectors_take_one_of_each_cluster(name):
    random = np.random.default_rng(3)
    centre = np.repeat(np.eye(5) * 50, 20, axis=0)
    latent = (centre + random.normal(size=centre.shape)).astype(np.float32)
    score = np.linspace(1, 0.1, 100)  # top would take the first cluster alone
    pool = Pool(score=score, latent=latent)
    chosen = select(pool, Plan(5, select=name, audit=0)).chosen
    assert sorted(chosen // 20) == [0, 1, 2, 3, 4]


def test_kmeans_takes_the_middle_of_a_cluster():
    latent = np.array([[0.0], [1.0], [2.0], [100.0]], np.float32)
    pool = Pool(score=np.ones(4), latent=latent)
    assert sorted(select(pool, Plan(2, select="kmeans", audit=0)).chosen) == [1, 3]


def test_power_sampling_prefers_high_scores_in_proportion():
    score = np.array([0.0, 1.0, 2.0, 4.0])
    drawn = Counter(
        int(select(Pool(score), Plan(1, select="power", seed=seed, audit=0)).chosen[0])
        for seed in range(4000)
    )
    assert drawn[0] == 0
    assert [drawn[place] / 4000 for place in (1, 2, 3)] == pytest.approx(
        [1 / 7, 2 / 7, 4 / 7], abs=0.03
    )


def test_the_inclusion_of_power_sampling_rises_with_the_score():
    pool = Pool(np.arange(1, 21, dtype=np.float64))
    included = Counter(
        int(place)
        for seed in range(2000)
        for place in select(pool, Plan(5, select="power", seed=seed, audit=0)).chosen
    )
    groups = [sum(included[place] for place in range(k, k + 5)) for k in (0, 5, 10, 15)]
    assert groups == sorted(groups)
    assert groups[3] > 2 * groups[0]


def test_every_candidate_is_as_likely_to_be_audited():
    pool = Pool(np.arange(20, dtype=np.float64))
    drawn = Counter(
        int(place)
        for seed in range(2000)
        for place in select(pool, Plan(10, seed=seed, audit=0.5)).audit
    )
    assert all(drawn[place] / 2000 == pytest.approx(0.25, abs=0.05) for place in range(20))


def test_a_balanced_batch_has_each_label_equally_and_the_rest_goes_to_the_others():
    common = np.tile([0.9, 0.2, 0.1], (50, 1))
    some = np.tile([0.2, 0.7, 0.1], (10, 1))
    rare = np.tile([0.2, 0.1, 0.6], (2, 1))
    pool = Pool(np.linspace(1, 0.1, 62), np.concatenate([common, some, rare]))
    label = pool.probability.argmax(axis=1)
    chosen = select(pool, Plan(12, audit=0, balance=True)).chosen
    assert np.bincount(label[chosen]).tolist() == [6, 4, 2]
    assert np.bincount(label[select(pool, Plan(12, audit=0)).chosen]).tolist() == [12]


def test_the_prefilter_is_left_where_limits_need_more():
    pool = Pool(
        score=np.linspace(1, 0.1, 100),
        latent=np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32),
        speaker=np.repeat([0, 1], 50),
    )
    plan = Plan(4, select="kcenter", audit=0, per_speaker=2, prefilter=1)
    chosen = select(pool, plan).chosen
    assert sorted(pool.speaker[chosen]) == [0, 0, 1, 1]


def test_copies_of_one_clip_are_near_duplicates_and_said_to_be():
    latent = np.repeat(np.random.default_rng(0).normal(size=(3, 4)), 10, axis=0)
    pool = Pool(np.linspace(1, 0.1, 30), latent=latent.astype(np.float16))
    found = select(pool, Plan(10, audit=0, near=0.999, prefilter=1))
    assert sorted(found.chosen // 10) == [0, 1, 2]
    assert found.shortfall == ("27 of the other candidates are near-duplicates of chosen ones",)


def test_a_shortfall_names_each_reason():
    pool = Pool(np.ones(6), speaker=np.zeros(6, int), video=np.arange(6))
    found = select(pool, Plan(8, audit=0, per_speaker=2, per_video=1))
    assert found.shortfall == (
        "the pool has 6 candidates",
        "4 of the other candidates are over the 2 a speaker",
    )


def test_an_empty_pool_gives_nothing():
    found = select(Pool(np.empty(0), latent=np.empty((0, 4))), Plan(5, select="kcenter", near=0.9))
    assert (len(found.chosen), len(found.audit)) == (0, 0)
    assert found.shortfall == ("the pool has 0 candidates",)


@pytest.mark.parametrize(
    ("plan", "lacking"),
    [
        (Plan(1, select="kcenter"), "latents"),
        (Plan(1, select="kmeans"), "latents"),
        (Plan(1, near=0.9), "latents"),
        (Plan(1, balance=True), "probabilities"),
        (Plan(1, per_speaker=1), "speakers"),
        (Plan(1, per_video=1), "videos"),
        (Plan(1, per_second=True), "seconds"),
    ],
)
def test_a_pool_that_lacks_what_the_plan_goes_by_is_refused(plan, lacking):
    with pytest.raises(ValueError, match=f"expected {lacking}"):
        select(Pool(np.ones(3)), plan)


@pytest.mark.parametrize("score", [[np.nan], [np.inf], [-0.1]])
def test_scores_must_be_finite_and_not_negative(score):
    with pytest.raises(ValueError, match="finite and not negative"):
        Pool(np.array(score))


def test_arrays_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="speaker of 2 candidates"):
        Pool(np.ones(2), speaker=np.zeros(3, int))


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"select": "best"},
        {"audit": 1.1},
        {"audit": float("nan")},
        {"per_speaker": 0},
        {"near": 0.0},
        {"power": -1.0},
        {"prefilter": 0},
    ],
)
def test_a_plan_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=f"for {next(iter(wrong))}"):
        Plan(**{"size": 1, **wrong})
