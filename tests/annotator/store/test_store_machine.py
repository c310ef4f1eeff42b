"""Any order of syncs, plans, answers, failures and retries, against a model in plain Python."""

import itertools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

FILES = ("a.mp4", "b.mp4")
BOUNDS = ((0, 1000), (1000, 2000), (500, 1500))
TEXTS = ("x", "y", None)

files = st.sampled_from(FILES)
plans = st.dictionaries(st.sampled_from(BOUNDS), st.sampled_from(TEXTS))


@dataclass
class Clip:
    text: str | None
    active: bool = True
    state: str = "pending"
    answered: bool = False


@dataclass
class File:
    key: str
    state: str = "new"
    content: str | None = None
    clips: dict[tuple[int, int], Clip] = field(default_factory=dict)


class StoreMachine(RuleBasedStateMachine):
    """The test adds `open_world`, `fresh_place` and the makers that are fixtures."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = self.open_world(self.fresh_place(Path(self.folder.name)))
        self.files: dict[str, File] = {}

    def teardown(self):
        self.world.store.close()
        self.folder.cleanup()

    def clip_id(self, name, bounds):
        ((clip_id,),) = self.world.rows(
            "SELECT clip.id FROM clip JOIN media ON media.id = media_id "
            "WHERE path = ? AND start_ms = ? AND end_ms = ?",
            f"/c/{name}",
            *bounds,
        )
        return clip_id

    def waiting(self, name):
        return sorted(
            bounds
            for bounds, clip in self.files[name].clips.items()
            if clip.active and clip.state != "failed" and not clip.answered
        )

    @rule(name=files, key=st.sampled_from("kl"))
    def sync(self, name, key):
        self.world.sync(name, key=key)
        known = self.files.setdefault(name, File(key))
        if known.key != key:
            known.key, known.state = key, "new"

    @precondition(lambda self: self.files)
    @rule(data=st.data(), plan=plans, content=st.sampled_from("hg"))
    def plan(self, data, plan, content):
        name = data.draw(st.sampled_from(sorted(self.files)))
        known = self.files[name]
        for bounds, clip in known.clips.items():
            if known.content != content or (bounds in plan and plan[bounds] != clip.text):
                clip.state, clip.answered, clip.text = "pending", False, None
            clip.active = bounds in plan
        for bounds, text in plan.items():
            clip = known.clips.setdefault(bounds, Clip(text))
            clip.text = text
            if clip.state == "failed":
                clip.state = "pending"
        known.state, known.content = "planned", content
        segments = [self.segment(*bounds, text) for bounds, text in plan.items()]
        ids = self.world.plan(name, segments, content)
        assert ids == [self.clip_id(name, bounds) for bounds in self.waiting(name)]
        assert self.world.plan(name, segments, content) == ids

    @precondition(lambda self: any(file.clips for file in self.files.values()))
    @rule(data=st.data(), outcome=st.sampled_from(["answer", "fail", "retry"]))
    def clip(self, data, outcome):
        clips = [(n, b) for n, file in sorted(self.files.items()) for b in sorted(file.clips)]
        name, bounds = data.draw(st.sampled_from(clips))
        clip, clip_id = self.files[name].clips[bounds], self.clip_id(name, bounds)
        if outcome == "answer":
            heard = ("words", "asr") if clip.text is None else (clip.text, "sidecar")
            given = self.result(clip_id, transcript=heard)
            self.world.store.save_results(self.world.run_id, self.world.model_id, [given])
            clip.state, clip.answered = "ready", True
        elif outcome == "fail":
            self.world.store.fail_clip(clip_id, "decode", "broken")
            clip.state = "failed"
        else:
            failed = clip.state == "failed"
            assert self.world.store.retry([clip_id]) == failed
            clip.state = "pending" if failed else clip.state

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def fail_file(self, data):
        name = data.draw(st.sampled_from(sorted(self.files)))
        self.world.store.fail_media(self.world.media_id(name), "probe", "broken")
        self.files[name].state = "failed"

    @rule()
    def retry_all(self):
        count = 0
        for file in self.files.values():
            count += file.state == "failed"
            file.state = "new" if file.state == "failed" else file.state
            for clip in file.clips.values():
                count += clip.state == "failed"
                clip.state = "pending" if clip.state == "failed" else clip.state
        assert self.world.store.retry() == count

    @rule()
    def reopen(self):
        path = self.world.path
        self.world.store.close()
        again = self.open_world(path)
        again.store.finish_run(again.run_id, "done", {}, {})
        self.world.store = again.store

    @invariant()
    def what_is_pending_is_what_should_be(self):
        expected = {}
        for name, file in self.files.items():
            if file.state == "new":
                expected[name] = None
            elif file.state == "planned" and self.waiting(name):
                expected[name] = len(self.waiting(name))
        assert self.world.pending() == expected

    @invariant()
    def every_row_is_there_once(self):
        clips = list(
            itertools.chain.from_iterable(file.clips.values() for file in self.files.values())
        )
        answered = sum(clip.answered for clip in clips)
        counts = [self.world.count(t) for t in ("clip", "prediction", "label_prediction")]
        assert counts == [len(clips), answered, 2 * answered]


def test_any_order_of_steps(open_world, fresh_place, make_segment, make_result):
    made = {
        "open_world": open_world,
        "fresh_place": fresh_place,
        "segment": make_segment,
        "result": make_result,
    }
    makers = {name: staticmethod(maker) for name, maker in made.items()}
    run_state_machine_as_test(
        type("Machine", (StoreMachine,), makers),
        settings=settings(max_examples=12, stateful_step_count=20),
    )
