"""What people answered as a dataset, from a real store and a real cache."""

from dataclasses import replace

import numpy as np
import pytest

from annotator.datasets.held_out import Split
from annotator.datasets.reviewed import read_reviewed
from annotator.errors import UsageError
from reviewed_world import EXTRACTORS, UNUSABLE, World, content_hash, reviewed, truthful
from toy_corpus import LABELS, corpus

SPLIT = Split(0.2, 0.2)
EXAMPLES = corpus(60, 1, 1).split("train")


def read(world: World, labels=LABELS, **more):
    return read_reviewed(world.workspace, labels, EXTRACTORS, SPLIT, **more)


def by_id(found) -> dict:
    return {e.id.partition("[")[0]: e for part in found.dataset.splits.values() for e in part}


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.clips(EXAMPLES)
    return made


def said(*changes) -> dict:
    """Truth, but for some clips that people said something else of."""
    return truthful(EXAMPLES) | dict(changes)


def test_truth_comes_through(world):
    world.answers(said())
    found = read(world)
    examples = by_id(found)
    for e in EXAMPLES:
        ours = examples[content_hash(e)]
        np.testing.assert_array_equal(ours.target, e.target)
        assert (ours.group, ours.raters) == (e.group, 1)
        assert ours.features.keys() == e.features.keys()
    assert found.labels_from() == {"answers": 60, "people": 1, "clips": 60}
    assert dict(found.dataset.extractors) == EXTRACTORS


def in_training(world: World) -> str:
    """A clip that is learnt from: its ties are kept."""
    world.answers(said())
    train = {e.id.partition("[")[0] for e in read(world).dataset.split("train")}
    return next(e.id for e in EXAMPLES if content_hash(e) in train)


def answered(world: World, people: dict[str, str]) -> np.ndarray:
    clip = in_training(world)
    world.answers(said((clip, people)))
    (example,) = (e for e in EXAMPLES if e.id == clip)
    return by_id(read(world))[content_hash(example)]


def test_targets_are_shares_of_the_usable_votes(world):
    one = answered(world, {"ann": "happy", "bob": "happy sad", "cat": "", "dan": UNUSABLE})
    np.testing.assert_allclose(one.target, [2 / 3, 1 / 3, 0], rtol=1e-6)
    assert one.raters == 3


def test_people_who_contradict_each_other_teach_one_half(world):
    assert answered(world, {"ann": "happy", "bob": "sad"}).target.tolist() == [0.5, 0.5, 0]


@pytest.mark.parametrize(
    ("people", "kept"),
    [
        ({"ann": UNUSABLE}, False),
        ({"ann": UNUSABLE, "bob": "sad"}, False),
        ({"ann": UNUSABLE, "bob": "sad", "cat": "sad"}, True),
        ({"ann": ""}, True),
    ],
)
def test_what_cannot_be_judged_is_left_out_and_counted(world, people, kept):
    world.answers(said((EXAMPLES[0].id, people)))
    found = read(world)
    assert (content_hash(EXAMPLES[0]) in by_id(found)) is kept
    assert found.unusable == (not kept)


def test_labels_that_a_project_did_not_offer_are_unknown(world):
    world.answers({e.id: {"ann": "happy"} for e in EXAMPLES[:20]}, labels=("happy", "sad"))
    world.answers({e.id: {"bob": ""} for e in EXAMPLES[10:]}, project=2)
    examples = [by_id(read(world))[content_hash(e)].target for e in EXAMPLES]
    assert np.isnan(examples[0][2])
    assert examples[30].tolist() == [0, 0, 0]
    assert examples[15][2] == 0  # only bob was asked
    assert examples[15][0] == 0.5 or np.isnan(examples[15][0])  # a tie where models are measured


def test_a_person_who_answered_a_clip_twice_has_one_vote(world):
    world.answers(said())
    world.answers({EXAMPLES[0].id: {"ann": ""}}, project=2)
    one = by_id(read(world))[content_hash(EXAMPLES[0])]
    assert (one.target.tolist(), one.raters) == ([0, 0, 0], 1)


def test_copies_are_one_clip(world):
    copy = replace(EXAMPLES[0], id="copy")
    with world.workspace.open_store() as store:
        run = store.start_run(world.model_id, {}, "test")
        from annotator.types import Segment, Source
        from reviewed_world import INFO

        store.sync_sources(run, [(Source(world.path(copy), 1, 1), "key")])
        (media,) = [m for m in store.pending(run, world.model_id) if m.path == world.path(copy)]
        segment = Segment(0, 1000, "manifest", speaker=copy.group)
        store.save_plan(media.media_id, content_hash(EXAMPLES[0]), INFO, [segment], world.model_id)
    world.answers(said() | {"copy": {"ann": "", "bob": ""}})
    one = by_id(read(world))[content_hash(EXAMPLES[0])]
    assert (one.target.tolist(), one.raters) == ([0, 0, 0], 2)


def test_without_speakers_a_video_is_never_cut(tmp_path):
    world = World(tmp_path)
    nameless = [replace(e, group="") for e in EXAMPLES]
    world.clips(nameless)
    world.answers(said())
    assert by_id(read(world)).keys() == {e.group for e in by_id(read(world)).values()}


def test_a_clip_of_the_test_split_holds_out_its_speaker(tmp_path):
    world = World(tmp_path)
    world.clips(EXAMPLES, splits={e.id: "test" for e in EXAMPLES[::8]})
    world.answers(said())
    found = read(world)
    held = {e.group for e in found.dataset.split("test")}
    assert {e.group for e in EXAMPLES[::8]} <= held <= found.held
    assert not held & {e.group for name in ("train", "valid") for e in found.dataset.split(name)}
    assert {str(world.path(e)) for e in EXAMPLES[::8]} <= found.held


def test_the_same_answers_have_the_same_hash_and_others_another(world):
    world.answers(said())
    first = read(world).sha256
    assert read(world).sha256 == first
    world.answers({EXAMPLES[0].id: {"bob": "happy"}}, project=2)
    assert read(world).sha256 != first


def test_clips_without_features_are_left_out_by_name(world):
    world.answers(said())
    lost = world.workspace.features / content_hash(EXAMPLES[7])[:2] / content_hash(EXAMPLES[7])
    (lost / "0-1000.safetensors").unlink()
    world.features(EXAMPLES[9], audio="other-sound@1")
    counted = []
    found = read(world, progress=counted.append)
    assert sorted(found.without_features) == sorted(str(world.path(EXAMPLES[i])) for i in (7, 9))
    assert len(by_id(found)) == 58
    assert sum(counted) == 60


def test_features_of_other_extractors_are_refused(world):
    world.answers(said())
    for e in EXAMPLES:
        world.features(e, audio="other-sound@1")
    with pytest.raises(UsageError, match=r"takes features of .*fake-sound@1.* of .*other-sound@1"):
        read(world)


def test_no_features_at_all(tmp_path):
    world = World(tmp_path)
    world.features = lambda example: None
    world.clips(EXAMPLES)
    world.answers(said())
    with pytest.raises(UsageError, match=r"has none of the 60 labelled clips.*run `annotate run`"):
        read(world)


def test_no_answers(world):
    with pytest.raises(UsageError, match=r"no labels in this workspace: .*`annotate pull`"):
        read(world)


def test_labels_the_model_does_not_have_are_named_or_ignored(world):
    offered = (*LABELS, "contempt")
    world.answers(said((EXAMPLES[3].id, {"ann": "contempt"})), labels=offered)
    with pytest.raises(UsageError, match=r"does not have: contempt; .*--ignore 'contempt'"):
        read(world)
    kept = by_id(read(world, ignored=["contempt"]))[content_hash(EXAMPLES[3])]
    assert kept.target.tolist() == [0, 0, 0]


def test_people_who_were_asked_about_other_labels(world):
    world.answers({e.id: {"ann": "joy"} for e in EXAMPLES}, labels=("joy", "grief"))
    with pytest.raises(UsageError, match="asked about grief, joy and the model knows happy"):
        read(world)


def test_everybody_says_the_same(tmp_path):
    world = reviewed(tmp_path, lambda clips: {e.id: {"ann": "happy"} for e in clips}, 60)
    with pytest.raises(UsageError, match="all 60 labelled clips were given the same answer"):
        read(world)
