"""What kinds of file are opened at all.

ffmpeg also reads formats that only name other files or addresses (HLS, DASH, concat, SDP). A
corpus is hostile until parsed, so only formats that hold their own media are let through, and
the one protocol allowed is that of local files.
"""

import re

# ffmpeg's names; `mov` covers mp4, m4a and 3gp, `matroska` covers webm, `ogg` covers opus
DEMUXERS = (
    "aac", "ac3", "aiff", "amr", "asf", "au", "avi", "caf", "flac", "flv", "h264", "hevc", "m4v",
    "matroska", "mov", "mp3", "mpeg", "mpegts", "mpegvideo", "ogg", "w64", "wav",
)  # fmt: skip
FORMAT_WHITELIST = ",".join(DEMUXERS)
PROTOCOL_WHITELIST = "file"
HEAD_BYTES = 4096  # enough of a file to know a playlist by

_PLAYLISTS = (
    ("HLS or M3U", re.compile(rb"#EXTM3U|#EXT-X-", re.IGNORECASE)),
    ("ffmpeg concat", re.compile(rb"ffconcat\s|file\s+['\"/\w]", re.IGNORECASE)),
    ("SDP", re.compile(rb"v=0\r?\n")),
    ("PLS", re.compile(rb"\[(playlist|reference)\]", re.IGNORECASE)),
    ("RTSP", re.compile(rb"rtsptext|rtsp://", re.IGNORECASE)),
    ("DASH, SMIL or ASX", re.compile(rb"<([^\0]*<)?(mpd|smil|asx)[\s>]", re.IGNORECASE)),
)


def playlist_kind(head: bytes) -> str | None:
    r"""The kind of playlist that a file beginning with `head` is, or None.

    >>> playlist_kind(b"#EXTM3U\n#EXTINF:4,\nhttp://example.org/1.ts")
    'HLS or M3U'
    >>> playlist_kind(b"\x00\x00\x00\x20ftypisom")
    """
    text = head[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((kind for kind, opening in _PLAYLISTS if opening.match(text)), None)
