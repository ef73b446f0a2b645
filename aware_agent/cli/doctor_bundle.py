"""The archive ``aware doctor --bundle`` writes for support: what was found, and what the colony and the host say.

What goes in is named one by one; files with keys, tokens or passwords are never among it. All of it passes a
:class:`Redactor` that also knows every secret this machine holds, for what a log line or a variable may have let slip.
"""

from __future__ import annotations

import io
import platform
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from aware_agent import __version__
from aware_agent.agent.diagnostics import list_files, told_settings
from aware_agent.agent.host import host_facts
from aware_agent.agent.settings import Settings, load_settings
from aware_agent.cli.context import Context
from aware_agent.cli.doctor_look import fetch_text
from aware_agent.cli.doctor_run import bounded
from aware_agent.cli.doctor_secrets import known_secrets
from aware_agent.cli.files import write_new
from aware_agent.colony.errors import AwareError
from aware_agent.colony.finding import Finding
from aware_agent.colony.urls import origin
from aware_agent.security.redact import REMOVED, Redactor

MOST_EVENTS = 1000
MOST_MEMBERS = 16
MOST_LOG = 512 * 1024  # bytes of the end of each log
UNIT = "aware-agent"
_SOURCE_S = 60.0
_SAFE = re.compile(r"[^A-Za-z0-9._-]+")
Parts = Iterator[tuple[str, Any]]
_README = f"""An AWARE support bundle.

report.json    findings of aware doctor
host/          this machine: versions; of an agent's host also its settings, names of its files and the ends of its logs
colony/        what the gateway says: cluster, nodes, council, spec, events
members/       what every council member says of itself
nodes/         what every node says of itself, with --ask-nodes

Secrets were left out or replaced by {REMOVED}: tokens, passwords, keys, variables of nodes. Names of hosts, users and
castes, addresses and labels are in it: read it before you send it, and send it only to whom you trust with those.
"""


def write_bundle(
    path: Path,
    findings: list[Finding],
    context: Context | None,
    config: Path | None,
    nodes: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write the archive (tar, gzip), for its owner alone. ``nodes``: what nodes told of themselves, by name.

    Raises Conflict, FileTrouble.
    """
    redactor = Redactor(known_secrets(context, config))
    name = f"aware-support-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    sources: dict[str, Callable[[], list[tuple[str, Any]]]] = {"host": lambda: list(_host(context, config))}
    if context is not None:
        sources["colony"] = lambda: list(_colony(context))
    told = bounded({key: _safely(key, source) for key, source in sources.items()}, dict.fromkeys(sources, _SOURCE_S))
    parts = [("README.txt", _README), ("report.json", {"version": __version__, "findings": findings})]
    for key in sources:
        parts += told.get(key, [(f"{key}/trouble.txt", f"it took longer than {_SOURCE_S:g} s\n")])
    parts += [(f"nodes/{_file(one)}.json", answer) for one, answer in nodes.items()]
    write_new(path, _archive(name, parts, redactor), mode=0o600)


def _safely(key: str, source: Callable[[], list[tuple[str, Any]]]) -> Callable[[], list[tuple[str, Any]]]:
    def collect() -> list[tuple[str, Any]]:
        try:
            return source()
        except AwareError as error:
            return [(f"{key}/trouble.txt", f"{error}\n")]
        except Exception as error:  # half a bundle is better than none
            return [(f"{key}/trouble.txt", f"{type(error).__name__}: {error}\n")]

    return collect


def _archive(name: str, parts: list[tuple[str, Any]], redactor: Redactor) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for place, content in parts:
            raw = _redacted(content, redactor).encode(errors="replace")
            info = tarfile.TarInfo(f"{name}/{redactor.text(place)}")
            info.size, info.mtime, info.mode = len(raw), int(time.time()), 0o600
            archive.addfile(info, io.BytesIO(raw))
    return buffer.getvalue()


def _redacted(content: Any, redactor: Redactor) -> str:
    if isinstance(content, str):
        return redactor.text(content)
    document = msgspec.json.encode(redactor.document(msgspec.to_builtins(content)))
    return redactor.known(msgspec.json.format(document, indent=2).decode()) + "\n"


# This machine ----------------------------------------------------------------------------------------------------


def _host(context: Context | None, config: Path | None) -> Parts:
    yield (
        "host/versions.json",
        {
            "aware": __version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()}",
            "machine": platform.machine(),
            "packages": _packages(),
        },
    )
    if context is not None:
        yield "host/context.json", {"colony": context.colony, "endpoints": context.endpoints, "file": str(context.path)}
    if config is None:
        return
    settings = load_settings(config, {})
    directory = Path(settings.state_dir)
    yield (
        "host/agent.json",
        {
            "settings": {**told_settings(settings), **_more(settings)},
            "host": host_facts(settings.colony, settings.address, settings.state_dir),
            "files": list_files(directory),
        },
    )
    yield "host/journal.txt", _journal()
    for name, file in (("agent.log", config.parent / "agent.log"), ("etcd.log", directory / "etcd" / "etcd.log")):
        if file.is_file():
            yield f"host/{name}", _tail(file)


def _more(settings: Settings) -> dict[str, Any]:
    """Sections without secrets that the node itself does not tell."""
    return {name: msgspec.to_builtins(getattr(settings, name)) for name in ("discovery", "council", "store", "quota")}


def _packages() -> dict[str, str]:
    from importlib import metadata

    found = {}
    for name in ("aetcd", "grpcio", "protobuf", "msgspec", "uvloop", "uvicorn", "cryptography", "websockets", "fastapi",
                 "httpx", "typer", "rich", "ansible-core", "openstacksdk"):  # fmt: skip
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _journal() -> str:
    """The end of the unit's journal, or why there is none."""
    program = shutil.which("journalctl")
    if program is None:
        return "this host has no journalctl\n"
    command = [program, "--no-pager", "--output=short-iso", "--lines=2000", f"--unit={UNIT}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"journalctl did not answer: {error}\n"
    return (done.stdout or done.stderr)[-MOST_LOG:].decode(errors="replace")


def _tail(file: Path) -> str:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - MOST_LOG))
        return stream.read(MOST_LOG).decode(errors="replace")


# The colony ------------------------------------------------------------------------------------------------------


def _colony(context: Context) -> Parts:
    from aware_agent.cli.client import Gateway
    from aware_agent.cli.events import history

    with Gateway(context, deadline_s=6.0) as client:
        nodes: dict[str, Any] = client.get("/v1/nodes").data
        found = [node for node in nodes["nodes"] if isinstance(node, dict)]
        yield "colony/nodes.json", [_without_variables(node) for node in found]
        for name, read in (
            ("cluster", lambda: client.get("/v1/cluster").data),
            ("council", lambda: client.get("/v1/council/members").data),
            ("spec", lambda: client.get("/v1/spec").data),
            ("rotation", lambda: client.get("/v1/rotation").data),
            ("events", lambda: [_without_values(event) for event in history(client, 0, {})[1][-MOST_EVENTS:]]),
        ):
            yield f"colony/{name}.json", _or_trouble(read)
        yield from _members(client, context, found)


def _members(client: Any, context: Context, nodes: list[dict[str, Any]]) -> Parts:
    """What every council member says of itself: readiness, election, metrics."""
    from aware_agent.cli.verified import Verifier

    tls = Verifier(context).stranger()
    members = [node for node in nodes if node.get("eligible") and origin(str(node.get("url") or ""))][:MOST_MEMBERS]
    for node in members:
        url, name = origin(str(node["url"])) or "", _file(str(node["name"]))
        yield f"members/{name}/readyz.json", _or_trouble(lambda: client.ask(url, "/readyz", anyhow=True))  # noqa: B023 - at once
        yield f"members/{name}/election.json", _or_trouble(lambda: client.ask(url, "/v1/election"))  # noqa: B023
        try:
            yield f"members/{name}/metrics.txt", fetch_text(url, "/metrics", tls)
        except Exception as error:
            yield f"members/{name}/metrics.txt", f"{type(error).__name__}: {error}\n"


def _or_trouble(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except AwareError as error:
        return {"trouble": str(error)}


def _without_variables(node: Mapping[str, Any]) -> dict[str, Any]:
    """Variables of a node are its owner's, and may be passwords: only their names are told."""
    variables = node.get("vars")
    return {**node, "vars": sorted(variables) if isinstance(variables, dict) else []}


def _without_values(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what users wrote into variables of nodes and parameters of jobs: what changed stays."""
    payload = event.get("payload")
    if not isinstance(payload, dict):
        return event
    told = {key: value for key, value in payload.items() if key != "parameters"}
    if str(event.get("type")).startswith("config.") and isinstance(told.get("changes"), list):
        told["changes"] = [{"path": one.get("path")} for one in told["changes"] if isinstance(one, dict)]
    return {**event, "payload": told}


def _file(name: str) -> str:
    return _SAFE.sub("_", name)[:80].strip(".") or "_"
