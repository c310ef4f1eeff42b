"""A real workspace with everything a report can show, and names that want to be markup."""

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

import media_samples
from annotator import registry
from annotator.report.build import Report, build
from annotator.store.review_records import Answer, GivenLabel
from annotator.workspace import Workspace
from commands import annotate

HOSTILE = "</script></style><img src=x onerror=alert(1)> \"quoted\" & 'single'"
SPEAKER = "<b>bold</b>"
PERSON = "<i>ann</i>"
TITLE = "</title><script>alert(2)</script>"
CLIPS = 8
ROUND = "starter-r1"


@dataclass(frozen=True)
class World:
    """A workspace in which a file was annotated and two people have answered."""

    workspace: Workspace
    video: Path

    def report(self, model: str | None = None, each: int = 2, media: bool = False) -> Report:
        version = registry.choose(self.workspace, model or registry.STARTER)
        with self.workspace.open_store() as store:
            return build(
                self.workspace,
                store,
                version,
                each=each,
                with_media=media,
                progress=lambda _: None,
            )


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> World:
    folder = tmp_path_factory.mktemp("report") / "<u>corpus & co"
    folder.mkdir()
    video = media_samples.video(folder / "<b>a&amp;'.mp4", seconds=CLIPS * 2.0)
    rows: list[list[object]] = [["path", "start", "end", "transcript", "speaker", "label:happy"]]
    for n in range(CLIPS):
        text = f"{HOSTILE} {n}"
        rows.append([video.name, 2 * n, 2 * n + 1.5, text, SPEAKER, n % 2])
    manifest = folder / "clips.csv"
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    root = folder / "ws"
    done = annotate("run", manifest, "--workspace", root, "--model", "starter")
    assert done.code == 0, done.err
    made = World(Workspace(root), video)
    _descend(made.workspace)
    _answer(made.workspace)
    assert annotate("run", manifest, "--workspace", root, "--model", ROUND).code == 0
    return made


@pytest.fixture(scope="session")
def bare(tmp_path_factory) -> Workspace:
    """A workspace in which nothing was annotated."""
    root = tmp_path_factory.mktemp("bare") / "ws"
    assert annotate("init", "--workspace", root).code == 0
    return Workspace(root)


def _descend(workspace: Workspace) -> None:
    """A second version that says it was trained from the first, and finds more labels."""
    folder = workspace.models / ROUND
    shutil.copytree(workspace.models / registry.STARTER, folder)
    file = folder / "model.json"
    described = json.loads(file.read_text())
    metadata = described["metadata"]
    metadata["parent"] = {"name": registry.STARTER}
    metadata["promotion"] = {"reason": HOSTILE}
    metadata["thresholds"] = dict.fromkeys(described["config"]["labels"], 0.005)
    macro = metadata["validation"]["metrics"]["macro_f1"]
    metadata["validation"]["metrics"]["macro_f1"] = {n: v + 0.1 for n, v in macro.items()}
    file.write_text(json.dumps(described))


def _answer(workspace: Workspace) -> None:
    """Two people answer every clip, and agree on every other one."""
    with workspace.open_store() as store:
        labels = registry.choose(workspace, registry.STARTER).labels
        model_id = store.register_model(registry.choose(workspace, registry.STARTER))
        project = store.save_project("http://localhost", 1, TITLE, labels)
        ids = [clip.clip_id for clip in store.ranked(model_id)]
        samples = {f"sample-{clip_id}": clip_id for clip_id in ids}
        store.begin_sending(project.project_id, model_id, samples, shown=True)
        store.sent(project.project_id, samples)
        store.save_answers(
            project.project_id, {clip_id: list(_answers(clip_id, labels)) for clip_id in ids}
        )


def _answers(clip_id: int, labels: tuple[str, ...]) -> Iterator[Answer]:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for person, name in enumerate((PERSON, "bob")):
        label = labels[clip_id % 2 if person == 0 or clip_id % 4 < 2 else 3]
        yield Answer(
            number=10 * clip_id + person,
            task=clip_id,
            annotator=name,
            state="labelled",
            labels=(GivenLabel(label, None, "manual"),),
            neutral=False,
            comment=HOSTILE,
            lead_seconds=3.0,
            unchanged=False,
            result=[],
            created_at=now,
            updated_at=now,
        )
