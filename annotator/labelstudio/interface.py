"""The labelling interface of a project: what people see of a clip and can say about it.

It is built from the labels alone, and answers are read by the same names, so that the two cannot
drift apart. Nothing of the model's is in it: pre-annotations come with a task or not at all.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from annotator.errors import UsageError

EMOTIONS = "emotions"
QUALITY = "quality"
COMMENT = "comment"
VIDEO = "video"
NEUTRAL = "neutral"
UNUSABLE = "unusable"
MAX_INTENSITY = 5
_KEYS = "1234567890"
_NO_XML = re.compile("[^\t\n\r\\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Interface:
    """The names by which a project's answers are read.

    `neutral` is the choice that says none of the emotions is there, or None where the labels have
    one of that name themselves. `intensities` names each label's rating.
    """

    labels: tuple[str, ...]
    neutral: str | None
    intensities: tuple[str, ...]


def interface(labels: Sequence[str]) -> Interface:
    """The interface of a label set.

    Raises:
        UsageError: a label has a control character or half of one, which XML cannot hold.

    >>> interface(["happy", "très sad"]).intensities
    ('intensity_happy', 'intensity_tr_s_sad')
    """
    names: list[str] = []
    for label in labels:
        if _NO_XML.search(label):
            raise UsageError(
                f"Label Studio cannot show the label {label!r}: rename it to text without "
                "control characters"
            )
        name = "intensity_" + re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
        places = itertools.count(len(names))
        free = name
        while free in names:
            free = f"{name}_{next(places)}"
        names.append(free)
    neutral = None if NEUTRAL in labels else NEUTRAL
    return Interface(tuple(labels), neutral, tuple(names))


def config(shape: Interface) -> str:
    """The interface in Label Studio's language.

    Its data are `video` and `transcript`; all else of a task is for the Data Manager.
    """
    view = Element("View")
    SubElement(view, "Header", value="Which emotions do you see or hear? Pick all that apply.")
    SubElement(view, "Video", name=VIDEO, value=f"${VIDEO}", height="360", muted="false")
    SubElement(view, "Text", name="transcript", value="$transcript")
    choices = SubElement(
        view, "Choices", name=EMOTIONS, toName=VIDEO, choice="multiple", showInline="true"
    )
    for place, label in enumerate(_offered(shape)):
        key = {"hotkey": _KEYS[place]} if place < len(_KEYS) else {}
        SubElement(choices, "Choice", {"value": label, **key})
    for label, name in zip(shape.labels, shape.intensities, strict=True):
        shown = SubElement(
            view,
            "View",
            visibleWhen="choice-selected",
            whenTagName=EMOTIONS,
            whenChoiceValue=label,
        )
        SubElement(shown, "Header", value=f"How strong is {label}?", size="5")
        SubElement(shown, "Rating", name=name, toName=VIDEO, maxRating=str(MAX_INTENSITY))
    quality = SubElement(
        view, "Choices", name=QUALITY, toName=VIDEO, choice="single", showInline="true"
    )
    SubElement(quality, "Choice", value=UNUSABLE, hotkey="u")
    SubElement(
        view, "TextArea", name=COMMENT, toName=VIDEO, rows="2", maxSubmissions="1",
        placeholder="Comment",
    )  # fmt: skip
    indent(view)
    return tostring(view, encoding="unicode")


def lacking(text: str, shape: Interface) -> list[str]:
    """Those choices of ours that a project's interface does not offer, whoever made it.

    Raises:
        ValueError: the text is no XML, or XML with entities, which could stand for anything.

    >>> shape = interface(["happy", "sad"])
    >>> lacking(config(shape), shape), lacking("<View/>", shape)
    ([], ['happy', 'sad', 'neutral'])
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        view = fromstring(text)
    except (ParseError, DefusedXmlException) as error:
        raise ValueError(f"no labelling interface ({type(error).__name__})") from error
    offered = {
        choice.get("alias") or choice.get("value")
        for choices in view.iter("Choices")
        if choices.get("name") == EMOTIONS and choices.get("toName") == VIDEO
        for choice in choices.iter("Choice")
    }
    return [choice for choice in _offered(shape) if choice not in offered]


def _offered(shape: Interface) -> tuple[str, ...]:
    return shape.labels if shape.neutral is None else (*shape.labels, shape.neutral)
