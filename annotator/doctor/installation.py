"""Python, the packages that are needed, and those that only some need."""

import platform
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata

from packaging.requirements import Requirement

from annotator.doctor.check import Check, failed, ok, warning

DISTRIBUTION = "annotate-emotions"
MIN_PYTHON = (3, 11)
EXTRAS = {
    "experiments": "ablate, sweep, diagnose",
    "hub": "extractors by Hugging Face id",
    "opensmile": "the extractor egemaps",
    "ray": "runs with --engine ray",
}


def checks() -> Iterator[Check]:
    """Python's version and that of every package, against what we ask for."""
    yield _python(sys.version_info[:2])
    try:
        asked = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or ()]
    except metadata.PackageNotFoundError:
        yield warning("packages", "annotate-emotions is not installed", "pip install .")
        return
    always = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    yield _packages(always)
    for extra, purpose in EXTRAS.items():
        wanted = [one for one in asked if one.marker and one.marker.evaluate({"extra": extra})]
        only = [one for one in wanted if one not in always]
        yield _extra(extra, purpose, only)


def unfit(requirements: Sequence[Requirement]) -> list[str]:
    """What is missing or of another version, each in words.

    >>> unfit([Requirement("click>=8"), Requirement("no-such-package>=1")])
    ['no-such-package is missing']
    """
    found = []
    for one in requirements:
        try:
            version = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            found.append(f"{one.name} is missing")
            continue
        if not one.specifier.contains(version, prereleases=True):
            found.append(f"{one.name} is {version}, expected {one.specifier}")
    return found


def _python(version: tuple[int, ...]) -> Check:
    if version < MIN_PYTHON:
        wanted = ".".join(map(str, MIN_PYTHON))
        return failed("Python", platform.python_version(), f"install Python {wanted} or newer")
    return ok("Python", platform.python_version())


def _packages(requirements: Sequence[Requirement]) -> Check:
    problems = unfit(requirements)
    if problems:
        return failed(
            "packages", "; ".join(problems), f"pip install --upgrade {DISTRIBUTION}, or those named"
        )
    version = metadata.version(DISTRIBUTION)
    return ok("packages", f"{DISTRIBUTION} {version} and the {len(requirements)} it needs")


def _extra(extra: str, purpose: str, requirements: Sequence[Requirement]) -> Check:
    problems = unfit(requirements)
    name = f"extra {extra}"
    if not problems:
        return ok(name, f"installed ({purpose})")
    install = f"pip install '{DISTRIBUTION}[{extra}]'"
    if all(problem.endswith("is missing") for problem in problems):
        return ok(name, f"not installed; only {purpose} need it", install)
    return warning(name, "; ".join(problems), install)
