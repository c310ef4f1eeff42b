"""The interface: well-formed, without two of a name, and accepted by a real server."""

from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.labelstudio.interface import (
    COMMENT,
    EMOTIONS,
    QUALITY,
    UNUSABLE,
    VIDEO,
    config,
    interface,
)
from annotator.labelstudio.server import Account, Server

HOSTILE = (
    'the "happy" one', "it's", "a < b", "c > d", "r&d", "&amp;", "]]>", "<!-- no -->", "<Choice/>",
    "très triste", "😀", "👩‍👩‍👧", "радость", "a, b", "a\nb", "two\tparts", " spaces ",
    "$5", "{{x}}", "unusable",
)  # fmt: skip
XML_CHARACTERS = st.characters(
    exclude_categories=["Cs"], exclude_characters=[chr(n) for n in range(32)] + ["\ufffe", "\uffff"]
)
LABEL_SETS = st.lists(
    st.text(XML_CHARACTERS, min_size=1, max_size=8) | st.text("aA_ 123", min_size=1, max_size=4),
    min_size=1, max_size=8, unique=True,
)  # fmt: skip


def controls(view: Element) -> list[str]:
    return [tag.attrib["name"] for tag in view.iter() if "name" in tag.attrib]


def offered(view: Element, name: str) -> list[str]:
    (choices,) = (tag for tag in view.iter("Choices") if tag.attrib["name"] == name)
    return [choice.attrib["value"] for choice in choices]


def check(xml: str, labels: list[str]) -> None:
    """What holds of every interface."""
    view, shape = fromstring(xml), interface(labels)
    names = controls(view)
    assert len(set(names)) == len(names)
    assert {EMOTIONS, QUALITY, COMMENT, VIDEO, "transcript", *shape.intensities} == set(names)
    neutral = [] if "neutral" in labels else ["neutral"]
    assert offered(view, EMOTIONS) == [*labels, *neutral]
    assert offered(view, QUALITY) == [UNUSABLE]
    assert all(tag.attrib["toName"] in names for tag in view.iter() if "toName" in tag.attrib)
    shown = [tag for tag in view.iter("View") if "whenChoiceValue" in tag.attrib]
    assert [tag.attrib["whenChoiceValue"] for tag in shown] == labels
    ratings = [rating.attrib["name"] for tag in shown for rating in tag.iter("Rating")]
    assert ratings == list(shape.intensities)
    keys = [choice.attrib["hotkey"] for choice in view.iter("Choice") if "hotkey" in choice.attrib]
    assert len(set(keys)) == len(keys)


@settings(max_examples=200)
@given(labels=LABEL_SETS)
def test_any_labels_make_an_interface_that_says_them(labels):
    check(config(interface(labels)), labels)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["a", "A", "ä"], ["a", "a_1", ""]),
        (["a", "a_2", "A"], ["a", "a_2", "a_3"]),
        (["a b", "a-b", "a  b"], ["a_b", "a_b_1", "a_b_2"]),
    ],
)
def test_names_that_would_be_the_same_are_told_apart(labels, names):
    assert interface(labels).intensities == tuple(f"intensity_{name}" for name in names)


def test_neutral_is_offered_once():
    assert interface(["happy"]).neutral == "neutral"
    assert interface(["happy", "neutral"]).neutral is None
    view = fromstring(config(interface(["happy", "neutral"])))
    assert offered(view, EMOTIONS) == ["happy", "neutral"]


@pytest.mark.parametrize("label", ["a\0", "\x1b[1m", "\udce9", "\uffff"])
def test_a_label_that_xml_cannot_hold_is_refused(label):
    with pytest.raises(UsageError, match=r"^Label Studio cannot show the label '[ -~]+': rename"):
        interface(["happy", label])


@pytest.mark.parametrize(
    "labels", [list(HOSTILE), [f"label {n}" for n in range(40)], ["x" * 200]],
    ids=["hostile", "forty", "long"],
)  # fmt: skip
def test_a_real_server_accepts_and_keeps_it(labels, label_studio):
    server = Server(Account(label_studio.url, label_studio.token))
    project = server.create_project("an interface", config(interface(labels)))
    try:
        check(server.project(project.number).config, labels)
        data = {"sample_id": "a", VIDEO: "/a.mp4", "transcript": "hi"}
        assert len(server.import_tasks(project.number, [{"data": data}])) == 1
    finally:
        server._client.projects.delete(project.number)
