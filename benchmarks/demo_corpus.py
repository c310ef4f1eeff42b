"""A small corpus of real media from freely licensed material, made without a network.

    python benchmarks/demo_corpus.py demo/

writes twelve clips of 2 to 6 seconds with every kind of sidecar, and a manifest for two of them.
The face is one photograph in motion (see `faces.py`) and the voice is eSpeak NG's (`speech.py`):
the clips exercise the tool from end to end, but nobody acts in them and their emotions are in
the words only. Needs the extra `demo`. Same versions of everything, same bytes.
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.errors import AnnotateError
from encode import AAC, H264_AAC, Picture, encode, loop
from faces import backdrop_frames, face_frames
from sidecars import eaf, srt, txt, vtt
from speech import Line, Saying, Track, monologue, recite, silence

FPS = 25.0
SIZE = (480, 360)  # px, of the demo
SILENT_S = 3.0  # length of a clip in which nothing is said
VP8_OPUS = ("-c:v", "libvpx", "-b:v", "600k", "-deadline", "good", "-cpu-used", "5",
            "-pix_fmt", "yuv420p", "-c:a", "libopus", "-ar", "48000")  # fmt: skip
MATROSKA = (*H264_AAC, "-c:s", "srt", "-metadata:s:s:0", "language=eng")
FLAC = ("-c:a", "flac", "-ar", "16000")

# As a camera or a video site delivers it, so that decoding costs what real footage costs.
FOOTAGE = ("-c:v", "libx264", "-preset", "medium", "-crf", "23", "-pix_fmt", "yuv420p",
           *AAC, "-ac", "2")  # fmt: skip
LOOP_S = 60.0
BACKDROPS = ("gravel", "brick", "coffee", "grass")


@dataclass(frozen=True, slots=True)
class Clip:
    """One file of the demo: its name, what is said, what is seen and what lies beside it.

    Without `sayings` its sound is silence. `sidecar` is a suffix or "embedded", a track inside.
    `backdrop` None is a file without video. `emotion` puts the clip into the manifest.
    """

    name: str
    sayings: tuple[Saying, ...] = ()
    sidecar: str | None = None
    backdrop: str | None = "gravel"
    face: bool = True
    sound: bool = True
    options: tuple[str, ...] = H264_AAC
    emotion: str | None = None


HELLO = Saying("I am so happy to see you again.", rate=165, pitch=65)
LETTERS = Saying("How dare you read my letters without asking?", rate=185, pitch=40)
KITCHEN = Saying("Get out of my kitchen right now.", rate=175, pitch=45, pause_s=0.7)
FUNERAL = Saying("I cried for hours after the funeral.", rate=130, pitch=25)
ALONE = Saying("Nobody called me, and I feel so alone tonight.", rate=150, pitch=35)
PRIZE = Saying("Wait, you really won the first prize?", rate=170, pitch=80)
MILK = Saying("The milk smells rotten, take it away.", rate=150, pitch=35)
ASK = Saying("What happened on the bridge?", rate=160, pitch=30, speaker="interviewer")
ANSWER = Saying("I was afraid that it would break under us.", rate=150, pitch=70, speaker="witness")
BURGLAR = Saying("I am scared, there is somebody in the house.", rate=180, pitch=75)
NEWS = Saying("This is wonderful news for the whole family.", rate=155, pitch=60)
TRAIN = Saying("The train to the city leaves at seven.", rate=155)

CLIPS = (
    Clip("reunion.mp4", (HELLO,), ".srt"),
    Clip("letters.mp4", (LETTERS, KITCHEN), ".srt", backdrop="brick"),
    Clip("funeral.mp4", (FUNERAL,), ".vtt", backdrop="grass"),
    Clip("prize.mp4", (PRIZE,), ".txt", backdrop="coffee"),
    Clip("milk.mp4", (MILK,)),
    Clip("interview.mp4", (ASK, ANSWER), ".eaf", backdrop="brick"),
    Clip("burglar.webm", (BURGLAR,), backdrop="grass", options=VP8_OPUS, emotion="fear"),
    Clip("news.mkv", (NEWS,), "embedded", options=MATROSKA),
    Clip("voicemail.flac", (ALONE,), backdrop=None, options=FLAC, emotion="sad"),
    Clip("coffee.mp4", (TRAIN,), backdrop="coffee", face=False),
    Clip("no_sound_track.mp4", backdrop="brick", sound=False),
    Clip("silent.mp4", backdrop="grass"),
)


def make_demo(out: Path) -> list[Path]:
    """Write the demo into the folder `out`, made if need be. Returns the media files.

    Raises RuntimeError where the extra `demo` or ffmpeg is missing or fails.
    """
    out.mkdir(parents=True, exist_ok=True)
    listed: list[tuple[Clip, Track]] = []
    for seed, clip in enumerate(CLIPS):
        track = recite(clip.sayings) if clip.sayings else Track(silence(SILENT_S), ())
        _write_clip(out, clip, track, seed)
        if clip.emotion:
            listed.append((clip, track))
    _write_manifest(out / "manifest.csv", listed)
    return [out / clip.name for clip in CLIPS]


def make_speed_corpus(
    out: Path, *, files: int, seconds: float, size: tuple[int, int], with_sidecars: bool
) -> list[Path]:
    """Write `files` videos of `seconds` as costly to decode as real footage. Returns them.

    A moving face over a moving texture with sensor noise, and speech with pauses, each file
    another; x264 preset medium, crf 23. Sidecars are .srt with the true words and times.
    """
    out.mkdir(parents=True, exist_ok=True)
    return [
        _write_footage(out / f"clip{number:04}.mp4", seconds, size, number, with_sidecars)
        for number in range(files)
    ]


def make_long(out: Path, hours: float, size: tuple[int, int] = (640, 360)) -> Path:
    """Write one video of `hours` by repeating a minute without encoding it again. Returns it.

    The same minute again and again: for measures of memory and time, not of accuracy.
    """
    with tempfile.TemporaryDirectory() as scratch:
        minute = Path(scratch) / "minute.mp4"
        _write_footage(minute, LOOP_S, size, seed=0, with_sidecar=False)
        return loop(minute, out, hours * 3600)


def _write_clip(out: Path, clip: Clip, track: Track, seed: int) -> None:
    path = out / clip.name
    encode(
        path,
        picture=_picture(clip, track.seconds, seed),
        track=track if clip.sound else None,
        subtitles=track.lines if clip.sidecar == "embedded" else (),
        options=clip.options,
    )
    if clip.sidecar and clip.sidecar != "embedded":
        text = _transcript(clip.sidecar, track.lines, clip.name)
        path.with_suffix(clip.sidecar).write_text(text, encoding="utf-8", newline="\n")


def _picture(clip: Clip, seconds: float, seed: int) -> Picture | None:
    if clip.backdrop is None:
        return None
    scene = face_frames if clip.face else backdrop_frames
    return Picture(scene(seconds, FPS, SIZE, seed, clip.backdrop), SIZE, FPS)


def _transcript(suffix: str, lines: Sequence[Line], media: str) -> str:
    if suffix == ".eaf":
        return eaf(lines, media)
    return {".srt": srt, ".vtt": vtt, ".txt": txt}[suffix](lines)


def _write_manifest(path: Path, listed: Sequence[tuple[Clip, Track]]) -> None:
    """One row a clip: its first line's bounds in seconds, its words and its emotion."""
    emotions = sorted({clip.emotion for clip, _ in listed if clip.emotion})
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(
            ["path", "start", "end", "transcript", "split", *(f"label:{name}" for name in emotions)]
        )
        for clip, track in listed:
            line = track.lines[0]
            bounds = [line.start_ms / 1000, line.end_ms / 1000]
            labels = [int(clip.emotion == label) for label in emotions]
            rows.writerow([clip.name, *bounds, line.text, "train", *labels])


def _write_footage(
    path: Path, seconds: float, size: tuple[int, int], seed: int, with_sidecar: bool
) -> Path:
    track = monologue(seconds, seed)
    frames = face_frames(seconds, FPS, size, seed, BACKDROPS[seed % len(BACKDROPS)])
    encode(path, picture=Picture(frames, size, FPS), track=track, options=FOOTAGE)
    if with_sidecar:
        text = srt(track.lines)
        path.with_suffix(".srt").write_text(text, encoding="utf-8", newline="\n")
    return path


def main() -> None:
    """Make the demo in the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Make a small corpus of real media.")
    parser.add_argument("out_dir", type=Path, help="folder to write into, made if need be")
    out: Path = parser.parse_args().out_dir
    try:
        files = make_demo(out)
    except (RuntimeError, AnnotateError) as error:
        sys.exit(f"demo_corpus: {error}")
    print(f"{len(files)} clips in {out}")


if __name__ == "__main__":
    main()
