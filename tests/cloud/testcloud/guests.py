"""REAL=1: libvirt and qemu, with their state in the cloud's own directory. Works inside the namespaces."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from testcloud import processes
from testcloud.services import Service
from testcloud.settings import Settings

QEMU = Path("/usr/bin/qemu-system-x86_64")
# MiB for translated code. qemu's default takes a guest of 256 MiB to 860 MiB; with this it is 360.
TRANSLATION_CACHE = 96


def mounted(path: Path) -> bool:
    """Whether something of ours is mounted there already."""
    return any(line.split()[4] == str(path) for line in Path("/proc/self/mountinfo").read_text().splitlines())


def bind(source: Path, target: Path) -> None:
    """Show ``source`` at ``target``, in the private mount namespace only."""
    if not mounted(target):
        subprocess.run(["mount", "--bind", str(source), str(target)], check=True)


def own_libvirt(settings: Settings) -> None:
    """libvirt writes to its directory in /etc: filters, and domains that would collide with those of the next cloud."""
    mine = settings.state / "libvirt"
    etc = mine / "etc"
    if not (mine / "done").exists():
        shutil.rmtree(mine, ignore_errors=True)
        shutil.copytree("/etc/libvirt", etc, symlinks=True)
        for name in ("lib", "log", "cache"):
            (mine / name).mkdir()
        (mine / "lib" / "qemu").mkdir()
        (mine / "done").touch()
    shutil.copy(settings.etc / "qemu.conf", etc / "qemu.conf")
    bind(etc, Path("/etc/libvirt"))
    bind(mine / "lib", Path("/var/lib/libvirt"))
    bind(mine / "log", Path("/var/log/libvirt"))
    bind(mine / "cache", Path("/var/cache/libvirt"))


def cap_qemu(settings: Settings) -> None:
    """A wrapper over the emulator, as nova of this release cannot set tb-size."""
    if mounted(QEMU):
        return
    tree = settings.state / "qemu"
    (tree / "bin").mkdir(parents=True, exist_ok=True)
    if not (tree / "bin" / QEMU.name).exists():
        shutil.copy2(QEMU, tree / "bin" / "copy")
        (tree / "bin" / "copy").rename(tree / "bin" / QEMU.name)
    for name in ("share", "lib"):  # the emulator looks for its firmware beside itself
        if not (tree / name).is_symlink():
            (tree / name).symlink_to(f"/usr/{name}")
    wrapper = tree / "wrapper"
    wrapper.write_text(
        '#!/bin/bash\nwords=() last=\nfor word in "$@"; do\n'
        f'    [ "$last $word" = "-accel tcg" ] && word=tcg,tb-size={TRANSLATION_CACHE}\n'
        '    words+=("$word") last=$word\ndone\n'
        f'exec {tree}/bin/{QEMU.name} "${{words[@]}}"\n'
    )
    wrapper.chmod(0o755)
    bind(wrapper, QEMU)


def start(settings: Settings) -> None:
    """libvirtd, ready for nova-compute."""
    own_libvirt(settings)
    cap_qemu(settings)
    processes.start(settings, Service(name="virtlogd", argv=["virtlogd"]))
    processes.start(settings, Service(name="libvirtd", argv=["libvirtd", "-f", f"{settings.etc}/libvirtd.conf"]))
    socket = Path("/run/libvirt/libvirt-sock")
    processes.until(settings, "libvirtd", socket.exists, "made no socket", 60)
