"""The test cloud (docs/testing-cloud.md) for benchmarks: whether it is there, the way in, a project in it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from bench.agent import ROOT
from bench.harness import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = ROOT / "tests" / "cloud"
_INSIDE = "AWARE_BENCH_IN_CLOUD"  # set by us: a second way in would be a mistake


def enter() -> list[str]:
    """The start of a command line that runs the rest in the cloud's network. Raises :class:`Unavailable`."""
    _support()
    from testcloud import namespaces
    from testcloud.settings import CloudError, directory, load

    if os.geteuid() != 0:
        raise Unavailable("the test cloud needs root")
    try:
        settings = load(directory())
    except CloudError as error:
        raise Unavailable(str(error)) from None
    if namespaces.find(settings.directory) is None:
        raise Unavailable("the test cloud does not run: make cloud-up")
    if not settings.fake:
        raise Unavailable("this test cloud has no fake computes: FAKE=6 make cloud-up")
    return [str(TOOLS / "enter")]


def move_in(arguments: list[str]) -> None:
    """Run this benchmark in the cloud's network, in place of this process. Raises :class:`Unavailable`."""
    if _support().why_not() == "":
        return
    way = enter()
    if os.environ.get(_INSIDE):
        raise Unavailable(_support().why_not())
    os.environ[_INSIDE] = "1"
    sys.stdout.flush()
    os.execv(way[0], [*way, sys.executable, "-m", "bench", *arguments])


def cloud(work: Path) -> Any:
    """``tests/cloud/cloud_support.Cloud``; ``work`` keeps the clouds.yaml of its projects."""
    from testcloud.settings import directory, load

    return _support().Cloud(load(directory()), work)


def _support() -> Any:
    if str(TOOLS) not in sys.path:
        sys.path.insert(0, str(TOOLS))
    try:
        import cloud_support
    except ImportError as error:
        raise Unavailable(f"{error.name} is not installed (pip install aware-agent[openstack])") from None
    return cloud_support
