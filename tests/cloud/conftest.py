"""Fixtures of the tests against the test cloud (docs/testing-cloud.md)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from cloud_support import Cloud, Project, why_not
from real_site import WHEELS, Site
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


@pytest.fixture(scope="session")
def site(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An inventory for a project of its own; the tests on real guests follow one another on it."""
    if not cloud.settings.real:
        pytest.skip("this test cloud has no real guests: REAL=1 make cloud-up")
    if not list(WHEELS.glob("aware_agent-*.whl")):
        pytest.skip(f"no wheels in {WHEELS}: make wheels WHEELS='--python 3.13'")
    with cloud.project() as project:
        yield Site(cloud, project, tmp_path_factory.mktemp("site"), time.monotonic())
