"""What a job's process may not do any more once it has begun: given up by itself, before it reads a line of a playbook.

* As root it becomes another user; with ``user = "root"`` it stays root, without a single capability.
* Landlock (Linux 5.13 and later) takes away what the agent's own files are: the state directory with the colony's
  secret, key files, password files. What is left can be read; nothing is writable but the job's own directory. It also
  keeps it from looking into, and signalling, processes that are not its own, the agent of the same user among them.
* ``no_new_privs``: no program it starts has more rights than it has; resource limits bound memory and files.

https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from aware_agent.colony.errors import AwareError

ROOT = "root"
USERS = ("aware-job", "nobody")  # whom a root's job becomes where the settings name nobody: the first that is there
MAX_FILES = 4096
MAX_FILE_BYTES = 1 << 30
_CREATE, _ADD, _RESTRICT = 444, 445, 446  # landlock_*: the same number on every architecture
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_NO_NEW_PRIVS, _CAPBSET_DROP = 38, 24
_CAPABILITIES = 64  # more than there are
_EXECUTE, _WRITE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE | _READ_FILE | _TRUNCATE | _IOCTL
_LOOK = _EXECUTE | _READ_FILE | _READ_DIR
_SCOPES = 3  # abstract Unix sockets, signals


class Unconfined(AwareError):
    """This host has nothing that keeps a playbook from the colony's secrets; no job runs on it."""

    code = "unconfined"
    exit_code = 10
    status = 501


def landlock() -> int:
    """The version of Landlock this kernel has; 0: none."""
    version: int = _libc().syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    return max(0, version)


def job_user(wanted: str) -> str:
    """Whom a job of a root's agent becomes; "" where the agent is not root. Raises :class:`Unconfined`."""
    if os.geteuid() != 0:
        return ""
    for name in (wanted,) if wanted else USERS:
        with suppress(KeyError):
            pwd.getpwnam(name)
            return name
    raise Unconfined(
        f"there is no user {wanted or ' or '.join(USERS)} that a job could run as", hint="make it, or set jobs.user"
    )


def describe(wanted: str) -> str:
    """How jobs are confined on this host, in a few words. Raises :class:`Unconfined` when they are not."""
    user, version = job_user(wanted), landlock()
    if not version and user in ("", ROOT):
        raise Unconfined(
            "the kernel has no Landlock, so a playbook could read the colony's secret",
            hint="Linux 5.13 or later with Landlock in CONFIG_LSM; or an agent that runs as root, with jobs.user",
        )
    return " and ".join([*([f"user {user}"] if user else []), *([f"Landlock {version}"] if version else [])])


def confine(user: str, directory: Path, hidden: Sequence[Path], memory_bytes: int) -> None:
    """Give up everything a job does not need; there is no way back. ``directory`` becomes its own.

    Raises OSError when something cannot be given up: then nothing may be run.
    """
    _limit(memory_bytes)
    if user:
        _become(user, directory)
    libc = _libc()
    _check(libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if landlock():
        _restrict(libc, directory, [path.resolve() for path in hidden])
    elif user in ("", ROOT):
        raise PermissionError("nothing confines this process")


def _limit(memory_bytes: int) -> None:
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_NOFILE: MAX_FILES,
        resource.RLIMIT_FSIZE: MAX_FILE_BYTES,
    }
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (value, value))


def _become(user: str, directory: Path) -> None:
    entry = pwd.getpwnam(user)
    for path in (directory, *directory.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid)
    if user == ROOT:
        _drop_capabilities()
        return
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)


def _drop_capabilities() -> None:
    """Of the bounding set too, or the next program root starts would have them again."""
    libc = _libc()
    for number in range(_CAPABILITIES):
        libc.prctl(_CAPBSET_DROP, number, 0, 0, 0)  # fails for numbers the kernel does not know
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
    _check(libc.capset(header, ctypes.create_string_buffer(struct.pack("6I", *[0] * 6))), "capset")


def _restrict(libc: ctypes.CDLL, directory: Path, hidden: Sequence[Path]) -> None:
    version = landlock()
    handled = (1 << 13) - 1
    handled |= _REFER if version >= 2 else 0
    handled |= _TRUNCATE if version >= 3 else 0
    handled |= _IOCTL if version >= 5 else 0
    attributes = struct.pack("QQQ", handled, 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = libc.syscall(_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    _check(ruleset, "landlock_create_ruleset")
    try:
        for path in visible(Path("/"), hidden):
            _allow(libc, ruleset, path, _LOOK & handled)
        for path in (directory.resolve(), Path("/dev")):
            _allow(libc, ruleset, path, handled)
        _check(libc.syscall(_RESTRICT, ruleset, ctypes.c_uint32(0)), "landlock_restrict_self")
    finally:
        os.close(ruleset)


def visible(below: Path, hidden: Sequence[Path]) -> Iterator[Path]:
    """The highest paths below ``below`` that neither are one of ``hidden`` nor hold one.

    A link that leads to such a place is left out as well: a rule on it would be one on that place.
    """
    if not any(path.is_relative_to(below) for path in hidden):
        yield below
        return
    try:
        children = sorted(below.iterdir())
    except OSError:
        return
    for child in children:
        target = child.resolve() if child.is_symlink() else child
        if any(target.is_relative_to(path) for path in hidden):
            continue
        if not any(path.is_relative_to(target) for path in hidden):
            yield child
        elif not child.is_symlink():
            yield from visible(child, hidden)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # gone meanwhile, or not for us anyway
        return
    try:
        if not path.is_dir():
            access &= _OF_FILES
        rule = struct.pack("=Qi", access, descriptor)
        _check(libc.syscall(_ADD, ruleset, ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint32(0)), "landlock_add_rule")
    finally:
        os.close(descriptor)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
