"""Makes `.venv`: every pinned requirement from a wheel, then the project itself; prints how far it is.

`make` runs this with the Python that it chose, and again when the pins or pyproject.toml change.
Nothing but the standard library is imported. Exit codes: 0 done, 1 with a message that says what to do.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PINS = ROOT / "requirements-dev.txt"
# A user's own settings that would send packages somewhere other than .venv.
ELSEWHERE = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")
QUIET_SECONDS = 10
TAIL_LINES = 25


class SetUpFailed(Exception):
    """What went wrong and what to do about it, for the person at the terminal."""


def main() -> int:
    """Return 0 when `.venv` is ready, 1 after saying why it is not."""
    started = time.monotonic()
    try:
        refuse_a_machine_without_wheels()
        make_virtualenv()
        install_pins()
        install_project()
    except SetUpFailed as failure:
        print(f"\nSet-up failed: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nSet-up stopped; the next `make` goes on from here.", file=sys.stderr)
        return 1
    print(f"Ready after {time.monotonic() - started:.0f} s.\n", flush=True)
    return 0


def refuse_a_machine_without_wheels() -> None:
    """Raise where the real homeserver that demo and tests run against has no wheel."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        raise SetUpFailed(
            f"the matrix-synapse wheel is made for Linux on x86_64 or aarch64, this is {sys.platform} on "
            f"{platform.machine()}. Use a Linux machine, a virtual one or a container; "
            "the service alone installs from requirements.txt."
        )
    libc, version = platform.libc_ver()
    if libc != "glibc" or tuple(int(part) for part in version.split(".")[:2]) < (2, 28):
        raise SetUpFailed(
            "the matrix-synapse wheel needs glibc 2.28 or later, this machine has "
            f"{libc or 'another libc'} {version}. "
            "Debian 10, Ubuntu 20.04, Fedora 29 and later have it; Alpine does not."
        )


def make_virtualenv() -> None:
    """Leave a virtualenv of this Python in `.venv`; one that works already is kept."""
    if is_usable(PYTHON):
        return
    print(f"1/3  Making .venv with Python {platform.python_version()} …", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode != 0 or not is_usable(PYTHON):
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetUpFailed(
            f"{sys.executable} cannot make a virtualenv. On Debian and Ubuntu: apt install python3-venv "
            f"(or python{sys.version_info[0]}.{sys.version_info[1]}-venv).\n{made.stdout}{made.stderr}"
        )


def is_usable(python: Path) -> bool:
    """Tell whether `python` is this Python's version and has pip."""
    if not python.exists():
        return False
    probe = "import sys, pip; print(*sys.version_info[:2])"
    answer = subprocess.run([str(python), "-c", probe], capture_output=True, text=True)
    return answer.stdout.split() == [str(part) for part in sys.version_info[:2]]


def install_pins() -> None:
    """Install exactly what requirements-dev.txt pins, checked by hash, wheels only."""
    count = len(re.findall(r"^[A-Za-z0-9]", PINS.read_text(encoding="utf-8"), flags=re.MULTILINE))
    print(f"2/3  Installing {count} packages from wheels (about 120 MB, once) …", flush=True)
    pip(count, "--require-hashes", "--only-binary", ":all:", "-r", str(PINS))


def install_project() -> None:
    """Install the project in editable form; its build backend is one of the pins: nothing is downloaded."""
    print("3/3  Installing coterie-appservice itself …", flush=True)
    pip(0, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def pip(count: int, *arguments: str) -> None:
    """Run `pip install`, show how many of `count` packages it has reached, raise with its words if it fails.

    A count of 0 shows nothing.
    """
    command = [str(PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    progress = Progress(count)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            tail.append(line)
            progress.show(line)
    progress.finish()
    if process.returncode != 0:
        raise SetUpFailed(f"pip says:\n{''.join(tail)}\nOnce the cause is mended, `make` goes on from here.")


class Progress:
    """Turns pip's lines into one line that counts: rewritten on a terminal, now and then in a log."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._reached = 0
        self._printed_at = time.monotonic()
        self._is_terminal = sys.stdout.isatty()

    def show(self, line: str) -> None:
        """Take one line of pip's output."""
        words = line.split() if self._count else []
        if words[:1] == ["Collecting"] or words[:2] == ["Requirement", "already"]:
            self._reached += 1
            name = words[1] if words[0] == "Collecting" else words[3]
            self._say(f"     {self._reached}/{self._count}  {name.split('==')[0]}")
        elif words[:2] == ["Installing", "collected"]:
            self._say("     unpacking and compiling to bytecode, up to a minute …", due=True)

    def finish(self) -> None:
        """End the rewritten line."""
        if self._is_terminal and self._reached:
            print("\r\033[K", end="", flush=True)

    def _say(self, text: str, *, due: bool = False) -> None:
        now = time.monotonic()
        if self._is_terminal:
            print(f"\r\033[K{text}", end="", flush=True)
        elif due or now - self._printed_at >= QUIET_SECONDS:
            print(text, flush=True)
        else:
            return
        self._printed_at = now


if __name__ == "__main__":
    sys.exit(main())
