"""Answers in ELAN files, as pympi and people write them."""

import pympi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.imports.elan import stated_in_elan

LABELS = ("happy", "sad")


def write(path, tiers: dict[str, list[tuple[int, int, str]]], media: str | None = None):
    eaf = pympi.Elan.Eaf()
    eaf.remove_tier("default")
    if media:
        eaf.add_linked_file(media, mimetype="video/mp4")
    for name, annotations in tiers.items():
        eaf.add_tier(name)
        for annotation in annotations:
            eaf.add_annotation(name, *annotation)
    eaf.to_file(str(path))
    return path


def read(path, *tiers: str):
    return [stated for _, stated in stated_in_elan(path, LABELS, tiers)]


def test_tiers_named_after_labels(tmp_path):
    file = write(
        tmp_path / "a.eaf",
        {
            "Happy": [(0, 1000, "1"), (1000, 2000, "no")],
            "human:sad (2)": [(0, 1000, "sad"), (1000, 2000, "0.25")],
            "model:sad": [(0, 1000, "0.9")],
            "words": [(0, 1000, "hello")],
        },
        media="file:///other/My%20film.mp4",
    )
    found = [(one.start_ms, one.end_ms, dict(one.values)) for one in read(file)]
    assert sorted(found, key=str) == [
        (0, 1000, {"happy": 1.0}),
        (0, 1000, {"sad": 1.0}),
        (1000, 2000, {"happy": 0.0}),
        (1000, 2000, {"sad": 0.25}),
    ]
    assert read(file)[0].media == ("/other/My film.mp4", "a")


def test_a_tier_of_names(tmp_path):
    file = write(
        tmp_path / "a.eaf", {"emotion": [(0, 1000, "happy, sad"), (1000, 2000, "neutral")]}
    )
    assert [dict(one.values) for one in read(file, "emotion")] == [
        {"happy": 1.0, "sad": 1.0},
        {"neutral": 1.0},
    ]


def test_an_annotation_that_says_neither_has_a_reason(tmp_path):
    (reason,) = read(write(tmp_path / "a.eaf", {"sad": [(0, 1000, "perhaps")]}))
    assert "'perhaps' is not a number from 0 to 1" in reason


def test_tiers_that_are_not_there(tmp_path):
    file = write(tmp_path / "a.eaf", {"words": [(0, 1000, "hello")]})
    with pytest.raises(UsageError, match="say with --tier"):
        read(file)
    with pytest.raises(UsageError, match="has no tier 'x'; it has 'words'"):
        read(file, "x")


@pytest.mark.parametrize(
    "text",
    ['<!DOCTYPE a [<!ENTITY x "y">]><ANNOTATION_DOCUMENT/>', "<html/>", "", "\x00"],
)
def test_hostile_and_other_files_are_refused(tmp_path, text):
    (tmp_path / "a.eaf").write_text(text)
    with pytest.raises(UsageError, match=r"cannot import 'a\.eaf'"):
        read(tmp_path / "a.eaf")


@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_media_names_of_any_kind(tmp_path_factory, name):
    from xml.sax.saxutils import quoteattr

    file = tmp_path_factory.mktemp("eaf") / "a.eaf"
    clean = "".join(c for c in name if c.isprintable())
    file.write_text(
        "<ANNOTATION_DOCUMENT><HEADER><MEDIA_DESCRIPTOR MEDIA_URL="
        f"{quoteattr(clean)}/></HEADER><TIER TIER_ID='sad' LINGUISTIC_TYPE_REF='x'/>"
        "</ANNOTATION_DOCUMENT>",
        encoding="utf-8",
    )
    assert read(file) == []
