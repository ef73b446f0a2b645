"""The log of a job on a terminal, until it ends: over breaks, and over any change of queen."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from aware_agent.cli.output import clean, say, warn
from aware_agent.cli.paths import at
from aware_agent.colony.decoding import json_to_show
from aware_agent.colony.errors import AwareError

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway

FOLLOW_DEADLINE_S = 60.0
_AGAIN_S = 0.2
_OPEN = ("queued", "running")


class JobFailed(AwareError):
    """The job that was waited for did not succeed."""

    code = "job-failed"
    exit_code = 26


def follow(client: Gateway, job_id: str, *, quiet: bool = False) -> dict[str, Any]:
    """Print what the job prints until it has ended; the job as it is then."""
    import httpx

    client.deadline_s = FOLLOW_DEADLINE_S
    start, path = 0, at("v1", "jobs", job_id)
    try:
        while True:
            try:
                params = {"follow": "true", "start": start}
                with client.stream(f"{path}/log", params, {"Accept": "text/event-stream"}) as response:
                    for kind, data in messages(response.iter_lines()):
                        if kind == "job.log":
                            start = int(data["after"])
                            if not quiet:
                                _print(str(data["text"]))
            except httpx.TransportError:
                warn("connection lost, looking for another member")
            job: dict[str, Any] = client.get(path).data
            if job["state"] not in _OPEN:
                return job
            time.sleep(_AGAIN_S)
    except KeyboardInterrupt:
        warn(f"the job goes on: aware job follow {job_id}, or aware job cancel {job_id}")
        raise typer.Exit(130) from None


def finish(job: dict[str, Any], *, quiet: bool = False) -> None:
    """Say how it ended. Raises :class:`JobFailed` unless it succeeded."""
    if job["state"] != "succeeded":
        raise JobFailed(f"job {job['id']} is {job['state']}: {job['message']}", hint=f"aware job show {job['id']}")
    if not quiet:
        say(f"job {job['id']} succeeded: {job['message']}")


def messages(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Type and data of server-sent events; one that was cut off is not given."""
    kind, data = "", ""
    for line in lines:
        name, _, value = line.partition(":")
        if name == "event":
            kind = value.strip()
        elif name == "data":
            data += value.removeprefix(" ")
        elif not line:
            if data:
                decoded = json_to_show(data)
                if isinstance(decoded, dict):
                    yield kind, decoded
            kind, data = "", ""


def _print(text: str) -> None:
    sys.stdout.write("".join(clean(line) + "\n" for line in text.splitlines()))
    sys.stdout.flush()
