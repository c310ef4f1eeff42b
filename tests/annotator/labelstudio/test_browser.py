"""A person at work: clips sent, answered in a real browser on a real server, and pulled.

The last picture of the screen is kept as build/artefacts/label-studio.png.
"""

import csv
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import media_samples
from commands import Done, annotate

ARTEFACTS = Path(__file__).resolve().parents[3] / "build" / "artefacts"
CLIPS = 3
PLAY_AND_SEEK = """async () => {
    const video = document.querySelector('video');
    video.muted = true;
    await video.play();
    await new Promise(done => setTimeout(done, 500));
    const played = video.currentTime;
    video.pause();
    const seeked = new Promise(done => video.addEventListener('seeked', done, {once: true}));
    video.currentTime = video.duration / 2;
    await seeked;
    return {played, at: video.currentTime, duration: video.duration, width: video.videoWidth};
}"""


class Reviewer:
    """Somebody who labels in the browser."""

    def __init__(self, page, label_studio) -> None:
        self.page = page
        self.server = label_studio
        page.set_default_timeout(60_000)

    def log_in(self) -> None:
        self.page.goto(f"{self.server.url}/user/login/", wait_until="commit")
        self.page.fill("input[name=email]", self.server.email)
        self.page.fill("input[name=password]", self.server.password)
        self.page.click("button[type=submit]")
        self.page.wait_for_function("!location.pathname.startsWith('/user/login')")

    def begin(self, project: int) -> None:
        self.page.goto(f"{self.server.url}/projects/{project}/data", wait_until="commit")
        self.page.get_by_role("button", name="Label All Tasks").click()
        self.wait_for_task()

    def wait_for_task(self) -> None:
        self.page.wait_for_function("(document.querySelector('video') || {}).readyState >= 2")

    def transcript(self) -> str:
        return str(self.page.get_by_text("words of clip").first.inner_text())

    def ticked(self) -> set[str]:
        boxes = self.page.get_by_role("checkbox")
        return {str(box.get_attribute("name")) for box in boxes.all() if box.is_checked()}

    def toggle(self, label: str) -> None:
        box = self.page.get_by_role("checkbox", name=label, exact=False).first
        before = box.is_checked()
        box.click()
        self.page.wait_for_function(
            '([name, was]) => document.querySelector(`input[name="${name}"]`).checked != was',
            arg=[label, before],
        )

    def submit(self) -> None:
        self._leave("bottombar-submit-button")

    def skip(self) -> None:
        self._leave("bottombar-skip-button")

    def _leave(self, button: str) -> None:
        with self.page.expect_response(lambda got: "/annotations" in got.url):
            self.page.get_by_test_id(button).click()


@pytest.fixture
def reviewer(chromium, label_studio) -> Iterator[Reviewer]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses root, which CI often is.
        browser = playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        yield Reviewer(browser.new_page(viewport={"width": 1280, "height": 1000}), label_studio)
        browser.close()


@pytest.fixture
def workspace(tmp_path) -> Path:
    """A file of three clips that the starter has annotated."""
    (tmp_path / "corpus").mkdir()
    media_samples.video(tmp_path / "corpus" / "a.mp4", seconds=6.0)
    rows = [["path", "start", "end", "transcript"]]
    rows += [["a.mp4", str(2 * n), str(2 * n + 1.5), f"words of clip {n}"] for n in range(CLIPS)]
    manifest = tmp_path / "corpus" / "clips.csv"
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    done = annotate("run", manifest, "--workspace", tmp_path / "ws")
    assert done.code == 0, done.err
    return tmp_path / "ws"


def configured(label_studio) -> dict[str, str]:
    return {
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.token,
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(label_studio.media_root),
    }


def test_what_a_person_does_in_the_browser_is_what_comes_back(label_studio, reviewer, workspace):
    place = ("--workspace", workspace, "--json")
    environ = configured(label_studio)
    title = f"browser {time.time_ns()}"
    sent: Done = annotate("export", "--uncertain-top", CLIPS, "--project", title, *place, **environ)
    assert sent.code == 0, sent.err
    assert sent.json["push"]["sent"] == CLIPS
    order = [clip["text"] for clip in annotate("list", *place).json["clips"]]

    reviewer.log_in()
    reviewer.begin(sent.json["project"])
    assert reviewer.transcript() == order[0]  # the least certain comes first
    shown = reviewer.ticked()
    assert shown  # the model's answer, or neutral
    moved = reviewer.page.evaluate(PLAY_AND_SEEK)
    assert moved["played"] > 0
    assert moved["at"] == pytest.approx(moved["duration"] / 2, abs=0.1)
    assert moved["width"] > 0
    assert 1.5 <= moved["duration"] < 4  # the clip with a little context, not the file
    other = "happy" if "sad" in shown else "sad"
    for label in shown | {other}:
        reviewer.toggle(label)
    picked = reviewer.ticked()
    assert picked == {other}
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    reviewer.page.screenshot(path=ARTEFACTS / "label-studio.png")
    reviewer.submit()
    reviewer.page.get_by_text(order[1]).first.wait_for()
    reviewer.wait_for_task()
    reviewer.skip()
    reviewer.page.get_by_text(order[2]).first.wait_for()
    reviewer.wait_for_task()
    as_shown = reviewer.ticked()
    reviewer.submit()

    pulled = annotate("pull", *place, **environ)
    assert pulled.code == 0, pulled.err
    (project,) = pulled.json["projects"]
    assert (project["new"], project["problems"]) == (3, [])
    with sqlite3.connect(workspace / "annotate.db") as database:
        rows = database.execute(
            "SELECT clip.text, annotation.state, unchanged, neutral, group_concat(label) "
            "FROM annotation JOIN clip ON clip.id = clip_id "
            "LEFT JOIN annotation_label ON annotation_id = annotation.id "
            "WHERE current GROUP BY annotation.id"
        ).fetchall()
    found = {
        text: (state, unchanged, set((labels or "neutral" * neutral).split(",")) - {""})
        for text, state, unchanged, neutral, labels in rows
    }
    assert found[order[0]] == ("labelled", 0, picked)
    assert found[order[1]][0] == "skipped"
    assert found[order[1]][2] == set()
    assert found[order[2]] == ("labelled", 1, as_shown)
    again = annotate("pull", *place, **environ).json["projects"][0]
    assert (again["new"], again["changed"], again["deleted"]) == (0, 0, 0)
