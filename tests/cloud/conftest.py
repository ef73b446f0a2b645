"""Fixtures of the tests against the test cloud (docs/testing-cloud.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloud_support import Cloud, Project, why_not
from testcloud.settings import directory, load


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """The running test cloud; the test is skipped, with the reason, when it cannot be reached from here."""
    if reason := why_not():
        pytest.skip(reason)
    return Cloud(load(directory()), tmp_path_factory.mktemp("clouds"))


@pytest.fixture(scope="module")
def project(cloud: Cloud) -> Iterator[Project]:
    """A project of the module's own; ``with cloud.project()`` gives a test one of its own."""
    with cloud.project() as made:
        yield made


@pytest.fixture(scope="module")
def connection(project: Project) -> Iterator[Any]:
    """openstacksdk as the member of ``project``."""
    with project.connect() as made:
        yield made
