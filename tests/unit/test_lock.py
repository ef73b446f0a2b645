"""requirements/dev.txt locks what pyproject.toml asks for: nothing is missing, nothing is without a hash."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements" / "dev.txt").read_text()
PINS = [Requirement(line.rstrip(" \\")) for line in LOCK.splitlines() if re.match(r"[a-z0-9]", line)]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BUILD = [
    line for line in (ROOT / "requirements" / "build.in").read_text().splitlines() if line and not line.startswith("#")
]
WANTED = [
    Requirement(text)
    for text in [*PROJECT["dependencies"], *BUILD, *chain(*PROJECT["optional-dependencies"].values())]
    if not text.startswith(f"{PROJECT['name']}[")
]


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.name)
def test_what_is_asked_for_is_locked(wanted: Requirement) -> None:
    pins = [pin for pin in PINS if canonicalize_name(pin.name) == canonicalize_name(wanted.name)]
    assert pins, f"{wanted} is not locked: run scripts/lock"
    for pin in pins:
        (exact,) = pin.specifier
        assert exact.operator == "=="
        assert wanted.specifier.contains(exact.version), f"{wanted} is locked as {pin}: run scripts/lock"


def test_every_pin_has_hashes() -> None:
    parts = re.split(r"(?m)^(?=[a-z0-9])", LOCK)[1:]
    assert len(parts) == len(PINS) > 100
    assert [part.split()[0] for part in parts if "--hash=sha256:" not in part] == []


def test_no_place_to_fetch_from_is_named() -> None:
    assert re.findall(r"(?m)^\s*(?:--(?:extra-)?index-url|--find-links)|https?://\S+", LOCK) == []
