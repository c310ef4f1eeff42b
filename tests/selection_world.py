"""A store with twelve clips that a model has answered, and people may."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from annotator.store.records import ClipResult, ClipScores, FreshScores, LabelScores
from annotator.store.review_records import Answer, GivenLabel
from annotator.types import Absent, ClipFeatures, Features, Segment, Source
from review_clips import INFO, LABELS, Facts

CLIPS = 12
FEATURES = ClipFeatures(
    Absent("no face", "faces@1"), Features(np.zeros((7, 2), np.float16), "s@1"), Absent("", "t@1")
)


def labels_of(n: int, *, shift: float = 0.0) -> tuple[LabelScores, ...]:
    p = (0.9 - shift, min(0.04 * n + shift, 1.0), 0.1)
    return tuple(
        LabelScores(label, value, min(value + 0.01 * n, 1.0), 0.5, value, None, 3.0, None)
        for label, value in zip(LABELS, p, strict=True)
    )


class World:
    """A store with twelve clips of three files, the last the least certain, and its answers."""

    def __init__(self, store, *, latents: bool = True, bald: bool = False, speakers=True) -> None:
        self.store = store
        self.model_id = store.register_model(Facts())
        self.run_id = store.start_run(self.model_id, {}, "0.1.0")
        files = [Path(f"/c/{name}.mp4") for name in "abc"]
        store.sync_sources(self.run_id, [(Source(path, 1, 5), "key") for path in files])
        self.ids = []
        for media in store.pending(self.run_id, self.model_id):
            plan = [
                Segment(10_000 * n, 10_000 * n + 1000 * (n + 1), "windows",
                        speaker=f"s{n}" if speakers else None)
                for n in range(4)
            ]  # fmt: skip
            waiting = store.save_plan(media.media_id, media.path.name, INFO, plan, self.model_id)
            self.ids += [clip.clip_id for clip in waiting]
        self.save(self.model_id, latents, bald)

    def save(self, model_id, latents=True, bald=False, shift=0.0) -> None:
        results = []
        for n, clip in enumerate(self.ids):
            scores = (labels_of(n, shift=shift * n), float(n + 1), 0.5, 1 - n / CLIPS,
                      n / CLIPS if bald else None)  # fmt: skip
            latent = np.array([n % 3, n // 3], "<f2").tobytes()
            made = FreshScores(*scores, latent) if latents else ClipScores(*scores)
            results.append(ClipResult(clip, FEATURES, made))
        self.store.save_results(self.run_id, model_id, results)

    def answer(self, clip: int, number: int, *labels: str, seconds: float = 9.0) -> None:
        """One person's answer, the only one."""
        self.answers(clip, number, [("labelled", labels)], seconds)

    def answers(self, clip: int, task: int, given, seconds: float = 9.0) -> None:
        """What several people say of a clip: a state and labels each."""
        project = self.store.save_project("http://ls", 1, "t", LABELS).project_id
        self.store.begin_sending(project, self.model_id, {f"s{clip}": clip}, shown=True)
        self.store.sent(project, {f"s{clip}": task})
        when = datetime(2026, 3, 1, tzinfo=UTC)
        said = [
            Answer(
                number=100 * task + person, task=task, annotator=f"p{person}", state=state,
                labels=tuple(GivenLabel(label, None, None) for label in labels),
                neutral=state == "labelled" and not labels, comment=None, lead_seconds=seconds,
                unchanged=None, result=[], created_at=when, updated_at=when,
            )
            for person, (state, labels) in enumerate(given)
        ]  # fmt: skip
        self.store.save_answers(project, {task: said})
