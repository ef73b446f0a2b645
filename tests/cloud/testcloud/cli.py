"""``tests/cloud/cloud``: up, down, status, stop, enter. Works outside the namespaces; ``_up`` and others inside."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from testcloud import configs, namespaces, services
from testcloud.settings import HERE, MARK, CloudError, Settings, claim, directory, load

PROGRAM = str(HERE / "cloud")


@contextlib.contextmanager
def locked(path: Path, limit_s: float = 900) -> Iterator[int]:
    """One at a time in a cloud's directory. Yields the descriptor; who inherits it holds the lock too."""
    path.mkdir(mode=0o711, parents=True, exist_ok=True)
    deadline = time.monotonic() + limit_s
    told = False
    while True:
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == os.stat(path / "lock").st_ino:
                break
        except FileNotFoundError:
            path.mkdir(mode=0o711, parents=True, exist_ok=True)  # the one before was a cloud-down
        except BlockingIOError:
            if not told:
                print(f"waiting for another run that works on {path}", flush=True)
            told = True
        os.close(descriptor)
        if time.monotonic() > deadline:
            raise CloudError(f"another run has been at work on {path} for {limit_s:.0f} s")
        time.sleep(0.2)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def need_root() -> None:
    """Raises CloudError."""
    if os.geteuid() != 0:
        raise CloudError("the test cloud makes namespaces, bridges and mounts of its own: run this as root (sudo)")


def inner(settings: Settings, pid: int, *words: str, pass_fds: tuple[int, ...] = ()) -> int:
    """This program again, inside the namespaces."""
    entering = namespaces.entering(pid, only_network=False)
    argv = [*entering, namespaces.PYTHON, "-I", PROGRAM, *words]
    environment = {
        **services.environment(settings),
        "AWARE_CLOUD_DIR": str(settings.directory),
        "AWARE_CLOUD_IMAGES": str(settings.images),
    }
    return subprocess.run(argv, env=environment, pass_fds=pass_fds, cwd="/", check=False).returncode


def copy_programs(settings: Settings) -> None:
    """The cloud must not change when the checkout does, nor leave compiled files in it."""
    target = settings.directory / "programs"
    shutil.copytree(HERE / "programs", target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


def run_script(name: str, **variables: str) -> None:
    """One of the shell scripts beside us; it says itself what is wrong."""
    if subprocess.run([str(HERE / name)], env={**os.environ, **variables}, check=False).returncode:
        raise CloudError(f"tests/cloud/{name} failed")


def up(_: argparse.Namespace) -> int:
    """Bring the cloud up, or what is missing of it."""
    began = time.time()
    need_root()
    path = directory()
    run_script("install-packages")
    with locked(path) as lock:
        settings = claim(path)
        if settings.real:
            run_script("build-image", AWARE_CLOUD_IMAGES=str(settings.images))
        configs.write(settings)
        copy_programs(settings)
        pid = namespaces.start(settings)
        if code := inner(settings, pid, "_up", str(lock), str(began), pass_fds=(lock,)):
            return code
    print(f"{time.time() - began:6.1f} s  the cloud is up: tests/cloud/enter COMMAND")
    return 0


def down(arguments: argparse.Namespace) -> int:
    """End everything and remove the directory."""
    need_root()
    path = directory()
    if visitors := namespaces.visitors(path):
        if not arguments.force:
            raise CloudError(
                f"processes {visitors} still use the cloud in {path}; end them, or: tests/cloud/cloud down --force"
            )
        print(f"processes {visitors} lose the cloud; its network stays until they end")
    ran = namespaces.end(path)
    if not path.exists():
        print(f"no test cloud in {path}" if not ran else "ended")
        return 0
    strange = [entry.name for entry in path.iterdir() if entry.name not in ("lock", MARK)]
    if strange and not (path / MARK).exists():
        raise CloudError(f"{path} is no test cloud of ours ({strange[0]} is in it); nothing was removed")
    with locked(path):
        namespaces.end(path)  # a run that was about to start it waits for the lock, or had just started it
        if arguments.keep:
            print(f"ended; databases, images and logs stay in {path}")
            return 0
        remove(path)
    print(f"ended; {path} is removed")
    return 0


def remove(path: Path) -> None:
    """All but the mark first: a removal that is cut short leaves what the next one recognises."""
    for entry in path.iterdir():
        if entry.name in (MARK, "lock"):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for name in (MARK, "lock"):
        (path / name).unlink(missing_ok=True)
    path.rmdir()


def found() -> tuple[Settings, int]:
    """The cloud that runs. Raises CloudError."""
    need_root()
    settings = load(directory())
    pid = namespaces.find(settings.directory)
    if pid is None:
        raise CloudError("the test cloud does not run: make cloud-up")
    return settings, pid


def enter(arguments: argparse.Namespace) -> int:
    """Become the command, in the cloud's network, with OS_CLIENT_CONFIG_FILE and OS_CLOUD set."""
    settings, pid = found()
    os.environ.setdefault("OS_CLIENT_CONFIG_FILE", str(settings.clouds))
    os.environ.setdefault("OS_CLOUD", "aware-test")
    # No proxy of the caller's can be reached from in there.
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"
    entering = namespaces.entering(pid, only_network=not arguments.all)
    if arguments.all:
        entering.insert(1, f"--wd={Path.cwd()}")
    sys.stdout.flush()
    os.execvp(entering[0], [*entering, *(arguments.command or ["bash"])])


def delegate(arguments: argparse.Namespace) -> int:
    """status and stop: done inside."""
    settings, pid = found()
    return inner(settings, pid, f"_{arguments.verb}", *getattr(arguments, "names", []))


def within(arguments: argparse.Namespace) -> int:
    """The inner half, in the namespaces."""
    from testcloud import inside

    settings = load(directory())
    if arguments.verb == "_up":
        inside.up(settings, arguments.lock, arguments.began)
    elif arguments.verb == "_stop":
        inside.stop(settings, arguments.names)
    else:
        return 0 if inside.status(settings) else 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="cloud", description="A real OpenStack for tests (docs/testing-cloud.md).")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="up|down|status|stop|enter")
    verbs.add_parser("up", help="bring it up; REAL=1 with real guests, FAKE=n fake hosts").set_defaults(do=up)
    ending = verbs.add_parser("down", help="end it; nothing is left")
    ending.add_argument("--keep", action="store_true", help="keep databases and images: the next up is faster")
    ending.add_argument("--force", action="store_true", help="even while commands run in its network")
    ending.set_defaults(do=down)
    verbs.add_parser("status", help="one line a service").set_defaults(do=delegate)
    stopping = verbs.add_parser("stop", help="end services; up starts them again")
    stopping.add_argument("names", nargs="+")
    stopping.set_defaults(do=delegate)
    entering = verbs.add_parser("enter", help="run a command in the cloud's network")
    entering.add_argument("--all", action="store_true", help="all namespaces: processes, mounts, host name as well")
    entering.add_argument("command", nargs=argparse.REMAINDER)
    entering.set_defaults(do=enter)
    inner_up = verbs.add_parser("_up")
    inner_up.add_argument("lock", type=int)
    inner_up.add_argument("began", type=float)
    inner_up.set_defaults(do=within)
    verbs.add_parser("_status").set_defaults(do=within)
    inner_stop = verbs.add_parser("_stop")
    inner_stop.add_argument("names", nargs="+")
    inner_stop.set_defaults(do=within)
    return top


def main() -> int:
    """Exit code: 0 done, 1 not done with a line that says why, else the command's own (enter)."""
    arguments = parser().parse_args()
    try:
        code: int = arguments.do(arguments)
    except CloudError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run it again to go on, or make cloud-down", file=sys.stderr)
        return 130
    return code
