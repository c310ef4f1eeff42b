"""Pictures: they are drawn, alike for alike numbers, whatever the labels are called."""

import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from annotator.errors import EnvironmentFault
from annotator.experiments.corruption_curves import CorruptionCurves, Curve, Point
from annotator.experiments.corruption_picture import draw_curves
from annotator.experiments.corruption_verdicts import Fall, Rise
from annotator.experiments.diagnosis_picture import draw_latents, embed
from annotator.experiments.latents import Distributions
from annotator.experiments.pictures import COLOURS
from annotator.learning.corruption import CORRUPTIONS
from annotator.metrics.bootstrap import Interval

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")


def latents(labels: tuple[str, ...] = ("happy", "sad"), each: int = 6) -> Distributions:
    """A cloud for every label and modality."""
    random = np.random.default_rng(0)
    label = np.repeat(np.arange(len(labels)), 3 * each)
    modality = np.tile(np.repeat(np.arange(3), each), len(labels))
    rows = random.normal(size=(len(label), 8))
    rows[:, 0] += 20 * modality
    rows[:, 1] += 8 * label
    return Distributions(labels, rows, label, modality)


def curves() -> CorruptionCurves:
    drawn = []
    for way in CORRUPTIONS:
        points = tuple(Point(s, 4 + s, 0.5 + s / 4, 0.8 - s / 5, 0.9 - s / 3) for s in (0, 0.5, 1))
        rise = Rise(1.0, Interval(1.0, 0.5, 1.5))
        fall = Fall(0.2, 0.1, True, True, 0.4)
        falls = {"micro_f1": fall, "mean_average_precision": fall}
        rises = {"variance": rise, "entropy": rise}
        drawn.append(Curve(way.name, way.kind, way.modality, False, 10, points, rises, falls))
    return CorruptionCurves("toy", "test", tuple(drawn))


def texts(svg) -> set[str]:
    """What an SVG says; matplotlib draws letters as paths and leaves the words as comments."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    tree = ElementTree.fromstring(svg.read_text(encoding="utf-8"), parser)
    return {e.text.strip() for e in tree.iter() if e.tag is ElementTree.Comment}


def test_the_map_of_latents(tmp_path):
    before = dict(matplotlib.rcParams)
    png, svg = draw_latents(latents(), tmp_path / "new" / "map.v1", seed=0)
    assert png.name == "map.v1.png"
    assert png.read_bytes().startswith(b"\x89PNG")
    assert {"happy", "sad", "visual", "audio", "text"} <= texts(svg)
    assert dict(matplotlib.rcParams) == before


def test_the_same_numbers_give_the_same_picture(tmp_path):
    first = draw_latents(latents(), tmp_path / "a", seed=0)
    again = draw_latents(latents(), tmp_path / "b", seed=0)
    for one, two in zip(first, again, strict=True):
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("label", ["_private", "$\\frac", "100 % <b>&", "a" * 40, ""])
def test_labels_may_be_called_anything(tmp_path, label):
    _, svg = draw_latents(latents((label, "sad")), tmp_path / "map", seed=0)
    assert "sad" in texts(svg)
    if label in ("_private", "$\\frac"):
        assert label in texts(svg)


def test_of_many_labels_the_commonest_are_drawn(tmp_path):
    many = latents(tuple(f"label {k}" for k in range(12)), each=3)
    often = np.flatnonzero(many.label >= 12 - len(COLOURS))
    chosen = np.sort(np.concatenate([np.arange(len(many.label)), often]))
    repeated = replace(
        many, rows=many.rows[chosen], label=many.label[chosen], modality=many.modality[chosen]
    )
    _, svg = draw_latents(repeated, tmp_path / "map", seed=0)
    said = texts(svg)
    assert "label 4" in said
    assert "label 3" not in said
    assert any("the 8 commonest of 12 labels" in text for text in said)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_few_points_are_drawn_too(tmp_path, count):
    whole = latents()
    few = Distributions(
        whole.labels, whole.rows[:count], whole.label[:count], whole.modality[:count]
    )
    assert embed(few.rows, seed=0).shape == (count, 2)
    assert all(file.exists() for file in draw_latents(few, tmp_path / "map", seed=0))


def test_tsne_keeps_clouds_together():
    found = latents(each=20)
    places = embed(found.rows, seed=0)
    centres = [places[found.modality == m].mean(axis=0) for m in range(3)]
    nearest = [np.argmin([np.linalg.norm(p - c) for c in centres]) for p in places]
    assert np.mean(nearest == found.modality) > 0.9


def test_the_curves(tmp_path):
    png, svg = draw_curves(curves(), tmp_path / "curves")
    assert png.read_bytes().startswith(b"\x89PNG")
    said = texts(svg)
    assert {"visual", "audio", "text", "noise", "dropped", "micro-F1"} <= said
    assert "Corruptions of toy, test" in said
    _, again = draw_curves(curves(), tmp_path / "again")
    assert svg.read_bytes() == again.read_bytes()


def test_a_corpus_of_one_modality_has_one_column(tmp_path):
    only = curves()
    only = replace(only, curves=tuple(c for c in only.curves if c.modality == "text"))
    _, svg = draw_curves(only, tmp_path / "curves")
    assert "visual" not in texts(svg)


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="choose another folder"):
        draw_curves(curves(), tmp_path / "file" / "curves")


@pytest.mark.parametrize(
    ("module", "package"), [("matplotlib", "matplotlib"), ("sklearn.manifold", "scikit-learn")]
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EnvironmentFault, match=f"pip install {package}"):
        draw_latents(latents(), tmp_path / "map", seed=0)
    assert not list(tmp_path.iterdir())
