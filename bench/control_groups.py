"""Less processor, or a slower disk, for some processes: by control groups of the benchmark's own, version 1 or 2."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.harness import Unavailable

PERIOD_US = 100_000
_ROOT = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def processor_share(name: str, pids: Iterable[int], share: float) -> Iterator[None]:
    """Together they get ``share`` of one core. Raises Unavailable without root or control groups."""
    quota = round(PERIOD_US * share)
    first = {"cpu.cfs_period_us": f"{PERIOD_US}", "cpu.cfs_quota_us": f"{quota}"}
    with _group("cpu", name, pids, first, {"cpu.max": f"{quota} {PERIOD_US}"}):
        yield


@contextlib.contextmanager
def slow_disk(name: str, pids: Iterable[int], where: Path, per_second: int) -> Iterator[None]:
    """No more than so many writes reach the disk under ``where``; one fdatasync(2) is two or three.

    Raises Unavailable.
    """
    disk = _disk(where)
    first = {"blkio.throttle.write_iops_device": f"{disk} {per_second}"}
    with _group("blkio", name, pids, first, {"io.max": f"{disk} wiops={per_second}"}):
        yield


def _disk(where: Path) -> str:
    """``major:minor`` of the whole disk."""
    device = os.stat(where).st_dev
    node = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if not node.exists():
        raise Unavailable(f"{where} lies on no disk of this machine, which could be slowed down")
    return (node.resolve().parent if (node / "partition").exists() else node).joinpath("dev").read_text().strip()


@contextlib.contextmanager
def _group(
    controller: str, name: str, pids: Iterable[int], first: dict[str, str], second: dict[str, str]
) -> Iterator[None]:
    """``first``, ``second``: what is written in version 1 and 2. Children that they start are in it too."""
    own = (_ROOT / controller).is_dir()
    parent = _ROOT / controller if own else _ROOT
    group = parent / f"aware-bench-{os.getpid()}-{name}"
    try:
        group.mkdir()
    except OSError as error:
        raise Unavailable(f"no control group can be made: {error}") from error
    try:
        for file, text in (first if own else second).items():
            (group / file).write_text(text)
        for pid in pids:
            (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        _remove(group)
        raise Unavailable(f"the control group takes no limit: {error}") from error
    try:
        yield
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """What is in it goes on without a limit."""
    with contextlib.suppress(OSError):
        while inside := (group / "cgroup.procs").read_text().split():
            for pid in inside:
                with contextlib.suppress(OSError):  # it has just ended
                    (group.parent / "cgroup.procs").write_text(pid)
        group.rmdir()
