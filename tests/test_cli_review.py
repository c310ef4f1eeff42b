"""export, pull, agreement and serve-media as a user types them, on what a real run has left."""

import json
import os
import re
import signal
import time
import urllib.request

import pytest

import media_samples
from annotator.labelstudio.server import Account, Server
from annotator.store.engine import open_store
from commands import annotate, start

pytestmark = pytest.mark.slow

CLIPS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus of four clips in two files, one of which was copied, and its workspace."""
    made = tmp_path_factory.mktemp("films")
    corpus = made / "corpus"
    corpus.mkdir()
    media_samples.video(corpus / "a.mp4", seconds=4.0)
    media_samples.audio(corpus / "b.wav", seconds=4.0)
    (corpus / "copy.wav").write_bytes((corpus / "b.wav").read_bytes())
    done = annotate("run", corpus, "--segment", "windows", "--window", 2, "--transcripts", "none",
                    "--workspace", made / "ws")  # fmt: skip
    assert done.code == 0, done.err
    return made


def command(folder, name, *options, **environ):
    clean = dict.fromkeys(("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "ANNOTATE_MEDIA_URL",
                           "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"), "")  # fmt: skip
    return annotate(name, *options, "--workspace", folder / "ws", **clean | environ)


def server_of(label_studio) -> dict[str, str]:
    return {
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.token,
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(label_studio.media_root),
    }


def test_without_a_server_the_tasks_are_written_and_it_is_said_how_to_connect(folder, tmp_path):
    done = command(folder, "export", "--uncertain-top", 10, "--out", tmp_path / "tasks.json")
    assert done.code == 0, done.err
    assert "set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY" in done.out
    assert f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={folder / 'ws'}" in done.out
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert len(tasks) == CLIPS  # the copy's clips are the same
    assert "2 copies of them left out" in done.out
    uncertainty = [task["data"]["uncertainty"] for task in tasks]
    assert uncertainty == sorted(uncertainty, reverse=True)
    for task in tasks:
        assert task["predictions"][0]["model_version"].startswith("starter ")
        excerpt = folder / "ws" / task["data"]["video"].partition("?d=")[2]
        assert excerpt.is_file()
        assert str(folder) not in json.dumps(task)


def test_blind_tasks_have_no_answer(folder, tmp_path):
    out = tmp_path / "tasks.json"
    command(folder, "export", "--uncertain-top", 2, "--blind", "--out", out)
    assert [task.get("predictions") for task in json.loads(out.read_text())] == [None, None]


def test_twice_is_once_and_a_dry_run_is_nothing(folder, label_studio):
    environ = server_of(label_studio)
    options = ("--uncertain-top", 10, "--project", f"cli {time.time_ns()}", "--json")
    dry = command(folder, "export", *options, "--dry-run", **environ)
    assert (dry.json["project"], dry.json["chosen"], dry.json["there"]) == (None, CLIPS, 0)
    first = command(folder, "export", *options, **environ)
    assert first.code == 0, first.err
    assert first.json["push"] == {"sent": CLIPS, "there": 0, "doubles": 0, "completed": 0}
    again = command(folder, "export", *options, **environ)
    assert again.json["push"] == {"sent": 0, "there": CLIPS, "doubles": 0, "completed": 0}
    number = str(first.json["project"])
    pulled = command(folder, "pull", "--project", number, "--json", **environ)
    assert pulled.json["projects"][0]["new"] == 0
    agreed = command(folder, "agreement", "--project", number, "--json")
    assert agreed.json["projects"][0]["agreement"]["votes"] == 0


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        ("--preannotate", "--blind", "with the model's answer shown, and stay so"),
        ("--blind", "--preannotate", "blind, and stay so"),
    ],
)
def test_clips_that_were_sent_the_other_way_stay_so_and_it_is_said(
    first, then, said, folder, label_studio
):
    environ = server_of(label_studio)
    options = ("--uncertain-top", 2, "--project", f"cli {time.time_ns()}")
    sent = command(folder, "export", *options, first, "--json", **environ)
    assert (sent.json["push"]["sent"], sent.json["unlike"]) == (2, 0)
    for dry in ((), ("--dry-run",)):
        again = command(folder, "export", *options, then, *dry, **environ)
        assert f"2 of the clips are there {said}: name another project with --project" in again.err
        assert command(folder, "export", *options, then, *dry, "--json", **environ).json[
            "unlike"
        ] == 2  # fmt: skip
    assert command(folder, "export", *options, first, "--json", **environ).json["unlike"] == 0


def test_a_server_that_got_no_clips_is_told_from_one_that_did(folder, label_studio):
    environ = server_of(label_studio)
    options = ("--uncertain-top", 1, "--project", f"cli {time.time_ns()}")
    assert command(folder, "export", *options, **environ).code == 0
    done = command(folder, "pull", **environ | {URL: "http://127.0.0.1:1"})
    assert done.code == 2
    assert f"set {URL} to {label_studio.url}, where they went" in done.err


def test_a_file_that_is_gone_costs_its_own_clips(folder, label_studio):
    moved = folder / "corpus" / "a.mp4"
    hidden = moved.rename(folder / "hidden.mp4")
    try:
        out = folder / "tasks.json"
        excerpts = folder / "ws" / "excerpts"
        for excerpt in excerpts.glob("*.mp4"):
            excerpt.unlink()
        done = command(folder, "export", "--uncertain-top", 10, "--out", out)
    finally:
        hidden.rename(moved)
    assert done.code == 1
    assert done.err.count("failed: ") == 2
    assert "a.mp4 [0.0-2.0 s]: probe: cannot read the file" in done.err
    assert len(json.loads(out.read_text())) == 2


URL, KEY = "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"
NOBODY = {URL: "http://127.0.0.1:1", KEY: "secret-key"}
SEND = ("export", "--uncertain-top", 1)
BAD_KEY = {"ANNOTATE_MEDIA_URL": "http://x", "ANNOTATE_MEDIA_KEY": "secret-key"}
MISTAKES = {
    "no count": (("export",), {}, 2, "--uncertain-top 100"),
    "blind to a table": (("export", "--blind", "--out", "a.csv"), {}, 2, "are of Label Studio"),
    "no split": ((*SEND, "--split", "nosplit"), {}, 2, "split 'nosplit': no clip has one"),
    "no name": ((*SEND, "--project", ""), {}, 2, "needs a title or a number"),
    "token alone": (SEND, {KEY: "secret-key"}, 2, f"{URL} is not"),
    "address alone": (("pull",), {URL: "http://x"}, 2, f"{KEY} is not"),
    "no address": (("pull",), {URL: "ftp://x", KEY: "secret-key"}, 2, "must be an address"),
    "nowhere to play": (SEND, NOBODY, 2, "serve-media"),
    "short key": (SEND, BAD_KEY, 2, "openssl rand"),
    "not configured": (("pull",), {}, 2, "no Label Studio is configured"),
    "bad rule": (("agreement", "--rule", "2"), {}, 2, "share above 0"),
    "no server": ((*SEND, "--dry-run"), NOBODY, 3, "start it, or set"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_a_line_with_a_remedy(name, folder):
    (what, *options), environ, code, remedy = MISTAKES[name]
    done = command(folder, what, *options, **environ)
    assert done.code == code
    assert remedy in done.err
    assert "Traceback" not in done.err
    assert "secret-key" not in done.err + done.out


def test_serve_media_plays_what_was_exported(folder, tmp_path):
    environ = {"ANNOTATE_MEDIA_KEY": "k" * 32, "ANNOTATE_MEDIA_URL": "http://127.0.0.1:18731"}
    out = tmp_path / "tasks.json"
    done = command(folder, "export", "--uncertain-top", 1, "--out", out, **environ)
    assert done.code == 0, done.err
    (task,) = json.loads(out.read_text())
    serving = start("serve-media", "--port", 18731, "--origin", "http://localhost:8080",
                    "--workspace", folder / "ws", **environ)  # fmt: skip
    try:
        assert serving.stdout is not None
        assert b"Clips are served at http://127.0.0.1:18731" in serving.stdout.readline()
        asked = urllib.request.Request(task["data"]["video"], headers={"Range": "bytes=4-7"})
        with urllib.request.urlopen(asked) as answer:
            assert (answer.status, answer.read()) == (206, b"ftyp")
    finally:
        os.killpg(serving.pid, signal.SIGINT)
        assert serving.wait(30) == 0


def test_suggestions_say_why_a_line_each(folder):
    done = command(folder, "suggest", "--top", 2)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert len(lines) == 2
    assert all(re.match(r"first rater: clip \d+, .* nobody has answered", line) for line in lines)
    assert "no clip has an epistemic score" in done.err
    found = command(folder, "suggest", "--top", 2, "--json").json
    assert found["by"] == "entropy"
    assert [one["needs"] for one in found["suggestions"]] == ["first", "first"]


def test_what_was_drawn_for_the_audit_is_recorded_and_not_shown(folder, label_studio):
    environ = server_of(label_studio)
    options = ("--uncertain-top", 2, "--audit", 0.5, "--project", f"cli {time.time_ns()}", "--json")
    done = command(folder, "export", *options, **environ)
    assert done.code == 0, done.err
    assert (done.json["chosen"], done.json["audit"]) == (2, 1)
    with open_store(folder / "ws" / "annotate.db") as store:
        (project,) = [p for p in store.projects() if p.number == done.json["project"]]
        assert sorted(str(task.reason) for task in store.tasks(project.project_id)) == [
            "audit",
            "score",
        ]
    server = Server(Account(label_studio.url, label_studio.token))
    assert "audit" not in str(list(server.changed(project.number, None)))
