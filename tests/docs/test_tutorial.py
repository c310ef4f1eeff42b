"""The tutorial runs as it is written: every command of its console blocks, in order."""

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
TUTORIAL = REPOSITORY / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ON_A_SERVER = "Have people look at it"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
CHECKER = doctest.OutputChecker()
LABEL_STUDIO = (
    "LABEL_STUDIO_URL",
    "LABEL_STUDIO_API_KEY",
    "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT",
)


@dataclass(frozen=True)
class Step:
    """A command, and what the tutorial says it prints."""

    command: str
    printed: str


def steps(text: str) -> list[Step]:
    """The commands of all console blocks: after `$`, with lines after `>` that belong to them."""
    found: list[Step] = []
    for block in BLOCK.findall(text):
        assert block.startswith("$ "), block
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:], ""))
            elif line.startswith("> "):
                last = found.pop()
                assert not last.printed
                found.append(Step(f"{last.command}\n{line[2:]}", ""))
            else:
                last = found.pop()
                found.append(Step(last.command, f"{last.printed}{line}\n"))
    return found


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.*)$", TUTORIAL.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def walk(text: str, folder: Path, **environ: str) -> None:
    """Run the steps of a text as a reader would, and compare what they print."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    known = {**os.environ, "PATH": path, "SOURCE": str(REPOSITORY)}
    for step in steps(text):
        done = subprocess.run(
            ["bash", "-c", step.command], cwd=folder, capture_output=True, check=False,
            env=known | dict.fromkeys(LABEL_STUDIO, "") | environ,
        )  # fmt: skip
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == 0, f"$ {step.command}\n{out}{err}"
        if step.printed:
            assert CHECKER.check_output(step.printed, out, FLAGS), (
                f"$ {step.command}\nexpected:\n{step.printed}\nprinted:\n{out}{err}"
            )


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> Path:
    """The folder of a reader who has come to the section that needs a server."""
    folder = tmp_path_factory.mktemp("tutorial")
    walk("".join(text for name, text in sections().items() if name != ON_A_SERVER), folder)
    return folder


def test_it_runs_as_written(walked):
    assert (walked / ".annotate" / "annotate.db").is_file()
    assert len((walked / "corpus.csv").read_text().splitlines()) == 15


def test_its_last_section_runs_with_a_server(walked, label_studio):
    values = (label_studio.url, label_studio.token, str(label_studio.media_root))
    walk(sections()[ON_A_SERVER], walked, **dict(zip(LABEL_STUDIO, values, strict=True)))


def test_it_says_how_to_name_the_server():
    for name in LABEL_STUDIO:
        assert f"export {name}=" in sections()[ON_A_SERVER]


def test_it_visits_what_a_beginner_needs():
    commands = " ".join(step.command for step in steps(TUTORIAL.read_text(encoding="utf-8")))
    for name in ("doctor", "run", "list", "status", "show", "export", "models list", "eval"):
        assert f"annotate {name}" in commands


def test_steps_are_read_with_what_they_print():
    text = "```console\n$ cat <<E\n> a\n> E\na\n$ true\n```\n```sh\nnot run\n```\n"
    assert steps(text) == [Step("cat <<E\na\nE", "a\n"), Step("true", "")]
