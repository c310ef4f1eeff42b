"""Whole simulations on a small corpus: what is chosen, what is kept, what can go wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import toy_corpus
from annotator.errors import UsageError
from annotator.simulation import simulation
from annotator.simulation.annotators import Annotators
from annotator.simulation.rounds import Setup, answered, run_rounds
from annotator.simulation.simulation import simulate
from annotator.simulation.strategy import Strategy, strategy
from commands import annotate

SETUP = Setup(first=10, batch=10, budget=30, steps=8, passes=2, settings=toy_corpus.settings())
ONE = Annotators(raters=1)


def run(out, *names, seeds=(0,), setup=SETUP, **more):
    wanted = [strategy(name) for name in names]
    return simulate(toy_corpus.corpus(), ONE, wanted, seeds, setup, out, **more)


@pytest.mark.parametrize(
    "name",
    [
        "random",
        "variance",
        "bald",
        "cardinality",
        "disagreement",
        "entropy:power",
        "margin:kcenter",
        "least-confidence:kmeans",
        "entropy+balance",
    ],
)
def test_every_way_to_choose_labels_a_batch_a_round(name):
    points = list(run_rounds(toy_corpus.corpus(), ONE, strategy(name), 0, SETUP))
    assert [point.labelled for point in points] == [10, 20, 30]
    assert all(0 <= point.macro_f1 <= 1 for point in points)


def test_the_same_seed_is_the_same_curve_and_begins_as_every_strategy_does():
    curves = {
        name: list(run_rounds(toy_corpus.corpus(), ONE, strategy(name), 3, SETUP))
        for name in ("entropy", "variance")
    }
    again = list(run_rounds(toy_corpus.corpus(), ONE, strategy("entropy"), 3, SETUP))
    assert again == curves["entropy"]
    assert curves["entropy"][0] == curves["variance"][0]
    other = next(run_rounds(toy_corpus.corpus(), ONE, strategy("entropy"), 4, SETUP))
    assert other != again[0]


def test_the_last_batch_is_what_the_budget_or_the_pool_leaves():
    for budget, last in ((25, 25), (None, 70), (500, 70)):
        setup = replace(SETUP, budget=budget, batch=40, steps=1)
        points = list(run_rounds(toy_corpus.corpus(), ONE, Strategy("random"), 0, setup))
        assert points[-1].labelled == last


def test_only_the_answers_are_learnt_from_never_the_truth():
    corpus = toy_corpus.corpus()
    pool = answered(corpus, Annotators(raters=3), 0, SETUP)
    truth = np.stack([one.target for one in corpus.split("train")])
    given = np.stack([one.target for one in pool])
    assert set(np.unique(given)) <= {np.float32(vote / 3) for vote in range(4)}
    assert ((truth == given) | ~np.isin(truth, (0, 1))).all()  # who is sure is named so
    noisy = answered(corpus, Annotators(3, np.full((4, 3), 0.5)), 0, SETUP)
    assert (np.stack([one.target for one in noisy]) != truth).any()


def test_random_comes_first_and_once(tmp_path):
    found = run(tmp_path / "s", "entropy", "random", seeds=(0, 1))
    assert [row.name for row in found.rows] == ["random", "entropy"]
    assert found.rows[0].saved.value == 0
    assert found.rows[1].curves.values.shape == (2, 3)
    assert found.target == pytest.approx(0.95 * found.full)


def test_it_goes_on_where_it_was_cut_off_and_more_can_be_added(tmp_path, monkeypatch):
    ran = []
    original = simulation._run
    monkeypatch.setattr(
        simulation, "_run", lambda job, *given: ran.append(job) or original(job, *given)
    )

    class Cut(Exception):
        pass

    def cut(done):
        if len(ran) == 2:
            raise Cut

    with pytest.raises(Cut):
        run(tmp_path / "s", "entropy", progress=cut)
    assert len(ran) == 2
    found = run(tmp_path / "s", "entropy", "margin")
    assert len(ran) == len(set(ran)) == 4
    assert found.to_json() == run(tmp_path / "other", "entropy", "margin").to_json()


def test_workers_find_the_same(tmp_path):
    alone = run(tmp_path / "a", "entropy")
    assert run(tmp_path / "b", "entropy", workers=2).to_json() == alone.to_json()


def test_a_folder_of_another_simulation_is_refused_and_a_damaged_run_named(tmp_path):
    out = tmp_path / "s"
    run(out)
    with pytest.raises(UsageError, match="other settings or data"):
        run(out, setup=replace(SETUP, batch=5))
    (out / "runs" / "random-0.json").write_text("[{")
    with pytest.raises(UsageError, match=r"random-0\.json is damaged"):
        run(out)


@pytest.mark.parametrize("text", ["", "entropy:", "bald:nearest", "ensemble", "../x", "top"])
def test_what_is_no_strategy(text):
    with pytest.raises(UsageError, match="is no strategy"):
        strategy(text)


def test_the_command_prints_and_draws(toy_data, tmp_path):
    arguments = [
        *("simulate", toy_data, "--out", tmp_path / "s", "--strategies", "entropy,bald"),
        *("--seeds", 2, "--first", 10, "--batch", 20, "--budget", 50, "--steps", 4),
        *toy_corpus.ARGUMENTS,
    ]
    done = annotate(*arguments)
    assert done.code == 0, done.err
    assert "random" in done.out
    assert "means of 2 seeds" in done.out
    picture = Image.open(tmp_path / "s" / "curves.png")
    assert picture.width > 500
    assert len(np.unique(np.asarray(picture.convert("L")))) > 50
    printed = annotate(*arguments, "--json").json
    assert list(printed["strategies"]) == ["random", "entropy", "bald"]
    assert printed["strategies"]["bald"]["labelled"] == [10, 30, 50]
    runs = sorted((tmp_path / "s" / "runs").iterdir())
    assert len(runs) == 2 * 4
    assert all(isinstance(json.loads(file.read_text()), list) for file in runs)


def test_people_may_err_as_was_measured(toy_data, tmp_path):
    arguments = [
        *("simulate", toy_data, "--out", tmp_path / "s", "--errors", "ferplus", "--seeds", 1),
        *("--first", 10, "--budget", 20, "--steps", 1, *toy_corpus.ARGUMENTS),
    ]
    assert annotate(*arguments).code == 0
    said = annotate(*arguments[:-1], "network.hidden=16")
    assert said.code == 2
    assert "other settings or data" in said.err
