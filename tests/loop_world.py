"""A corpus of tiny sound files with planted features, and people who know the truth."""

import os
import wave
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from annotator.acquisition.pool import Plan
from annotator.corpus.plan import PlanSettings
from annotator.labelstudio.hosting import Hosting, local_files
from annotator.learning.dataset import Example
from annotator.learning.finetune_settings import FinetuneSettings
from annotator.learning.settings import override
from annotator.loop.book import book_of
from annotator.loop.loop import Outcome, loop
from annotator.loop.records import Round
from annotator.loop.settings import Asking, Choosing, Learning, LoopSettings
from annotator.loop.stopping import Policy
from annotator.loop.world import World as LoopPlace
from annotator.run import RunSettings
from reviewed_world import QUICK, World, words_of
from scripted_server import ScriptedServer
from toy_corpus import Silent, corpus

PROJECT = "loop"
Hand = Callable[[ScriptedServer, int, int, str], None]


class Told:
    """An observer that keeps what it is told, and lets `meanwhile` happen while a loop waits."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.steps: list[tuple[int, str]] = []
        self.lines: list[str] = []
        self.waits: list[tuple[int, int]] = []
        self.meanwhile = meanwhile

    def finished(self, round_: int, step: str, fact: object) -> None:
        self.steps.append((round_, step))

    def problems(self, lines: Sequence[str]) -> None:
        self.lines += lines

    def waiting(self, round_: int, answered: int, needed: int) -> None:
        self.waits.append((answered, needed))
        self.meanwhile()

    def running(self):
        raise AssertionError("no media is to be opened")

    def training(self):
        return nullcontext(Silent())

    def counting(self, what: str, total: int | None):
        return nullcontext(lambda _count: None)


class LoopWorld(World):
    """A workspace with `count` clips that nobody has answered about, four a speaker."""

    def __init__(self, folder: Path, count: int = 240, *, entered: bool = True) -> None:
        super().__init__(folder)
        self.examples = list(corpus(count, 1, 1).split("train"))
        self.truth = {e.id: words_of(e.target) for e in self.examples}
        sounds = folder / "corpus"
        sounds.mkdir()
        silence(sounds / "silence.wav")
        for example in self.examples:
            os.link(sounds / "silence.wav", self.path(example))
        if entered:
            self.clips(self.examples)
        self.server = ScriptedServer()
        self.root = folder / "served"
        self.root.mkdir()

    def path(self, example: Example) -> Path:
        return self.folder / "corpus" / f"{example.id}.wav"

    @property
    def hosting(self) -> Hosting:
        return local_files(self.root)

    def settings(self, **changes: Any) -> LoopSettings:
        """Three rounds of sixty clips, with looks for answers but no wait."""
        policy = {name: changes.pop(name) for name in ("rounds", "budget", "batch", "plateau",
                                                       "ceiling") if name in changes}  # fmt: skip
        asking = {name: changes.pop(name) for name in ("project", "shown", "overlap", "wait_for",
                                                       "every_s") if name in changes}  # fmt: skip
        choosing = {name: changes.pop(name) for name in ("by", "plan", "split") if name in changes}
        assignments = (*QUICK, "train.epochs=8", *changes.pop("assignments", ()))
        return LoopSettings(
            policy=Policy(**{"rounds": 3, "budget": 180} | policy),
            asking=Asking(**{"project": PROJECT, "every_s": None} | asking),
            choosing=Choosing(**{"by": "entropy", "plan": Plan(1, audit=0.2)} | choosing),
            learning=Learning(override(FinetuneSettings(), assignments), **changes),
            run=RunSettings(PlanSettings(), device="cpu"),
        )

    def loop(self, server: Any = None, observer: Told | None = None, **changes: Any) -> Outcome:
        """Go on with the loop until it stops or waits."""
        return loop(
            LoopPlace(
                self.workspace,
                server or self.server,
                self.hosting,
                self.settings(**changes),
                observer or Told(),
            )
        )

    def rounds(self, project: str = PROJECT) -> list[Round]:
        return book_of(self.workspace, project).rounds()

    def answer(self, by: int = 1, most: int | None = None) -> int:
        """Somebody answers truly whatever this person has not; returns how many."""
        done = 0
        for number, tasks in self.server.tasks.items():
            for task, held in list(tasks.items()):
                given: Any = held["annotations"]
                if all(one["completed_by"] != by for one in given) and done != most:
                    self.server.answer(number, task, self.said(held), by=by)
                    done += 1
        return done

    def said(self, task: Any) -> str:
        return self.truth[Path(task["data"]["file"]).stem]

    def to_the_end(self, **changes: Any) -> Outcome:
        """Loop and answer in turn until the loop stops."""
        for _ in range(10):
            outcome = self.loop(**changes)
            if outcome.stopped:
                return outcome
            self.answer()
        raise AssertionError("the loop does not come to its end")


def silence(file: Path, seconds: float = 1.0) -> None:
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(bytes(2 * int(16_000 * seconds)))
