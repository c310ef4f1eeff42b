"""A real Label Studio for the tests: installed once, started in seconds from a migrated copy.

    python tests/label_studio_server.py install   # an environment of its own, a data template
    python tests/label_studio_server.py start     # in the background; prints the address
    python tests/label_studio_server.py stop
    python tests/label_studio_server.py run       # in the foreground, until Ctrl-C

All of it lies in build/label-studio, or in the folder that ANNOTATE_LABEL_STUDIO_HOME names. The
server pins its SDK and takes about 1 GB, so it has an environment of its own.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from label_studio_login import personal_token

REPOSITORY = Path(__file__).resolve().parent.parent
CONSTRAINTS = Path(__file__).with_name("label_studio_constraints.txt")
REQUIREMENT = "label-studio==1.23.2"

EMAIL = "test@example.com"
PASSWORD = "testpass123"
TOKEN = "0123456789abcdef0123456789abcdef01234567"

FIRST_START_S = 600  # its migrations take 90 s on an idle machine
START_S = 120  # 7 s on an idle machine
STOP_S = 10  # then it is killed
ATTEMPTS = 3  # ports tried
PORT_TAKEN = "That port is already in use"  # Django's words

SETTINGS = {
    "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",  # read when the organization is made
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "false",  # else no webhook to 127.0.0.1
    "LABEL_STUDIO_ML_BLOCK_LOCAL_IP": "false",  # else no ML backend on 127.0.0.1
    "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
    "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
}


class ServerError(Exception):
    """Label Studio could not be installed, started or reached."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and the one user it has.

    `personal_token` is made once, when the server starts: a user has only one, so workers that
    each made their own would revoke each other's.
    """

    url: str
    media_root: Path  # the document root: local storages lie in folders below it
    email: str = EMAIL
    token: str = field(default=TOKEN, repr=False)
    personal_token: str = field(default="", repr=False)
    password: str = field(default=PASSWORD, repr=False)


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds the installation, the template and the background server."""

    folder: Path

    @property
    def environment(self) -> Path:
        return self.folder / "environment"

    @property
    def template(self) -> Path:
        return self.folder / "template"

    @property
    def state(self) -> Path:
        """The file that says where the background server is; tests are given its path."""
        return self.folder / "server.json"

    @property
    def ready(self) -> bool:
        """Whether what lies here was installed from the constraints as they are now."""
        return self.template.is_dir() and _mark(self) == _constraints_digest()


def default_home() -> Home:
    """What ANNOTATE_LABEL_STUDIO_HOME names, else build/label-studio."""
    named = os.environ.get("ANNOTATE_LABEL_STUDIO_HOME")
    return Home(Path(named).resolve() if named else REPOSITORY / "build" / "label-studio")


# Installing


def install(home: Home) -> None:
    """Make the environment and the template, unless both are there and up to date."""
    home.folder.mkdir(parents=True, exist_ok=True)
    with (home.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two installs at once would undo each other
        if _mark(home) != _constraints_digest():
            shutil.rmtree(home.template, ignore_errors=True)
            _make_environment(home)
        if not home.template.is_dir():
            _make_template(home)


def _make_environment(home: Home) -> None:
    python = home.environment / "bin" / "python"
    _call(sys.executable, "-m", "venv", "--clear", home.environment)
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _call(*pip, "--constraint", CONSTRAINTS, REQUIREMENT)
    (home.environment / "constraints.sha256").write_text(_constraints_digest())


def _make_template(home: Home) -> None:
    """Let the server make and migrate its database, and keep that folder once it has stopped."""
    folder = home.folder / "first-start"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    process, _ = _launch(home, folder, FIRST_START_S)
    _end(process.pid)
    process.wait()
    (folder / "data").rename(home.template)
    shutil.rmtree(folder)


def _mark(home: Home) -> str | None:
    with contextlib.suppress(FileNotFoundError):
        return (home.environment / "constraints.sha256").read_text()
    return None


def _constraints_digest() -> str:
    return hashlib.sha256(CONSTRAINTS.read_bytes() + REQUIREMENT.encode()).hexdigest()


def _call(*command: str | Path) -> None:
    done = subprocess.run(command, check=False)
    if done.returncode:
        what = " ".join(map(str, command[1:4]))
        raise ServerError(f"`python {what}` ended with {done.returncode}; see its output above")


# Running


@contextlib.contextmanager
def serving(home: Home, folder: Path) -> Iterator[Server]:
    """A server of one's own, from a copy of the template in an empty folder; stopped at the end."""
    process, server = _begin(home, folder)
    try:
        yield server
    finally:
        _end(process.pid)
        process.wait()


def start(home: Home) -> Server:
    """The server in the background, started unless it is running already."""
    if _recorded_process(home) is not None:
        return load(home.state)
    if not home.ready:
        raise ServerError("Label Studio is not installed; first `install`")
    folder = home.folder / "server"
    shutil.rmtree(folder, ignore_errors=True)
    process, server = _begin(home, folder)
    facts = asdict(server) | {
        "media_root": str(server.media_root),
        "pid": process.pid,
        "created": psutil.Process(process.pid).create_time(),
    }
    home.state.touch(mode=0o600)
    home.state.write_text(json.dumps(facts, indent=1))
    return server


def stop(home: Home) -> bool:
    """End the server in the background; False where none was running."""
    process = _recorded_process(home)
    if process is not None:
        _end(process.pid)
    home.state.unlink(missing_ok=True)
    return process is not None


def load(state: Path) -> Server:
    """The running server a state file tells of."""
    try:
        facts = json.loads(state.read_text())
    except FileNotFoundError:
        raise ServerError(f"no server is running: {state} is not there") from None
    del facts["pid"], facts["created"]
    server = Server(**facts | {"media_root": Path(facts["media_root"])})
    if not _healthy(server.url):
        raise ServerError(f"{server.url} of {state} does not answer")
    return server


def _recorded_process(home: Home) -> psutil.Process | None:
    """The process of the state file, if it lives and its number was not given to another."""
    with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):
        facts = json.loads(home.state.read_text())
        process = psutil.Process(facts["pid"])
        if process.create_time() == facts["created"]:
            return process
    return None


def _begin(home: Home, folder: Path) -> "tuple[subprocess.Popen[bytes], Server]":
    shutil.copytree(home.template, folder / "data")
    process, url = _launch(home, folder, START_S)
    try:
        token = personal_token(url, EMAIL, PASSWORD)
    except BaseException:
        _end(process.pid)
        raise
    return process, Server(url, folder / "media", personal_token=token)


def _launch(home: Home, folder: Path, patience: float) -> "tuple[subprocess.Popen[bytes], str]":
    """The process and its address, once it answers on the port it was told to take."""
    (folder / "media").mkdir(exist_ok=True)
    for _ in range(ATTEMPTS):
        port = free_port()
        process = _spawn(home, folder, port)
        try:
            if _answers(process, port, patience, folder):
                return process, f"http://127.0.0.1:{port}"
        except BaseException:
            _end(process.pid)
            raise
        _end(process.pid)
        process.wait()
    raise ServerError(f"another program took the port {ATTEMPTS} times")


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _spawn(home: Home, folder: Path, port: int) -> "subprocess.Popen[bytes]":
    url = f"http://127.0.0.1:{port}"
    data = folder / "data"
    where = ("--host", url, "--internal-host", "127.0.0.1", "--port", str(port), "--data-dir", data)
    user = ("--username", EMAIL, "--password", PASSWORD, "--user-token", TOKEN)
    environ = SETTINGS | {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(folder / "media"),
    }
    program = home.environment / "bin" / "label-studio"
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [program, "start", "--no-browser", *where, *user, "--log-level", "WARNING"],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _answers(process: "subprocess.Popen[bytes]", port: int, patience: float, folder: Path) -> bool:
    """Wait for it; False where the port is taken: it listens on another, or gives up."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process.poll() is not None:
            if PORT_TAKEN in _log(folder):
                return False
            break
        ports = _listening(process.pid)
        if ports and port not in ports:
            return False
        if ports and _healthy(f"http://127.0.0.1:{port}"):
            return True
        time.sleep(0.1)
    raise ServerError(f"Label Studio did not start in {patience} s:\n{_log(folder)[-2000:]}")


def _log(folder: Path) -> str:
    """What the last process that was started there printed."""
    return (folder / "log").read_text(errors="replace")


def _family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _listening(pid: int) -> set[int]:
    found = set()
    for process in _family(pid):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            sockets = process.net_connections("tcp")
            found |= {s.laddr.port for s in sockets if s.status == psutil.CONN_LISTEN}
    return found


def _healthy(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health", timeout=10) as answer:
            return json.load(answer).get("status") == "UP"
    except (OSError, ValueError):  # not yet, or not Label Studio
        return False


def _end(pid: int) -> None:
    """End the process group, by force what does not go by itself."""
    family = _family(pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
    _, left = psutil.wait_procs(family, timeout=STOP_S)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=STOP_S)


# The command line


def _run(home: Home) -> None:
    folder = home.folder / "foreground"
    shutil.rmtree(folder, ignore_errors=True)
    with serving(home, folder) as server, contextlib.suppress(KeyboardInterrupt):
        print(f"{server.url}  {server.email}  {PASSWORD}  (Ctrl-C stops it)")
        signal.pause()


def main(arguments: list[str]) -> None:
    """Install, start, stop or run the server of the default home."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    home = default_home()
    match arguments:
        case ["install"]:
            install(home)
        case ["start"]:
            server = start(home)
            print(f"Label Studio: {server.url}  {server.email}  {PASSWORD}")
            print(f"For the tests: ANNOTATE_TEST_LABEL_STUDIO={home.state}")
        case ["stop"]:
            print("Label Studio: stopped" if stop(home) else "Label Studio: was not running")
        case ["run"]:
            _run(home)
        case _:
            sys.exit("usage: label_studio_server.py install|start|stop|run")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ServerError as error:
        sys.exit(f"error: {error}")
