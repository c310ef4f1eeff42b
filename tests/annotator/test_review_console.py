"""What people read of a review."""

import json

import pytest

from annotator.labels.agreement import agreement
from annotator.labels.votes import Vote
from annotator.review_console import print_agreements
from annotator.store.review_records import ReviewProject

LABELS = ("happy", "sad")
PROJECT = ReviewProject(1, "http://ls", 7, "films", LABELS, None)


def votes(**picked: str) -> list[Vote]:
    """Each person's picks, clip by clip."""
    return [
        Vote(clip, who, frozenset({label}))
        for who, labels in picked.items()
        for clip, label in enumerate(labels.split())
    ]


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        (votes(ann="sad happy"),
         ["alpha unknown of happy; sad; (whole answer): one person only gave usable answers.",
          "seconds unknown of ann: no answer with a time."]),
        ([*votes(ann="sad happy"), Vote(9, "bob", unusable=True), Vote(8, "bob", neutral=True)],
         ["alpha unknown of happy; sad; (whole answer): no clip with two usable answers."]),
        (votes(ann="sad sad", bob="sad sad"),
         ["alpha unknown of happy: nobody chose it: chance would agree as well.",
          "alpha unknown of sad: everybody always chose it: chance would agree as well.",
          "kappa unknown of ann and bob, happy; ann and bob, sad: both gave one and the same"]),
    ],
)  # fmt: skip
def test_what_is_unknown_has_its_reason_in_the_table_and_in_json(given, lines, capsys):
    found = agreement(given, LABELS, resamples=0)
    print_agreements([(PROJECT, found, [])], as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    for line in lines:
        assert line in shown
    print_agreements([(PROJECT, found, [])], as_json=True)
    (project,) = json.loads(capsys.readouterr().out)["projects"]
    for label, figure in project["agreement"]["alpha"].items():
        assert (figure["value"], figure["reason"]) == (None, found.alpha[label].reason)
