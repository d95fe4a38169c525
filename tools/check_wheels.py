"""Checks that every pin of requirements-dev.txt has a wheel for each Python that the project supports.

Asks pip, as `make demo` would, but for a Python that need not be at hand: which file it would install, with
hashes required and source packages refused. Markers are judged here for the Python in question, since pip
judges them for the one that it runs on.

Exit codes: 0 all there; 1 something is missing, and what; 2 the registry did not answer, so nothing is known.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

PINS = Path(__file__).resolve().parent.parent / "requirements-dev.txt"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# glibc 2.28: Debian 10, Ubuntu 20.04, RHEL 8 and later.
NEWEST_GLIBC_MINOR = 28
SECONDS_FOR_EACH = 600
LAST_LINES = 10
MISSING = re.compile(r"No matching distribution found for (\S+)")
WRONG_HASH = "DO NOT MATCH THE HASHES"
NO_NETWORK = ("Retrying (Retry(", "Could not fetch URL", "Read timed out", "Connection broken")


class Unknown(Exception):
    """The registry did not answer: neither a wheel nor its absence was seen."""


def main() -> int:
    """Return the exit code; prints a line for each Python."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--machine", default="x86_64", choices=["x86_64", "aarch64"])
    options.add_argument("pythons", nargs="*", default=PYTHONS, metavar="VERSION")
    chosen = options.parse_args()
    is_complete = True
    for python in chosen.pythons:
        pins = list(pins_for(python, chosen.machine))
        print(f"Python {python}, {chosen.machine}: {len(pins)} pins … ", end="", flush=True)
        started = time.monotonic()
        try:
            missing = without_wheel(pins, python, chosen.machine)
        except Unknown as reason:
            print(f"unknown\n{reason}\nThe package registry was not reachable; nothing is proved either way.")
            return 2
        result = f"no wheel for {', '.join(missing)}" if missing else "a wheel for each"
        print(f"{result} ({time.monotonic() - started:.0f} s)", flush=True)
        is_complete = is_complete and not missing
    return 0 if is_complete else 1


def pins_for(python: str, machine: str) -> Iterator[str]:
    """Yield a line `name==version --hash=…` for each pin that some release of this Python would install."""
    text = re.sub(r"\\\n\s*", "", PINS.read_text(encoding="utf-8"))
    for line in text.splitlines():
        if not line or line[0] in "# ":
            continue
        pin, *hashes = line.split(" --hash=")
        requirement = Requirement(pin.strip())
        if any(applies(requirement, f"{python}.{patch}", machine) for patch in (0, 99)):
            digests = " ".join(f"--hash={digest.strip()}" for digest in hashes)
            yield f"{requirement.name}{requirement.specifier} {digests}"


def applies(requirement: Requirement, full_version: str, machine: str) -> bool:
    """Tell whether the requirement's marker holds for CPython of this version on Linux."""
    if requirement.marker is None:
        return True
    environment = {
        "implementation_name": "cpython",
        "implementation_version": full_version,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": full_version,
        "python_version": full_version.rpartition(".")[0],
        "sys_platform": "linux",
    }
    return requirement.marker.evaluate(environment)


def without_wheel(pins: list[str], python: str, machine: str) -> list[str]:
    """Return the pins without a wheel; pip names one a run, so that one is taken out and the rest tried."""
    missing: list[str] = []
    while True:
        output = dry_run(pins, python, machine)
        if output is None:
            return missing
        if WRONG_HASH in output:
            return [*missing, f"a file whose hash differs{output.partition(WRONG_HASH)[2].rstrip()}\n"]
        found = MISSING.search(output)
        others = [pin for pin in pins if found is None or not pin.startswith(f"{found[1]} ")]
        if found is None or len(others) == len(pins) or any(sign in output for sign in NO_NETWORK):
            raise Unknown("".join(output.splitlines(keepends=True)[-LAST_LINES:]))
        missing.append(found[1])
        pins = others


def dry_run(pins: list[str], python: str, machine: str) -> str | None:
    """Return None if pip would install all pins from wheels, else what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "pins.txt"
        wanted.write_text("\n".join(pins), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--require-hashes"]
        command += ["--only-binary", ":all:", "--no-input", "--disable-pip-version-check"]
        # By the Python that it runs on, pip judges what a package requires, and not by the one that was asked for. The
        # pins' markers say already which of them is for which.
        command += ["--ignore-requires-python"]
        command += ["--timeout", "30", "--retries", "3", "--target", str(Path(folder) / "target")]
        command += ["--python-version", python, "--implementation", "cp", "--requirement", str(wanted)]
        for platform in platforms(machine):
            command += ["--platform", platform]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_FOR_EACH)
        except subprocess.TimeoutExpired:
            raise Unknown(f"pip did not finish within {SECONDS_FOR_EACH} s.") from None
    return None if done.returncode == 0 else done.stdout + done.stderr


def platforms(machine: str) -> Iterator[str]:
    """Yield the platform tags that a machine with glibc 2.28 accepts; pip adds no older ones by itself."""
    yield from (f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_GLIBC_MINOR, 4, -1))
    yield f"manylinux2014_{machine}"


if __name__ == "__main__":
    sys.exit(main())
