"""Saving, loading, and files that others wrote, some of them hostile."""

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from lddu_model import load, read_weights, save, weights_sha256
from lddu_model.weights import assemble

METADATA = {"name": "first", "trained": False, "extractors": {"text": "minilm@1"}, "größe": 1}


@pytest.fixture
def saved(net, tmp_path):
    save(net, tmp_path / "model", METADATA)
    return tmp_path / "model"


def refused(folder, message):
    """Loading fails with one line that names the folder."""
    with pytest.raises(ValueError, match=message) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_round_trip(net, make_batch, tmp_path):
    net.train()
    digest = save(net, tmp_path / "deep" / "model", METADATA)
    checkpoint = load(tmp_path / "deep" / "model")
    net.eval()
    batch = make_batch(3)
    assert torch.equal(checkpoint.network(**batch).probability, net(**batch).probability)
    assert not checkpoint.network.training
    assert checkpoint.network.config == net.config
    assert checkpoint.metadata == METADATA
    assert checkpoint.weights_sha256 == digest == weights_sha256(net.state_dict())


def test_nothing_but_the_two_files_is_left(saved):
    assert [p.name for p in saved.parent.iterdir()] == ["model"]
    assert sorted(p.name for p in saved.iterdir()) == ["model.json", "model.safetensors"]


def test_a_model_is_never_overwritten(net, saved):
    with pytest.raises(ValueError, match="exists already"):
        save(net, saved, {})
    assert load(saved).metadata == METADATA


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_metadata_must_be_json(net, tmp_path, value):
    with pytest.raises(ValueError, match="metadata is not JSON"):
        save(net, tmp_path / "model", {"value": value})
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_nothing(net, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("lddu_model.checkpoint.serialised", full)
    with pytest.raises(OSError, match="No space"):
        save(net, tmp_path / "model", {})
    assert not list(tmp_path.iterdir())


def test_missing_files(saved, tmp_path):
    refused(tmp_path / "nowhere", "cannot be read: No such file")
    (saved / "model.safetensors").unlink()
    refused(saved, "cannot be read: No such file")


def edit_json(saved, edit):
    described = json.loads((saved / "model.json").read_text())
    edit(described)
    (saved / "model.json").write_text(json.dumps(described))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.pop("config"), "not the description of a model"),
        (lambda d: d.update(extra=1), "not the description of a model"),
        (lambda d: d.update(format=2), "format 2, expected 1"),
        (lambda d: d.update(metadata=[]), "metadata must be a JSON object"),
        (lambda d: d.update(weights_sha256="0" * 64), "not the file that model.json describes"),
        (lambda d: d["config"].update(hidden=32), "must be"),
        (lambda d: d["config"].update(hidden=16_384), "must be"),
        (lambda d: d["config"].update(layers=3), "lack"),
        (lambda d: d["config"].update(layers=1), "unexpected"),
        (lambda d: d["config"].update(hidden=10**12), "hidden must be a whole number"),
        (lambda d: d["config"].update(labels=["a"]), "must be"),
        (lambda d: d["config"].pop("dropout"), "lacks dropout"),
        (lambda d: d.update(config=None), "must be a JSON object"),
    ],
)
def test_tampered_json(saved, edit, message):
    edit_json(saved, edit)
    refused(saved, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "must hold a JSON object"),
        (b" " * (1 << 20) + b"{}", "is larger than"),
    ],
)
def test_json_that_is_none(saved, content, message):
    (saved / "model.json").write_bytes(content)
    refused(saved, message)


def test_exchanged_weights(saved):
    weights = load_file(saved / "model.safetensors")
    weights["labels.weight"] = weights["labels.weight"] + 1
    save_file(weights, saved / "model.safetensors")
    refused(saved, "not the file that model.json describes")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_damaged_weights(saved, tmp_path_factory, where, bit, cut):
    folder = tmp_path_factory.mktemp("damaged") / "model"
    shutil.copytree(saved, folder)
    content = bytearray((folder / "model.safetensors").read_bytes())
    place = int(where * len(content))
    if cut:
        content = content[:place]
    else:
        content[place] ^= 1 << bit
    (folder / "model.safetensors").write_bytes(content)
    refused(folder, "model.safetensors|weight")


@pytest.mark.parametrize(
    ("name", "weight", "message"),
    [
        ("labels.weight", torch.zeros(7, 15), r"labels.weight must be \(7, 16\), got \(7, 15\)"),
        ("labels.weight", torch.zeros(7, 16, dtype=torch.int64), "must hold dense floats"),
        ("labels.weight", torch.full((7, 16), torch.nan), "NaN"),
        ("labels.weight", torch.full((7, 16), 1e300, dtype=torch.float64), "float32 cannot hold"),
        ("stranger", torch.zeros(1), "unexpected entries: stranger"),
    ],
)
def test_weights_that_do_not_fit(net, name, weight, message):
    with pytest.raises(ValueError, match=message):
        assemble(net.config, net.state_dict() | {name: weight})


def test_half_precision_weights_become_float32(net):
    half = {name: w.half() for name, w in net.state_dict().items()}
    assert all(p.dtype == torch.float32 for p in assemble(net.config, half).parameters())


def test_the_hash_sees_names_shapes_types_and_values():
    base = {"a": torch.zeros(2, 3), "b": torch.ones(1)}
    variants = [
        base,
        {"a": torch.zeros(3, 2), "b": torch.ones(1)},
        {"a": torch.zeros(2, 3), "c": torch.ones(1)},
        {"a": torch.zeros(2, 3), "b": torch.ones(1) * 2},
        {"a": torch.zeros(2, 3), "b": torch.ones(1, dtype=torch.float64)},
    ]
    assert len({weights_sha256(v) for v in variants}) == len(variants)
    assert weights_sha256({"a": base["a"].T.contiguous().T, "b": base["b"]}) == weights_sha256(base)


WEIGHTS = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.ones(1, dtype=torch.float16)}


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".pth"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda w: w,
        lambda w: {"state_dict": w, "epoch": 3},
        lambda w: {"model": w},
        lambda w: {"model": {"state_dict": w}} | {"state_dict": {"model": w}},
        lambda w: {f"module.{name}": v for name, v in w.items()},
        lambda w: {"model_state_dict": {f"module.{name}": v for name, v in w.items()}},
        lambda w: {name: torch.nn.Parameter(v) for name, v in w.items()},
    ],
)
def test_foreign_state_dicts(tmp_path, suffix, wrap):
    path = tmp_path / f"weights{suffix}"
    torch.save(wrap(WEIGHTS), path)
    read = read_weights(path)
    assert weights_sha256(read) == weights_sha256(WEIGHTS)
    assert not any(w.requires_grad for w in read.values())


def test_foreign_safetensors_and_the_old_torch_format(tmp_path):
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    torch.save(WEIGHTS, tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    for name in ("w.safetensors", "w.pt"):
        assert weights_sha256(read_weights(tmp_path / name)) == weights_sha256(WEIGHTS)


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def write_raw_pickle(content, path):
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize("write", [torch.save, write_raw_pickle])
@pytest.mark.parametrize("nested", [False, True])
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, write, nested):
    marker = tmp_path / "executed"
    hostile = Hostile(marker)
    write({"a": torch.ones(1), "b": hostile} if nested else hostile, tmp_path / "w.bin")
    with pytest.raises(ValueError, match="not weights") as caught:
        read_weights(tmp_path / "w.bin")
    assert "\n" not in str(caught.value)
    assert not marker.exists()


def test_the_hostile_pickle_would_run_if_it_were_trusted(tmp_path):
    marker = tmp_path / "executed"
    torch.save(Hostile(marker), tmp_path / "w.bin")
    torch.load(tmp_path / "w.bin", weights_only=False)
    assert marker.exists()


@pytest.mark.parametrize(
    "content",
    [
        {},
        [torch.ones(1)],
        torch.ones(1),
        {"epoch": 3},
        {1: torch.ones(1)},
        {"state_dict": {}},
        {"a": torch.ones(3).to_sparse()},
        {"a": torch.ones(1).expand(10**9)},
    ],
)
def test_files_without_a_state_dict(tmp_path, content):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ValueError, match="holds no weights by name"):
        read_weights(tmp_path / "w.pt")


def test_compressed_archives_are_refused(tmp_path):
    torch.save(WEIGHTS, tmp_path / "w.pt")
    with (
        zipfile.ZipFile(tmp_path / "w.pt") as plain,
        zipfile.ZipFile(tmp_path / "z.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry))
    with pytest.raises(ValueError, match="compressed"):
        read_weights(tmp_path / "z.pt")


@pytest.mark.parametrize("name", ["w.pkl", "w", "w.onnx"])
def test_other_kinds_of_file(tmp_path, name):
    with pytest.raises(ValueError, match=r"expected a \.safetensors, \.bin, \.pt or \.pth"):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02.", b"\xff" * 64])
def test_garbage(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name) as caught:
        read_weights(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "w.pt").mkdir()
    with pytest.raises(ValueError, match=r"w\.pt"):
        read_weights(tmp_path / "w.pt")
