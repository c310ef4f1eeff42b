"""A file over time: its numbers, its page and picture, and sparklines for any terminal."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import media_samples
from annotator.errors import UsageError
from annotator.media.peaks import peaks
from annotator.media.probe import probe
from annotator.report.timeline import NARROWEST, WIDEST, Timeline, timeline
from annotator.report.timeline_page import page
from annotator.report.timeline_picture import png
from annotator.timeline_console import BLOCKS, PLAIN, columns, sparkline
from commands import annotate


def made(bounds, probability, sigma, peaks=None) -> Timeline:
    labels = tuple(f"label {k}" for k in range(len(probability[0])))
    return Timeline(
        Path("a.mp4"), "m", labels, np.array(bounds), np.array(probability), np.array(sigma),
        [None] * len(bounds), max(end for _, end in bounds), peaks, None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def shown(world) -> Timeline:
    with world.workspace.open_store() as store:
        return timeline(store.show(world.video), "starter", with_sound=True)


def test_the_timeline_is_what_the_store_has(world, shown):
    with world.workspace.open_store() as store:
        clips = store.show(world.video)
    assert shown.bounds_ms.tolist() == [[2000 * n, 2000 * n + 1500] for n in range(8)]
    first = {p.model: p for p in clips[3].predictions}["starter"].scores.labels
    assert shown.probability[3].tolist() == [label.p for label in first]
    assert shown.labels == tuple(label.label for label in first)
    assert shown.duration_ms == pytest.approx(16_000, abs=100)


def test_by_default_it_is_of_the_newest_model_that_annotated_most(world):
    with world.workspace.open_store() as store:
        clips = store.show(world.video)
    assert timeline(clips, None, with_sound=False).model == "starter-r1"
    with pytest.raises(UsageError, match="model 'none' has annotated none"):
        timeline(clips, "none", with_sound=False)


def test_a_file_that_is_gone_is_drawn_without_its_sound(world, tmp_path):
    from dataclasses import replace

    with world.workspace.open_store() as store:
        clips = [replace(clip, path=tmp_path / "gone.mp4") for clip in store.show(world.video)]
    found = timeline(clips, None, with_sound=True)
    assert found.peaks is None
    assert "cannot be drawn" in str(found.silence)
    assert "No wave form" in page(found)


def test_bands_are_narrowest_where_the_model_is_surest():
    found = made([(0, 1000), (1000, 2000)], [[0.5, 0.5], [0.5, 0.5]], [[1.0, 2.0], [3.0, 1.0]])
    assert found.band.min() == NARROWEST == found.band[0, 0]
    assert found.band.max() == found.band[1, 0] == pytest.approx(WIDEST)
    flat = made([(0, 1000)], [[0.5]], [[2.0]])
    assert flat.band.tolist() == [[NARROWEST]]


def test_peaks_stand_where_the_sound_is(tmp_path):
    path = tmp_path / "clicks.wav"
    media_samples.clicks(path, 4.0)
    found = peaks(path, probe(path), 40)
    assert found.shape == (40, 2)
    loud = np.flatnonzero(found[:, 1] > 0.1).tolist()
    assert set(loud) >= {10, 20, 30}
    assert not set(loud) & {5, 15, 25, 35}
    assert (found[:, 0] <= found[:, 1]).all()
    with pytest.raises(ValueError, match="one part"):
        peaks(path, probe(path), 0)


def test_the_picture_is_a_png_of_its_size(shown):
    import cv2

    content = png(shown)
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[1] == 1600
    assert image.std() > 5  # there is something on it


def test_the_page_has_every_number(shown):
    text = page(shown)
    assert text.count("<tr>") == 1 + len(shown.bounds_ms)
    for value in shown.probability[:, 0]:
        assert f"{value:.3f}" in text
    assert "<script>" not in text


@given(
    st.lists(st.none() | st.floats(0, 1), max_size=50),
    st.sampled_from([BLOCKS, PLAIN]),
)
def test_a_sparkline_has_a_character_a_value_and_keeps_their_order(values, glyphs):
    line = sparkline(values, 0.0, 1.0, glyphs)
    assert len(line) == len(values)
    heights = [(v, glyphs.index(c)) for v, c in zip(values, line, strict=True) if v is not None]
    assert all(c == " " for v, c in zip(values, line, strict=True) if v is None)
    assert [h for _, h in sorted(heights)] == sorted(h for _, h in heights)


def test_columns_take_the_clip_that_is_on():
    found = made([(0, 1000), (2000, 4000)], [[0.1], [0.2]], [[1.0], [2.0]])
    assert columns(found, 4) == [0, None, 1, 1]


def plot(world, *options: object, **environ: str):
    place = ("--workspace", world.workspace.root)
    return annotate("show", world.video, "--plot", *place, *options, **environ)


def test_the_terminal_shows_a_line_a_label(world, shown):
    done = plot(world, "--model", "starter")
    assert done.code == 0, done.err
    for label in (*shown.labels, "sound"):
        assert f"│ {label} " in done.out
    assert set(BLOCKS) & set(done.out)
    assert "\x1b" not in done.out  # a pipe gets no colours


def test_a_terminal_without_blocks_gets_plain_characters(world):
    done = plot(world, PYTHONIOENCODING="ascii")
    assert done.code == 0, done.err
    assert done.out.isascii()
    assert "fear" in done.out
    assert "\\u" not in done.out


@pytest.mark.parametrize("name", ["a.png", "a.html", "A.HTML"])
def test_a_picture_is_written_to_its_file(world, tmp_path, name):
    done = plot(world, "--out", tmp_path / name)
    assert done.code == 0, done.err
    begins = b"\x89PNG" if name.endswith("png") else b"<!doctype html>"
    assert (tmp_path / name).read_bytes().lstrip().startswith(begins)
    assert f"written to {tmp_path / name}" in done.out


def test_json_has_every_clip(world, shown):
    found = json.loads(plot(world, "--json", "--model", "starter").out)
    assert [clip["start_ms"] for clip in found["clips"]] == shown.bounds_ms[:, 0].tolist()
    assert found["clips"][0]["p"]["fear"] == pytest.approx(shown.probability[0, 5])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("1", "--plot"), "--plot shows a whole file"),
        (("1", "--out", "a.png"), "add --plot"),
        (("1", "--plot", "--out", "a.gif"), "neither a .png nor an .html"),
    ],
)
def test_wrong_use_is_one_line(world, arguments, words):
    done = annotate("show", *arguments, "--workspace", world.workspace.root)
    assert done.code == 2
    assert words in done.err.splitlines()[-1]


def test_show_alone_keeps_its_tables(world):
    done = annotate("show", "1", "--workspace", world.workspace.root)
    assert "p_sigma" in done.out


def test_hours_of_clips_are_a_few_shapes_and_a_picture():
    n = 5_000
    bounds = [(1000 * k, 1000 * k + 900) for k in range(n)]
    rng = np.random.default_rng(0)
    found = made(bounds, rng.random((n, 6)), rng.random((n, 6)))
    text = page(found)
    assert text.count("<path") < 100
    assert len(text.encode()) < 10e6
    assert png(found).startswith(b"\x89PNG")
