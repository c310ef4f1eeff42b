"""Promote, roll back, compare, take elsewhere and remove: on real networks, by the commands."""

import json
import os
import shutil
import stat

import numpy as np
import pytest
import torch

import fake_extractors as fakes
from annotator import promotions, registry
from annotator.comparison import compare
from annotator.errors import UsageError
from annotator.features.extractor import DEFAULT_EXTRACTORS, extractor_spec
from annotator.lineage import new_name
from annotator.model_files import export_version, remove_version
from annotator.types import DEFAULT_LABELS, MODALITIES, Absent, ClipFeatures, Features, Segment
from annotator.workspace import open_workspace
from commands import annotate
from lddu_model import Config, InputSpec, save, untrained

EXTRACTORS = {m: extractor_spec(DEFAULT_EXTRACTORS[m]) for m in MODALITIES}


@pytest.fixture
def workspace(tmp_path):
    opened = open_workspace(tmp_path / "w", create=True)
    opened.open_store().close()
    return opened


def make(workspace, name, seed=0, **facts):
    config = Config(
        labels=DEFAULT_LABELS,
        **{m: InputSpec(spec.dimension) for m, spec in EXTRACTORS.items()},
        hidden=16,
        feedforward=16,
        layers=1,
        heads=2,
        latent_hidden=(8,),
        latent=4,
        head_hidden=8,
    )
    described = {"trained": True, "extractors": {m: s.id for m, s in EXTRACTORS.items()}, **facts}
    save(untrained(config, seed), workspace.models / name, described)
    return registry.choose(workspace, name)


def child(workspace, name, of, seed=1, **facts):
    parent = {"name": of.name, "weights_sha256": of.weights_hash}
    return make(workspace, name, seed, parent=parent, round=of.ancestry.round + 1, **facts)


def ask(workspace, *arguments):
    return annotate("models", *arguments, "--workspace", workspace.root)


def test_a_fine_tuned_version_is_a_candidate_until_it_is_promoted(workspace):
    first = make(workspace, "ours")
    child(workspace, "ours-r1", first)
    assert registry.choose(workspace, None).name == "ours"
    registry.promote(workspace, "ours-r1", "better")
    assert registry.choose(workspace, None).name == "ours-r1"


def test_rollbacks_go_back_step_by_step_to_where_it_began(workspace):
    for seed, name in enumerate(["a", "b"]):
        make(workspace, name, seed)
        registry.promote(workspace, name, "")
    assert registry.rollback(workspace, "").name == "a"
    shutil.rmtree(workspace.models / "b")
    assert registry.rollback(workspace, "").name == "a"  # as before anything was promoted
    with pytest.raises(UsageError, match="nothing to go back from"):
        registry.rollback(workspace, "")


def test_a_rollback_to_what_is_gone_is_refused_and_changes_nothing(workspace):
    for seed, name in enumerate(["a", "b"]):
        make(workspace, name, seed)
        registry.promote(workspace, name, "")
    shutil.rmtree(workspace.models / "a")
    with pytest.raises(UsageError, match="'a', is no longer there"):
        registry.rollback(workspace, "")
    assert registry.choose(workspace, None).name == "b"


def test_the_version_in_use_must_be_what_was_promoted(workspace):
    make(workspace, "a")
    registry.promote(workspace, "a", "")
    shutil.rmtree(workspace.models / "a")
    make(workspace, "a", seed=5)
    with pytest.raises(UsageError, match="other weights than when it was promoted"):
        registry.choose(workspace, None)
    assert registry.in_use(workspace) is None
    registry.promote(workspace, "a", "again")
    assert registry.in_use(workspace) == "a"


def test_a_record_that_names_a_path_is_not_followed(workspace, tmp_path):
    outside = make(workspace, "a")
    shutil.copytree(outside.path, tmp_path / "outside")
    line = {"kind": "promotion", "at": "", "name": "../../outside", "reason": ""}
    record = json.dumps({**line, "weights_sha256": outside.weights_hash}) + "\n"
    (workspace.models / promotions.FILE).write_text(record)
    with pytest.raises(UsageError, match="no longer there"):
        registry.choose(workspace, None)


def test_what_cannot_be_promoted(workspace):
    make(workspace, "a")
    assert ask(workspace, "promote", "a", "--json").json == {"in_use": "a"}
    again = ask(workspace, "promote", "a")
    assert (again.code, again.err) == (2, "Error: model 'a' is in use already\n")
    assert "random weights" in ask(workspace, "promote", "untrained").err
    assert ask(workspace, "promote", "b").code == 2


def test_the_list_marks_what_is_in_use_and_the_show_tells_where_it_comes_from(workspace):
    first = make(workspace, "ours")
    second = child(workspace, "ours-r1", first, labels_from={"answers": 12})
    child(workspace, "ours-r2", second, seed=2)
    registry.promote(workspace, "ours-r1", "")
    listed = {row["name"]: row for row in ask(workspace, "list", "--json").json}
    assert [name for name, row in listed.items() if row["in_use"]] == ["ours-r1"]
    assert listed["ours-r1"]["ancestry"]["labels_from"] == {"answers": 12}
    assert "(in use)" in ask(workspace, "list").out
    assert ask(workspace, "show", "ours-r2", "--json").json["ancestors"] == ["ours-r1", "ours"]
    assert "ours (round 0)" in ask(workspace, "show", "ours-r2").out
    shutil.rmtree(workspace.models / "ours")
    assert "ours (no longer here)" in ask(workspace, "show", "ours-r2").out


def test_a_description_with_a_damaged_parent_is_named(workspace):
    first = make(workspace, "ours")
    described = json.loads((first.path / "model.json").read_text())
    described["metadata"]["parent"] = "starter"
    (first.path / "model.json").write_text(json.dumps(described))
    said = ask(workspace, "show", "ours")
    assert said.code == 2
    assert "is damaged" in said.err
    assert "parent must be an object" in said.err


def test_the_differences_of_two_versions(workspace):
    first = make(workspace, "a", validation={"metrics": {"macro_f1": {"value": 0.25}}})
    second = make(workspace, "b", 1, validation={"metrics": {"macro_f1": {"value": 0.5}}})
    with workspace.open_store() as store:
        itself, other = compare(first, first, store), compare(first, second, store)
    assert (itself.settings, itself.validation) == ({}, {})
    assert set(itself.weights.values()) == {0.0}
    assert other.validation == {"macro_f1": (0.25, 0.5)}
    assert set(other.weights) == {"encoders", "emotion_space", "heads"}
    assert all(change > 0.1 for change in other.weights.values())
    said = ask(workspace, "diff", "a", "b")
    assert "0.250" in said.out
    assert "No clip has predictions of both" in said.out
    assert ask(workspace, "diff", "a", "b", "--json").json["answers"]["clips"] == 0


def test_an_export_is_imported_elsewhere_and_overwrites_nothing(workspace, tmp_path):
    version = make(workspace, "a")
    out = tmp_path / "out"
    assert ask(workspace, "export", "a", "--out", out).code == 0
    assert "nothing is overwritten" in ask(workspace, "export", "a", "--out", out).err
    elsewhere = open_workspace(tmp_path / "v", create=True)
    assert registry.import_trained(elsewhere, out, "b").weights_hash == version.weights_hash
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "v", "w"]  # no draft


def test_damaged_weights_are_not_exported(workspace, tmp_path):
    version = make(workspace, "a")
    weights = version.path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"xxxx")
    said = ask(workspace, "export", "a", "--out", tmp_path / "out")
    assert said.code == 2
    assert not (tmp_path / "out").exists()


def test_what_is_in_use_or_a_parent_is_not_removed_unasked(workspace):
    first = make(workspace, "a")
    child(workspace, "a-r1", first)
    registry.promote(workspace, "a-r1", "")
    assert "is in use" in ask(workspace, "remove", "a-r1", "--force").err
    said = ask(workspace, "remove", "a")
    assert said.code == 2
    assert "is the parent of a-r1: --force" in said.err
    assert ask(workspace, "remove", "a", "--force", "--json").json == {"removed": "a"}
    assert {version.name for version in registry.own_versions(workspace)} == {"a-r1"}
    assert ask(workspace, "remove", "../w").code == 2


def test_the_starter_that_ships_is_imported_under_another_name(workspace):
    done = ask(workspace, "import", "starter", "--name", "starter-2", "--json")
    assert done.code == 0, done.err
    shipped = registry.read_version(registry.SHIPPED / registry.STARTER)
    copy = registry.choose(workspace, "starter-2")
    before, after = (registry.load_network(one).state_dict() for one in (shipped, copy))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (copy.labels, copy.extractors) == (shipped.labels, shipped.extractors)


def test_the_only_version_is_in_use_and_not_removed_unasked(workspace):
    make(workspace, "a")
    said = ask(workspace, "remove", "a")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "is in use: --force" in said.err
    assert ask(workspace, "remove", "a", "--force").code == 0


def test_the_name_of_a_removed_version_stays_its_own(workspace, tmp_path):
    first, parent = make(workspace, "a"), "b"
    export_version(workspace, "a", tmp_path / "old")
    with workspace.open_store() as store:
        store.register_model(first)
        store.register_model(make(workspace, "b-r1", seed=2))
    for name in ("a", "b-r1"):
        remove_version(workspace, name, force=True)
    assert new_name(workspace, None, parent, 1) == "b-r2"
    with pytest.raises(UsageError, match="answers are kept under that name"):
        new_name(workspace, "b-r1", parent, 1)
    make(workspace, "c", seed=3)
    other = workspace.models / "c"
    said = ask(workspace, "import", other, "--name", "a")
    assert said.code == 2
    assert "answers are kept under that name" in said.err
    assert not (workspace.models / "a").exists()
    same = ask(workspace, "import", tmp_path / "old", "--name", "a")
    assert same.code == 0, same.err


def test_others_may_read_what_the_umask_lets_them(workspace):
    before = os.umask(0o022)
    try:
        version = make(workspace, "a")
        features = ClipFeatures(
            *[Absent("none", "x@1")] * 2, Features(np.ones((1, 2), np.float16), "x@1")
        )
        workspace.cache().put("0" * 64, Segment(0, 9, "file"), features, fakes.tools())
    finally:
        os.umask(before)
    made = [version.path / "model.safetensors", *workspace.features.rglob("*.safetensors")]
    assert [stat.S_IMODE(file.stat().st_mode) for file in made] == [0o644, 0o644]
