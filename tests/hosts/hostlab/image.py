"""The image of the hosts: built once for each recipe, kept with its keys in /var/tmp/aware-hosts."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from hostlab.programs import attempt, run
from hostlab.settings import DIRECTORY, HERE, RUN, LabError

NAME = "localhost/aware-hosts"
KEY = DIRECTORY / "id_ed25519"
KNOWN_HOSTS = DIRECTORY / "known_hosts"
# Each systemd holds some; the kernel's 128 are enough for about twenty hosts.
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_WANTED = 1024


def environment() -> dict[str, str]:
    """What podman must be told: its storage and settings are the lab's own."""
    etc = HERE / "etc"
    return {
        "CONTAINERS_CONF": str(etc / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(etc / "storage.conf"),
    }


def tag(suite: str) -> str:
    """The image that this recipe makes with these keys."""
    made_of = [HERE / "build-image", DIRECTORY / "id_ed25519.pub", DIRECTORY / "host_ed25519.pub"]
    extra = os.environ.get("LAB_EXTRA_PACKAGES", "")
    recipe = b"\0".join([*(path.read_bytes() for path in made_of), extra.encode()])
    return f"{NAME}:{suite}-{hashlib.sha256(recipe).hexdigest()[:12]}"


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One builder at a time."""
    with (DIRECTORY / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _keys() -> None:
    """The key that logs in, and the one that the hosts show."""
    for path in (KEY, DIRECTORY / "host_ed25519"):
        if not path.with_suffix(".pub").exists():
            path.unlink(missing_ok=True)
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "aware-hosts", "-f", str(path))
    shown = (DIRECTORY / "host_ed25519.pub").read_text()
    # The second is for a port that is not 22.
    known = f"10.77.0.*,[10.77.0.*]:* {shown}"
    if not KNOWN_HOSTS.exists() or KNOWN_HOSTS.read_text() != known:
        KNOWN_HOSTS.write_text(known)


def prepare(suite: str) -> str:
    """The name of the image, built when it is not there. Raises LabError."""
    if subprocess.run([str(HERE / "install-packages")], check=False).returncode:
        raise LabError("tests/hosts/install-packages failed")
    if int(INOTIFY.read_text()) < INOTIFY_WANTED:
        INOTIFY.write_text(f"{INOTIFY_WANTED}\n")
    DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _alone():
        _keys()
        name = tag(suite)
        if attempt(["podman", "image", "exists", name], env=environment()).returncode:
            _build(name, suite)
    return name


def _build(name: str, suite: str) -> None:
    print(f"building the image of {suite}, a minute or two (log: {DIRECTORY}/build.log)", flush=True)
    with (DIRECTORY / "build.log").open("wb") as log:
        done = subprocess.run(
            [str(HERE / "build-image"), name],
            env={**os.environ, **environment(), "LAB_SUITE": suite},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        words = (DIRECTORY / "build.log").read_text(errors="replace").splitlines()[-5:]
        raise LabError("\n    ".join([f"the image could not be built; all of it is in {log.name}", *words]))
    _forget_older(name, suite)


def _forget_older(name: str, suite: str) -> None:
    """Images of older recipes go, unless hosts still run from them."""
    listed = run("podman", "images", "--format", "{{.Repository}}:{{.Tag}}", NAME, env=environment())
    for other in listed.split():
        if other.startswith(f"{NAME}:{suite}-") and other != name:
            attempt(["podman", "rmi", other], env=environment())


def purge() -> None:
    """Remove all that labs share. There must be no lab."""
    with _alone():
        run("podman", "rmi", "--all", "--force", env=environment(), timeout_s=600)
        # Podman mounts it on itself, once, and leaves it so.
        while os.path.ismount(DIRECTORY / "storage/overlay"):
            run("umount", str(DIRECTORY / "storage/overlay"))
        shutil.rmtree(DIRECTORY)
        shutil.rmtree(RUN, ignore_errors=True)
        for group in Path("/sys/fs/cgroup").glob("*/libpod_parent"):
            with contextlib.suppress(OSError):
                group.rmdir()  # not empty: a podman that is not ours
