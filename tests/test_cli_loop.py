"""`annotate loop`, as a user types it; one whole loop against the real server."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import media_samples
from annotator import registry
from annotator.labelstudio.server import Account, Server, sample_in
from commands import annotate, kill, start
from loop_world import LoopWorld
from reviewed_world import QUICK
from scripted_server import picks

pytestmark = pytest.mark.slow

URL, KEY, ROOT = (
    "LABEL_STUDIO_URL",
    "LABEL_STUDIO_API_KEY",
    "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT",
)
NOBODY = {URL: "http://127.0.0.1:1", KEY: "secret-key"}
CLEAN = dict.fromkeys((URL, KEY, ROOT, "ANNOTATE_MEDIA_URL"), "")
SET = [w for one in (*QUICK, "train.epochs=25", "finetune.test=0.35") for w in ("--set", one)]
PATIENCE_S = 120


def server_of(label_studio) -> dict[str, str]:
    return {URL: label_studio.url, KEY: label_studio.token, ROOT: str(label_studio.media_root)}


def _answered(server: Server, number: int, world: LoopWorld) -> Iterator[int]:
    """Answer the tasks that nobody has; yields all that are there."""
    for task in list(server.changed(number, None)):
        if not task["annotations"]:
            server._client.annotations.create(task["id"], result=picks(world.said(task)))
        yield task["id"]


@contextmanager
def annotating(server: Server, title: str, world: LoopWorld) -> Iterator[None]:
    """People who answer, as soon as they are there, the tasks of a project through the API."""
    over = threading.Event()

    def answer() -> None:
        done: set[int] = set()
        while not over.wait(0.2):
            for project in server.projects(title):
                if project.tasks > len(done):
                    done.update(_answered(server, project.number, world))

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(PATIENCE_S)


def test_three_rounds_with_the_real_server_and_a_kill(label_studio, one_thread, tmp_path):
    world = LoopWorld(tmp_path, 320)
    server = Server(Account(label_studio.url, label_studio.token), timeout_s=30)
    title = f"loop {time.time_ns()}"
    command = ("loop", "--rounds", 3, "--budget", 210, "--by", "entropy", "--audit", 0.2,
               "--promote", "always", "--project", title, "--poll", 1, "--device", "cpu", "--json",
               "--workspace", world.workspace.root, *SET)  # fmt: skip
    environ = CLEAN | server_of(label_studio) | {"OMP_NUM_THREADS": "1"}
    first = start(*command, **environ)
    deadline = time.monotonic() + PATIENCE_S
    while not any(project.tasks for project in server.projects(title)):
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    kill(first)
    with annotating(server, title, world):
        done = annotate(*command, timeout=2 * PATIENCE_S, **environ)
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    assert events[-1] == {"event": "done", "stopped": "3 rounds are done", "waiting": None}
    learnt = [event for event in events if event["event"] == "learnt"]
    f1 = [learnt[0]["macro_f1_before"], *(event["macro_f1_after"] for event in learnt)]
    assert f1[0] + 0.1 < min(f1[1:])
    assert [event["name"] for event in learnt] == ["base-r1", "base-r2", "base-r3"]
    assert all(event["promoted"] for event in learnt)
    parents = {v.name: v.parent for v in registry.own_versions(world.workspace)}
    assert {
        "base-r1": "base",
        "base-r2": "base-r1",
        "base-r3": "base-r2",
    }.items() <= parents.items()
    assert registry.choose(world.workspace, None).name == "base-r3"
    [project] = server.projects(title)
    samples = [sample_in(task) for task in server.changed(project.number, None)]
    assert len(samples) == len(set(samples)) == 210
    with world.workspace.open_store() as store:
        [ours] = store.projects()
        assert len(store.answers(ours.project_id)) == 210
        tasks = store.tasks(ours.project_id)
    assert sum(task.reason == "audit" for task in tasks) == 42
    shown = annotate("loop", "--status", "--workspace", world.workspace.root)
    assert len(re.findall(r"round (\d): base-r\1 is in use now: --promote always", shown.out)) == 3
    assert "Stopped: 3 rounds are done." in shown.out


def test_from_a_corpus_of_media_to_people_without_waiting(label_studio, tmp_path):
    sound = media_samples.audio(tmp_path / "a.wav", seconds=6.0)
    manifest = tmp_path / "clips.csv"
    rows = "".join(f"{sound},{n},{n + 1}\n" for n in range(5))
    manifest.write_text("path,start,end\n" + rows)
    title = f"loop {time.time_ns()}"
    command = ("loop", manifest, "--rounds", 2, "--budget", 4, "--audit", 0.5, "--blind",
               "--no-wait", "--project", title, "--workspace", tmp_path / "ws")  # fmt: skip
    environ = CLEAN | server_of(label_studio)
    for again in (False, True):
        done = annotate(*command, **environ)
        assert done.code == 0, done.err
        assert ("round 1: 2 clips chosen, 1 of them at random" in done.out) != again
        assert f"round 1 waits for answers: 0 of 2 in project '{title}'" in done.out
    assert "same command goes on from here" in done.out
    server = Server(Account(label_studio.url, label_studio.token), timeout_s=30)
    [project] = server.projects(title)
    tasks = list(server.changed(project.number, None))
    assert len(tasks) == 2
    assert not any(task["predictions"] for task in tasks)
    shown = annotate("loop", "--status", "--workspace", tmp_path / "ws")
    assert "Round 1 is not answered yet: the same command goes on there." in shown.out
    [known] = annotate("loop", "--status", "--json", "--workspace", tmp_path / "ws").json["loops"]
    assert known["project"] == title
    assert known["rounds"][0]["predicted"]["clips"] == 5
    assert known["rounds"][0]["sent"]["tasks"] == 2


MISTAKES = {
    "no server": ((), {}, 2, "no Label Studio is configured"),
    "nowhere to play": ((), NOBODY, 2, "serve-media"),
    "budget": (("--rounds", 5, "--budget", 2), NOBODY, 2, "cannot be shared over 5 rounds"),
    "wait for": (("--wait-for", "all"), NOBODY, 2, "neither a share, as in 0.8 or 80%, nor"),
    "wait for nothing": (("--wait-for", "0"), NOBODY, 2, "neither a share"),
    "ceiling": (("--ceiling",), NOBODY, 2, "--overlap 2 or more"),
    "setting": (("--set", "network.hidden=8"), NOBODY, 2, "is not a setting"),
    "one pass": (("--mc-dropout", "1"), NOBODY, 2, "one pass has nothing to disagree with"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_a_line_with_a_remedy(name, tmp_path):
    options, environ, code, remedy = MISTAKES[name]
    done = annotate("loop", *options, "--workspace", tmp_path / "ws", **CLEAN | environ)
    assert done.code == code
    assert remedy in done.err
    assert "Traceback" not in done.err
    assert "secret-key" not in done.err + done.out


def test_a_server_that_is_down_is_a_line_that_says_how_to_go_on(tmp_path):
    world = LoopWorld(tmp_path, 12)
    environ = CLEAN | NOBODY | {ROOT: str(tmp_path)}
    done = annotate("loop", "--workspace", world.workspace.root, **environ)
    assert done.code == 3
    assert "round 1 has not been selected: the same command goes on there" in done.err
    assert done.err.count("Error: ") == 1
    assert "round 1: base is in use and has answered about 12 more clips" in done.out
    shown = annotate("loop", "--status", "--workspace", world.workspace.root)
    assert "Round 1 is not selected yet" in shown.out


def test_a_status_makes_nothing(tmp_path):
    shown = annotate("loop", "--workspace", tmp_path / "ws", "--status")
    assert (shown.code, (tmp_path / "ws").exists()) == (2, False)
    annotate("init", "--workspace", tmp_path / "ws")
    shown = annotate("loop", "--status", "--workspace", tmp_path / "ws")
    assert (shown.code, shown.err) == (0, "")
    assert "`annotate loop corpus/` begins one" in shown.out
