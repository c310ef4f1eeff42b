"""A real browser plays and seeks excerpts from the real server."""

import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import media_samples
from annotator.labelstudio.excerpts import ExcerptCache, ExcerptRequest
from annotator.labelstudio.signed_urls import signed_url
from media_serving import KEY, serving

PAGE = b"<!doctype html><title>clip</title><video id=v crossorigin=anonymous muted></video>"
LOAD = """url => new Promise((done, fail) => {
    v.onloadeddata = () => done([v.videoWidth, v.videoHeight, v.duration]);
    v.onerror = () => fail(new Error('no video: ' + v.error.message));
    v.src = url;
})"""
SEEK = """to => new Promise(done => {
    const seeked = new Promise(done => { v.onseeked = done; });
    const shown = new Promise(done => { v.requestVideoFrameCallback(done); });
    Promise.all([seeked, shown]).then(() => {
        const canvas = document.createElement('canvas');
        canvas.width = v.videoWidth; canvas.height = v.videoHeight;
        const context = canvas.getContext('2d');
        context.drawImage(v, 0, 0);
        const row = context.getImageData(0, v.videoHeight >> 1, v.videoWidth, 1).data;
        done([v.currentTime, Array.from(row).filter((_, i) => i % 4 === 0)]);
    });
    v.currentTime = to;
})"""
PLAY = """() => new Promise((done, fail) => {
    v.currentTime = 0;
    v.ontimeupdate = () => { if (v.currentTime > 0.3) { v.pause(); done(v.currentTime); } };
    v.play().catch(fail);
})"""


@pytest.fixture(scope="module")
def site():
    """The page of a player, of another origin than the clips."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_):
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium on PATH")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def play(tmp_path_factory, site, browser):
    """Serves the excerpt of a clip and returns a page that has loaded it, and what it found."""
    folder = tmp_path_factory.mktemp("excerpts")
    cache = ExcerptCache(folder)
    with serving(folder, origin=site) as server:

        def play(sample_id, path, start_ms, end_ms):
            result = cache.get(ExcerptRequest(sample_id, path, "", start_ms, end_ms))
            assert result.failure is None
            page = browser.new_page()
            page.goto(site)
            expires_at = int(time.time()) + 600
            name = result.excerpt.path.name
            url = signed_url(server.url, name, KEY.encode(), expires_at)
            return page, page.evaluate(LOAD, url), result.excerpt

        yield play


def number(row):
    """The frame's number, of one line of its pixels."""
    width, bits = len(row), media_samples.BITS
    return sum(1 << bit for bit in range(bits) if row[(2 * bit + 1) * width // (2 * bits)] > 128)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_a_browser_plays_and_seeks(play, tmp_path, suffix):
    codec = media_samples.HEVC if suffix == "mkv" else None
    film = media_samples.video(tmp_path / f"film.{suffix}", seconds=8, codec=codec)
    page, found, excerpt = play(f"seeks-{suffix}", film, 3_000, 6_000)
    assert found[:2] == list(media_samples.SIZE)
    assert found[2] * 1000 == pytest.approx(excerpt.duration_ms, abs=30)
    assert found[2] == pytest.approx(4.0, abs=0.06)
    for to in (2.02, 0.5, 3.5):
        at, row = page.evaluate(SEEK, to)
        assert at == pytest.approx(to, abs=0.001)
        assert number(row) == pytest.approx((2.5 + to) * media_samples.FPS, abs=2)
    assert page.evaluate(PLAY) > 0.3
    page.close()


def test_a_turned_film_is_upright(play, tmp_path):
    plain = media_samples.video(tmp_path / "plain.mp4")
    film = media_samples.rotated(tmp_path / "turned.mp4", plain, 90)
    page, found, _ = play("turned-film", film, 0, 2_000)
    assert found[:2] == list(media_samples.SIZE[::-1])
    page.close()


def test_sound_alone_plays_in_a_video_element(play, tmp_path):
    sound = media_samples.audio(tmp_path / "sound.flac")
    page, found, _ = play("sound-alone", sound, 1_000, 2_000)
    assert found == [640, 200, pytest.approx(2.0, abs=0.05)]
    assert page.evaluate(PLAY) > 0.3
    page.close()
