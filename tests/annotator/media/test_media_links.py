"""Nothing that a media file names is opened: neither an address nor another file."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from annotator.errors import StageFailure
from annotator.media.decode import decode
from annotator.media.formats import playlist_kind
from annotator.media.probe import probe
from annotator.media.subtitles import embedded_subtitles
from annotator.types import AudioStream, MediaInfo, SubtitleStream, VideoStream

PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{url}\n#EXT-X-ENDLIST\n",
    "hls_after_blank": "\n \n#EXTM3U\n#EXTINF:4,\n{url}\n",
    "concat": "ffconcat version 1.0\nfile '{url}'\n",
    "concat_bare": "file '{url}'\n",
    "dash": '<?xml version="1.0"?>\n<!-- x -->\n<MPD><BaseURL>{url}</BaseURL></MPD>',
    "asx": '<ASX version="3.0"><entry><ref href="{url}"/></entry></ASX>',
    "sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
    "pls": "[playlist]\nFile1={url}\n",
    "redirect": "[Reference]\nRef1={url}\n",
}
PRETENDED = MediaInfo(
    container="mov",
    duration_ms=1_000,
    video=VideoStream(0, "h264", 64, 64, 25.0, 0),
    audio=AudioStream(1, "aac", 48_000, 2),
    subtitles=(SubtitleStream(0, "subrip", None),),
)


@pytest.fixture
def server(samples):
    """A local server that would give a real film, and the requests it got."""
    film, asked = samples.video("plain.ts").read_bytes(), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(film)

        def log_message(self, *_):
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.asked = asked
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        yield http
        http.shutdown()
        thread.join()


@pytest.mark.parametrize("suffix", ["m3u8", "mp4"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlists_are_refused_and_not_followed(tmp_path, samples, server, kind, suffix):
    film = samples.video("plain.ts")
    for url in (f"http://127.0.0.1:{server.server_port}/a.ts", "/etc/passwd", f"file://{film}"):
        path = tmp_path / f"{kind}.{suffix}"
        path.write_text(PLAYLISTS[kind].format(url=url), newline="")
        with pytest.raises(StageFailure, match="probe: a playlist, not media"):
            probe(path)
        # what came past the probe somehow finds nothing open behind it
        with pytest.raises(StageFailure):
            list(decode(path, PRETENDED))
        with pytest.raises(StageFailure):
            embedded_subtitles(path, PRETENDED)
    assert server.asked == []


def test_playlists_that_do_not_look_like_one(tmp_path, server):
    """The list of formats holds where the look at the first bytes is fooled."""
    url = f"http://127.0.0.1:{server.server_port}/a.ts"
    path = tmp_path / "fooled.m3u8"
    path.write_text("\0" + PLAYLISTS["hls"].format(url=url))
    assert playlist_kind(path.read_bytes()) is None
    with pytest.raises(StageFailure, match="not a"):
        probe(path)
    assert server.asked == []


def test_the_server_of_these_tests_would_be_seen(server):
    import urllib.request

    urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/seen", timeout=10).read(1)
    assert server.asked == ["/seen"]


def test_media_is_no_playlist(samples):
    for name in ("plain.mp4", "plain.mkv", "plain.avi", "plain.ts"):
        assert playlist_kind(samples.video(name).read_bytes()[:4096]) is None
