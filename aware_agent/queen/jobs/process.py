"""The process of one job: ``python -m aware_agent.queen.jobs.process``, started by the reigning agent.

It gives up its rights, asks the gateway for the inventory, runs ansible-runner, tells how far it is, and ends when it
is done, cancelled, too late or left alone; see :mod:`aware_agent.queen.jobs.protocol`. Nothing of the job stays on
disk.

Ansible's workers lead sessions of their own, so the signal that ends a playbook does not reach them. This process
adopts them (prctl(2), PR_SET_CHILD_SUBREAPER) and ends before none of them does.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import shutil
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from aware_agent import tracing
from aware_agent.agent.member.confine import confine
from aware_agent.colony.decoding import from_json
from aware_agent.colony.errors import AwareError, one_line
from aware_agent.colony.jobs import JobState
from aware_agent.colony.trace import Span, SpanKind, parse
from aware_agent.program import give_way
from aware_agent.queen.jobs.descendants import end_descendants
from aware_agent.queen.jobs.hosts import unsafe
from aware_agent.queen.jobs.inventory import fetch_inventory
from aware_agent.queen.jobs.play import Play
from aware_agent.queen.jobs.protocol import CANCEL, SILENCE_S, Ended, RunOrder, Told
from aware_agent.security.colony_secret import NamedSecret, TextSecret, to_mask
from aware_agent.security.files import PUBLIC_MODE, write_atomic
from aware_agent.security.masking import Masker

TELL_S = 1.0
GONE_S = 5.0  # killed processes get so long to disappear
_NICE = 10
_PR_SET_CHILD_SUBREAPER = 36
CLOUDS = "clouds.yaml"  # in the job's directory: credentials of the clouds that its operation uses


class Leash:
    """What the agent says, and the clock: why the playbook has to end, if it has to."""

    def __init__(self, time_limit_s: float) -> None:
        self._end = time.monotonic() + time_limit_s
        self._heard = time.monotonic()
        self.reason = ""  # "cancelled" or "alone"

    def pulled(self) -> str:
        """Asked by ansible-runner again and again: anything but "" ends the playbook."""
        if not self.reason and time.monotonic() >= self._end:
            self.reason = "time-limit"
        return self.reason

    def hold(self) -> None:
        """Listen to standard input for good."""
        while not self.reason:
            ready, _, _ = select.select([0], [], [], SILENCE_S / 4)
            said = os.read(0, 64) if ready else b"."
            if not said or time.monotonic() - self._heard > SILENCE_S:
                self.reason = "alone"
            elif CANCEL in said:
                self.reason = "cancelled"
            if ready:
                self._heard = time.monotonic()


def main() -> int:
    """Do what the first line of standard input says; the exit code says nothing, the answer does."""
    give_way(_NICE)
    order = from_json(_first_line(), RunOrder)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    of_colony = (text for one in order.used for text in to_mask(one.value))
    mask = Masker((*order.secrets, order.token, *of_colony))
    spans: list[Span] = []
    tracing.send_to("aware-job", spans.extend)
    leash = Leash(order.time_limit_s)
    threading.Thread(target=leash.hold, daemon=True).start()
    directory = Path(order.directory)
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX)  # as long as it is held, nobody clears the directory away
    try:
        # Other jobs run as the same user, with secrets that are not this one's.
        hidden = [*(Path(path) for path in order.hidden), directory.parent]
        with tracing.record(parse(order.trace), "job process", SpanKind.INTERNAL, {"aware.job": order.job}) as span:
            with tracing.span("confine"):
                confine(order.user, directory, hidden, order.memory_bytes)
            ended = _run(order, directory, leash, mask)
            span.error = ended.reason
    except AwareError as error:
        ended = Ended(state=JobState.FAILED, reason=error.code, message=str(error))
    except OSError as error:
        ended = Ended(state=JobState.FAILED, reason="cannot-run", message=f"{error.strerror or error}")
    except Exception as error:
        ended = Ended(state=JobState.FAILED, reason="cannot-run", message=f"{type(error).__name__}: {error}")
    finally:
        end_descendants(GONE_S)
        _empty(directory)
    _tell(msgspec.structs.replace(ended, message=one_line(mask(ended.message)), spans=tuple(spans)))
    return 0


def _run(order: RunOrder, directory: Path, leash: Leash, mask: Masker) -> Ended:
    hosts = fetch_inventory(order, leash)
    if not hosts.names:
        return Ended(state=JobState.FAILED, reason="no-hosts", message=f"no host is left to work on: {hosts.why}")
    _furnish(directory, order, hosts.document)
    play = Play(len(hosts.names), order.log_bytes, mask)
    telling = threading.Event()
    teller = threading.Thread(target=_keep_telling, args=(play, telling))
    teller.start()
    try:
        with tracing.span("playbook", SpanKind.INTERNAL, {"aware.hosts": len(hosts.names)}):
            status, code = _play(directory, order, play, leash)
        end_descendants(GONE_S)
    finally:
        telling.set()
        teller.join()
    if (said := play.said(last=True)) is not None:
        _tell(said)
    ended = play.outcome(status, code)
    if leash.reason == "time-limit":
        limit = f"it took longer than {order.time_limit_s:g} s"
        return Ended(state=JobState.TIMED_OUT, reason="time-limit", message=limit)
    if leash.reason and ended.state is not JobState.SUCCEEDED:
        return Ended(state=JobState.CANCELLED, reason="cancelled", message="")
    return ended


def _play(directory: Path, order: RunOrder, play: Play, leash: Leash) -> tuple[str, int]:
    """ansible-runner, which calls ansible-playbook; its status and exit code."""
    from ansible_runner.interface import run

    settings = {
        "pexpect_timeout": 1,  # how often it looks whether to go on
        "suppress_ansible_output": True,
        "suppress_output_file": True,
        "suppress_env_files": True,
    }
    done: Any = run(
        private_data_dir=str(directory),
        project_dir=str(directory / "project"),
        playbook=order.playbook,
        settings=settings,
        envvars=environment(directory, order),
        quiet=True,
        event_handler=play.take,
        cancel_callback=lambda: bool(leash.pulled()),
    )
    return str(done.status), int(done.rc or 0)


def _furnish(directory: Path, order: RunOrder, inventory: dict[str, Any]) -> None:
    """The directory as ansible-runner wants it."""
    for name in ("project", "inventory", "env", "tmp"):
        (directory / name).mkdir(mode=0o700)
    write_atomic(directory / "ca.crt", order.ca.encode(), PUBLIC_MODE)
    write_atomic(directory / "project" / "ansible.cfg", _CONFIG)
    write_atomic(directory / "inventory" / "hosts.json", msgspec.json.encode(inventory))
    told = {
        "aware_job": order.job,
        "aware_term": order.term,
        "aware_attempt": order.attempt,
        "aware_ca": str(directory / "ca.crt"),
        "aware_secrets": _lay_out(directory, order.used),
    }
    # In a file: on a command line every user of the machine could read it.
    write_atomic(directory / "env" / "extravars", msgspec.json.encode({**unsafe(order.parameters), **unsafe(told)}))


def _lay_out(directory: Path, used: tuple[NamedSecret, ...]) -> dict[str, str]:
    """Write the colony's secrets for this process alone; paths of the texts by name. Clouds are in one file of all."""
    place = directory / "secrets"
    place.mkdir(mode=0o700)
    texts, clouds = {}, {}
    for name, value in ((one.name, one.value) for one in used):
        if isinstance(value, TextSecret):
            texts[name] = str(place / name)
            write_atomic(place / name, value.text.encode())
            continue
        clouds[name] = {**value.cloud, "verify": True}
        if value.ca:
            clouds[name]["cacert"] = str(place / f"{name}.ca.crt")
            write_atomic(place / f"{name}.ca.crt", value.ca.encode())
    write_atomic(directory / CLOUDS, msgspec.json.encode({"clouds": clouds}))  # JSON is YAML
    return texts


_CONFIG = b"""[defaults]
retry_files_enabled = False
nocows = True
interpreter_python = auto_silent
"""


def environment(directory: Path, order: RunOrder) -> dict[str, str]:
    """What ansible-playbook gets beside what this process has, which is little: see the agent's end."""
    return {
        "HOME": str(directory),
        "TMPDIR": str(directory / "tmp"),
        "ANSIBLE_CONFIG": str(directory / "project" / "ansible.cfg"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
        # ~ would be the home of the password file, on this host not ours; the shell of each host knows its $HOME.
        "ANSIBLE_REMOTE_TMP": "$HOME/.ansible/tmp",
        "ANSIBLE_NOCOLOR": "1",
        "AWARE_JOB": order.job,
        "OS_CLIENT_CONFIG_FILE": str(directory / CLOUDS),
        # For callbacks that trace, as community.general.opentelemetry does.
        **({"TRACEPARENT": tracing.traceparent()} if order.trace else {}),
    }


def _empty(directory: Path) -> None:
    """Nothing of the job stays, although the directory itself is not ours to remove."""
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _keep_telling(play: Play, over: threading.Event) -> None:
    while not over.wait(TELL_S):
        if (said := play.said()) is not None:
            _tell(said)


def _tell(told: Told) -> None:
    with suppress(OSError):  # nobody listens any more
        raw = msgspec.json.encode(told) + b"\n"
        while raw:
            raw = raw[os.write(1, raw) :]


def _first_line() -> bytes:
    """Byte by byte: what comes after it is not for a buffer."""
    line = bytearray()
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return bytes(line)


if __name__ == "__main__":
    sys.exit(main())
