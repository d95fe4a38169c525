"""How findings are printed: a sign, what was found, what mends it."""

import sys

import click

from appservice.cli.failure import plain
from appservice.config import Config
from appservice.matrix.finding import Finding, Verdict

SIGNS = {Verdict.GOOD: "✓", Verdict.BAD: "✗", Verdict.WARNING: "!", Verdict.SKIPPED: "-"}
ASCII_SIGNS = {**SIGNS, Verdict.GOOD: "ok ", Verdict.BAD: "BAD"}


def show(config: Config, finding: Finding) -> bool:
    """Print a finding on one line, without secrets; tells whether it has to be mended."""
    text = f"{_signs()[finding.verdict]} {finding.subject}: {' '.join(finding.says.split())}"
    if finding.mend:
        text += f". To mend: {finding.mend}"
    click.echo(plain(config.without_secrets(text)))
    return finding.verdict is Verdict.BAD


def show_sum(bad: int) -> None:
    """Print how many were bad; ends the command with exit code 1 if any was."""
    click.echo(f"{bad} to mend." if bad else "All is well.")
    if bad:
        raise SystemExit(1)


def _signs() -> dict[Verdict, str]:
    try:
        "✓✗…".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII_SIGNS
    return SIGNS
