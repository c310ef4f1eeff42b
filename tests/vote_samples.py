"""Votes in short, and at random."""

from hypothesis import strategies as st

from annotator.labels.votes import Vote

LABELS = ("happy", "sad", "anger")
UNUSABLE = "?"


def said(clip: int, annotator: str, picks: str, **more) -> Vote:
    """`picks` are labels between blanks, nothing for neutral, or ? for unusable."""
    labels = frozenset(() if picks == UNUSABLE else picks.split())
    neutral = not labels and picks != UNUSABLE
    return Vote(clip, annotator, labels, neutral, picks == UNUSABLE, **more)


def table(rows: dict[str, list[str | None]]) -> list[Vote]:
    """Each annotator's picks clip by clip, from clip 0; None where there is no vote."""
    return [
        said(clip, annotator, picks)
        for annotator, row in rows.items()
        for clip, picks in enumerate(row)
        if picks is not None
    ]


PICKS = st.sampled_from(["", UNUSABLE, "happy", "sad", "anger", "happy sad", "happy sad anger"])


@st.composite
def projects(draw, clips: int = 6, annotators: int = 4) -> list[Vote]:
    """Some people's votes on some clips, in any order."""
    places = st.tuples(st.integers(1, clips), st.integers(1, annotators))
    return [
        said(
            clip,
            f"person {person}",
            draw(PICKS),
            seconds=draw(st.none() | st.floats(0, 1e4)),
            unchanged=draw(st.sampled_from([None, False, True])),
        )
        for clip, person in draw(st.lists(places, unique=True))
    ]
