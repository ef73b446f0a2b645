"""What tests of the command line share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli_support import Colony, colony


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Colony]:
    """A colony of fake gateways, with a context for it."""
    with colony(tmp_path) as made:
        yield made
