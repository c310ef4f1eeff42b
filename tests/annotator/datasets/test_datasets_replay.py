"""Earlier training data beside new labels."""

from dataclasses import replace

import numpy as np
import pytest

from annotator.datasets.replay import replayed
from annotator.errors import UsageError
from toy_corpus import corpus

NEW, EARLIER = corpus(20, 8, 8), replace(corpus(50, 5, 5), name="old", files={"old.csv": "1"})


def added(ratio=1.0, earlier=EARLIER, held=(), seed=0):
    whole = replayed(NEW, earlier, ratio, held, seed)
    assert whole.splits["train"][:20] == NEW.splits["train"]
    return whole.splits["train"][20:]


@pytest.mark.parametrize(("ratio", "count"), [(0, 0), (0.5, 10), (2, 40), (9, 50)])
def test_the_ratio_says_how_many(ratio, count):
    assert len(added(ratio)) == count


def test_the_draw_hangs_on_the_seed_alone():
    ids = [[e.id for e in added(seed=seed)] for seed in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2]


def test_who_is_held_out_is_not_learnt_from():
    held = {e.group for e in EARLIER.split("train")[:25]}
    assert not held & {e.group for e in added(9, held=held)}
    with pytest.raises(UsageError, match="only train clips of held-out"):
        added(held={e.group for e in EARLIER.split("train")})


def test_valid_and_test_stay_and_files_are_both():
    whole = replayed(NEW, EARLIER, 1.0, (), 0)
    assert {name: whole.splits[name] for name in ("valid", "test")} == {
        name: NEW.splits[name] for name in ("valid", "test")
    }
    assert whole.files == {"toy.pkl": "0" * 64, "old.csv": "1"}


def test_labels_are_found_by_name_and_others_are_unknown():
    turned = [replace(e, target=e.target[[2, 0]]) for e in EARLIER.split("train")]
    other = replace(EARLIER, labels=("anger", "happy"), splits={"train": turned})
    before = {e.id: e.target for e in EARLIER.split("train")}
    for e in added(2, other):
        expected = [before[e.id][0], np.nan, before[e.id][2]]
        np.testing.assert_array_equal(e.target, np.array(expected, np.float32))
    with pytest.raises(UsageError, match="old has none of the model's labels"):
        added(1, replace(EARLIER, labels=("a", "b", "c")))
