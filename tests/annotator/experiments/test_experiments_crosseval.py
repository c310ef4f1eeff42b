"""A toy model on another toy corpus: labels that differ, and what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.experiments.crosseval import CrossEvaluation, crosseval
from annotator.experiments.label_names import SYNONYMS, match_labels
from annotator.learning.card import open_model
from annotator.learning.dataset import Dataset
from annotator.learning.evaluation import evaluate_model
from annotator.learning.training import train
from lddu_model import load
from toy_corpus import Silent, corpus, settings

CPU = torch.device("cpu")
MODEL_LABELS = ("happy", "sad", "anger")  # of the toy corpus


def other(labels: tuple[str, ...] = MODEL_LABELS, columns: tuple[int, ...] = (0, 1, 2)) -> Dataset:
    """A corpus of other files; its label l is column columns[l] of the toy's, −1 is nowhere."""
    toy = corpus(0, 0, 50)
    examples = [
        replace(e, target=np.append(e.target, 0)[list(columns)].astype(np.float32))
        for e in toy.splits["test"]
    ]
    return replace(
        toy, name="other", labels=labels, files={"other.csv": "1" * 64}, splits={"test": examples}
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("model")
    given = settings("train.epochs=2")
    return train(corpus(), given, out, device=CPU, watcher=Silent())


def crossed(model: Path, dataset: Dataset, **asked) -> CrossEvaluation:
    return crosseval(model, dataset, device=CPU, **{"resamples": 20, **asked})


def test_with_the_models_own_labels_it_is_an_ordinary_evaluation(model):
    ordinary = evaluate_model(open_model(model), other(), "test", device=CPU, resamples=20)
    found = crossed(model, other())
    assert str(found.evaluation.to_json()) == str(ordinary.to_json())
    assert (found.matched.unknown, found.matched.unasked, found.left_out) == ((), (), 0)
    assert found.verified


def test_synonyms_in_another_order_give_the_same_numbers(model):
    plain = crossed(model, other()).evaluation
    found = crossed(model, other(("Angry", "joy", "sadness"), (2, 0, 1)))
    assert found.matched.pairs == {"Angry": "anger", "joy": "happy", "sadness": "sad"}
    assert str(found.evaluation.to_json()) == str(plain.to_json())


def test_labels_that_only_one_side_has_are_reported_and_not_judged(model):
    found = crossed(model, other(("contempt", "sadness", "joy"), (2, 1, 0)))
    assert found.matched.unknown == ("contempt",)
    assert found.matched.unasked == ("anger",)
    assert found.evaluation.labels == ("happy", "sad")
    whole = crossed(model, other()).evaluation
    for label in ("happy", "sad"):
        assert found.evaluation.per_label["brier"][label] == whole.per_label["brier"][label]
    assert found.evaluation.metrics["brier"].value != whole.metrics["brier"].value
    written = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert written["labels"] == {"sadness": "sad", "joy": "happy"}
    assert written["labels_unknown_to_model"] == ["contempt"]
    assert written["labels_unknown_to_corpus"] == ["anger"]


def test_a_clips_uncertainty_is_about_the_shared_labels(model):
    """By entropy, one label's AURC is that of a corpus which knows no other."""
    found = crossed(model, other(("joy",), (0,)))
    entropies = found.evaluation.metrics["aurc_entropy"].value
    assert entropies != crossed(model, other()).evaluation.metrics["aurc_entropy"].value
    assert found.evaluation.metrics["brier"] == found.evaluation.per_label["brier"]["happy"]


def test_thresholds_are_those_of_the_models_training(model):
    chosen = load(model).metadata["thresholds"]
    found = crossed(model, other(("sadness", "joy"), (1, 0)))
    assert found.evaluation.thresholds == (chosen["happy"], chosen["sad"])


def test_of_two_labels_that_mean_one_the_higher_share_counts(model):
    split = other(("joy", "happiness"), (0, -1))
    whole = crossed(model, other(("happy",), (0,)))
    assert str(crossed(model, split).evaluation.to_json()) == str(whole.evaluation.to_json())
    examples = [replace(e, target=np.array([e.target[0], np.nan])) for e in split.split("test")]
    unknown = replace(split, splits={"test": examples})
    with pytest.raises(UsageError, match="other has no clip to measure on"):
        crossed(model, unknown)


def test_a_clip_without_truth_of_a_shared_label_is_left_out(model):
    dataset = other(("joy", "contempt"), (0, 1))
    first, *rest = dataset.split("test")
    first = replace(first, target=np.array([np.nan, 1], np.float32))
    found = crossed(model, replace(dataset, splits={"test": [first, *rest]}))
    assert (found.left_out, found.evaluation.clips) == (1, 49)


def test_named_pairs_come_before_names(model):
    dataset = other(("boredom", "joy"), (1, 0))
    assert crossed(model, dataset).matched.unknown == ("boredom",)
    found = crossed(model, dataset, named={"boredom": "sad"})
    assert found.matched.pairs == {"boredom": "sad", "joy": "happy"}


def test_all_splits_are_measured_unless_one_is_named(model):
    dataset = replace(corpus(10, 20, 30), files={"new.csv": "2" * 64})
    assert crossed(model, dataset).evaluation.clips == 60
    assert crossed(model, dataset, split="valid").evaluation.clips == 20
    with pytest.raises(UsageError, match="has no dev examples"):
        crossed(model, dataset, split="dev")


def test_modalities_that_the_model_never_saw_are_hidden(tmp_path):
    def without_visual(dataset: Dataset) -> Dataset:
        splits = {}
        for name, examples in dataset.splits.items():
            kept = [
                replace(e, features={m: v for m, v in e.features.items() if m != "visual"})
                for e in examples
            ]
            splits[name] = [e for e in kept if e.features]
        dimensions = {m: d for m, d in dataset.dimensions.items() if m != "visual"}
        return replace(dataset, dimensions=dimensions, splits=splits)

    given = settings("train.epochs=1")
    model = train(without_visual(corpus()), given, tmp_path, device=CPU, watcher=Silent())
    dataset = other()
    first, *rest = dataset.splits["test"]
    first = replace(first, features={"visual": np.zeros((3, 6), np.float32)})
    dataset = replace(dataset, splits={"test": [first, *rest]})
    found = crossed(model, dataset)
    plain = crossed(model, without_visual(dataset))
    assert found.unseen == ("visual",)
    assert (found.left_out, found.evaluation.clips) == (1, 49)
    assert str(found.evaluation.to_json()) == str(plain.evaluation.to_json())


def test_a_corpus_whose_files_were_trained_on_is_refused(model):
    renamed = replace(other(), files={"copy.pkl": "0" * 64})
    with pytest.raises(UsageError, match=r"was trained on copy.pkl: `annotate eval` measures"):
        crossed(model, renamed)


def test_a_corpus_without_files_is_known_by_the_fingerprint(tmp_path):
    unnamed = replace(corpus(20, 30, 0), files={})
    model = train(unnamed, settings("train.epochs=1"), tmp_path, device=CPU, watcher=Silent())
    with pytest.raises(UsageError, match="was trained on toy"):
        crossed(model, unnamed)
    assert not crossed(model, replace(corpus(21, 30, 0), files={})).verified


def test_other_features_are_refused(model):
    narrow = replace(other(), dimensions={"visual": 6, "audio": 7, "text": 6})
    with pytest.raises(UsageError, match=r"takes audio features .* with 6 values a step"):
        crossed(model, narrow)
    foreign = replace(other(), extractors={"audio": "wave@3"})
    with pytest.raises(UsageError, match=r"wave@3 with 6: take the features"):
        crossed(model, foreign)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no model in"):
        crossed(tmp_path, other())


@pytest.mark.parametrize("part", ["data", "thresholds", "settings"])
def test_a_damaged_description_is_refused(model, tmp_path, part):
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    described = json.loads((copy / "model.json").read_text())
    described["metadata"][part] = [1]
    (copy / "model.json").write_text(json.dumps(described))
    dataset = replace(corpus(10, 20, 30), files={"new.csv": "2" * 64})
    with pytest.raises(UsageError, match=f"damaged: {part} must be an object"):
        crossed(copy, dataset)


def test_no_label_in_common_is_refused(model):
    with pytest.raises(UsageError, match="knows none of the corpus's labels"):
        crossed(model, other(("boredom", "pride"), (0, 1)))


def test_a_label_that_may_be_two_is_refused_unless_it_is_named():
    with pytest.raises(UsageError, match=r"'joyful' .* may be any of the model's happy, joy"):
        match_labels(["joyful"], ["happy", "joy"])
    assert match_labels(["joyful"], ["happy", "joy"], {"joyful": "joy"}).pairs == {"joyful": "joy"}
    assert match_labels(["joy"], ["happy", "joy"]).pairs == {"joy": "joy"}


@pytest.mark.parametrize("named", [{"joy": "bliss"}, {"bliss": "happy"}])
def test_a_named_pair_must_be_of_labels(named):
    with pytest.raises(UsageError, match=r"no pair .*: the corpus has joy, the model happy"):
        match_labels(["joy"], ["happy"], named)


def test_no_name_has_two_meanings():
    names = [name for group in SYNONYMS for name in group]
    assert len(names) == len(set(names))


@given(
    corpus=st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=5, unique=True),
    model=st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=5, unique=True),
)
def test_every_label_is_paired_or_reported(corpus, model):
    try:
        matched = match_labels(corpus, model)
    except UsageError:
        return
    assert {*matched.pairs, *matched.unknown} == set(corpus)
    assert {*matched.pairs.values(), *matched.unasked} == set(model)
    assert not set(matched.unasked) & set(matched.pairs.values())
