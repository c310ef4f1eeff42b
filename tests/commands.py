"""Run the installed command as a user does, and read what it left in the database."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).with_name("annotate"))
CLIP_COLUMNS = (
    "start_ms, end_ms, origin, text, text_origin, speaker, split, clip.state, clip.stage, "
    "clip.reason, visual_steps, audio_steps, text_steps, visual_absent, audio_absent, text_absent"
)


@dataclass(frozen=True)
class Done:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def annotate(*arguments: object, timeout: float = 120, **environ: str) -> Done:
    """The command, run to its end."""
    process = start(*arguments, **environ)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        kill(process)
        raise
    return Done(process.returncode, out.decode(), err.decode())


def start(*arguments: object, **environ: str) -> "subprocess.Popen[bytes]":
    """The command, begun; it leads a process group of its own."""
    return subprocess.Popen(
        [COMMAND, *map(os.fspath, map(_text, arguments))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ},
        start_new_session=True,
    )


def _text(argument: object) -> str | Path:
    return argument if isinstance(argument, Path) else str(argument)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """kill -9 of the main process alone, as the kernel's out-of-memory killer does it."""
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def rows(workspace: Path) -> dict[tuple[object, ...], dict[str, list[float | None]]]:
    """All that a run says of each clip: by file and clip columns, the numbers of each label."""
    database = sqlite3.connect(f"file:{workspace / 'annotate.db'}?mode=ro", uri=True)
    try:
        clips = database.execute(
            f"SELECT clip.id, path, {CLIP_COLUMNS} FROM clip JOIN media ON media.id = media_id "
            "WHERE active"
        ).fetchall()
        labels = database.execute("SELECT * FROM label_prediction").fetchall()
    finally:
        database.close()
    by_clip: dict[int, dict[str, list[float | None]]] = {}
    for _model, clip_id, label, *numbers in labels:
        by_clip.setdefault(clip_id, {})[label] = numbers
    found = {tuple(clip[1:]): by_clip.get(clip[0], {}) for clip in clips}
    assert len(found) == len(clips), "a clip is stored twice"
    return found


def count(workspace: Path, table: str) -> int:
    """How many rows a table has; 0 while there is no such table."""
    try:
        database = sqlite3.connect(f"file:{workspace / 'annotate.db'}?mode=ro", uri=True, timeout=5)
    except sqlite3.OperationalError:
        return 0
    try:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        database.close()
