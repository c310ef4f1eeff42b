"""The most and the least certain clips, to look at and listen to."""

from collections.abc import Callable, Sequence
from contextlib import closing

from annotator.report.charts.svg import shorten
from annotator.report.labels import NO_CLIPS
from annotator.report.media import Projector, Shown
from annotator.report.section import Player, Section, lacking
from annotator.report.words import count
from annotator.store.engine import Store
from annotator.store.records import RankedClip

HEAD = ("clips", "Clips")
TOP_LABELS = 3
MOST_TEXT = 300  # characters of a transcript
UNWANTED = Shown(lacking="left out by --no-media")


class Gallery:
    """`each` of the least and of the most certain clips, whose films are begun at once.

    Args:
        store: where they are ranked.
        model_id: by whose answers.
        each: how many at either end.
        projector: what makes films; without one nothing can be played.
    """

    def __init__(self, store: Store, model_id: int, each: int, projector: Projector | None) -> None:
        least = _distinct(store, model_id, each, surest=False)
        chosen = {clip.clip_id for clip in least}
        most = [c for c in _distinct(store, model_id, each, surest=True) if c.clip_id not in chosen]
        self._least, self._most = least, most
        self._projector = projector
        self._asked = each
        places = [(clip.path, (clip.start_ms, clip.end_ms)) for clip in (*least, *most)]
        self._making = projector.begin(places) if projector else []

    def section(self, progress: Callable[[int], None]) -> Section:
        """The clips, once their films are there; `progress` is told of each."""
        least, most = self._least, self._most
        if not least:
            return lacking(*HEAD, NO_CLIPS if self._asked else "None were asked for")
        shown: list[Shown] = []
        for place in range(len(least) + len(most)):
            making = self._projector and self._projector.shown(self._making[place])
            shown.append(making or UNWANTED)
            progress(1)
        groups = ((least, "least", shown), (most, "most", shown[len(least) :]))
        return Section(
            *HEAD,
            headline=f"From {least[0].score:.2f} down to {most[0].score:.2f}: "
            "the least and the most certain clips"
            if most
            else "The least certain clips",
            text="Uncertainty is the clip's variance, the score that ranks clips for review.",
            players=[
                (f"The {count(len(clips))} {which} certain", list(map(_player, clips, films)))
                for clips, which, films in groups
                if clips
            ],
        )


def _distinct(store: Store, model_id: int, each: int, *, surest: bool) -> list[RankedClip]:
    """The first clips of the ranking, copies of one another once."""
    found: dict[tuple[str, int, int], RankedClip] = {}
    if each:
        with closing(store.ranked(model_id, surest=surest)) as ranking:
            for clip in ranking:
                found.setdefault((clip.content_hash, clip.start_ms, clip.end_ms), clip)
                if len(found) == each:
                    break
    return list(found.values())


def _player(clip: RankedClip, shown: Shown) -> Player:
    return Player(
        name=clip.path.name,
        where=f"{clip.start_ms / 1000:.1f} to {clip.end_ms / 1000:.1f} s",
        text=shorten(clip.text, MOST_TEXT) if clip.text else None,
        score=f"{clip.score:.3f}",
        labels=_strongest(clip),
        still=shown.still,
        film=shown.film,
        lacking=shown.lacking,
    )


def _strongest(clip: RankedClip) -> Sequence[tuple[str, float]]:
    ordered = sorted(clip.scores.labels, key=lambda label: -label.p)
    return [(label.label, label.p) for label in ordered[:TOP_LABELS]]
