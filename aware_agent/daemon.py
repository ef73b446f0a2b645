"""``aware-agent``: the composition root of one node.

Errors become one line on stderr and an exit code here and nowhere else. What only a queen needs is imported when
this node becomes heir, so that a worker stays small.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from aware_agent import __version__
from aware_agent.agent.logs import set_up_logs
from aware_agent.agent.node import Node
from aware_agent.agent.notify import Herald, Notifier
from aware_agent.agent.renewal import revive
from aware_agent.agent.settings import Settings, SettingsInvalid, load_settings
from aware_agent.agent.state import StateDir
from aware_agent.colony.errors import AwareError
from aware_agent.discovery.remembered import load_remembered
from aware_agent.gateway.server import GatewayServer
from aware_agent.gateway.switch import GatewaySwitch
from aware_agent.gateway.worker import Public, WorkerApp
from aware_agent.security.files import read_secret
from aware_agent.store.client import EtcdClient
from aware_agent.store.lines import Credentials

if TYPE_CHECKING:
    from aware_agent.gateway.app import QueenApp
    from aware_agent.queen.court import Court, QueenContext

log = logging.getLogger(__name__)

ORIGIN = "AWARE_ORIGIN"  # tells the process that lives how the one that joined found the colony


class LateCourt:
    """Stands for the court until this node may reign; then loads it and passes everything on."""

    def __init__(self, node: Node, switch: GatewaySwitch, public: Public) -> None:
        self._node = node
        self._switch = switch
        self._public = public
        self._court: Court | None = None

    def prepare(self) -> None:
        """Mirror the colony and load the queen's packages."""
        self._load().prepare()
        # Importing takes a few hundred milliseconds; in a thread the loop keeps answering between bytecodes.
        threading.Thread(target=_load_queens_packages, name="load-queen", daemon=True).start()

    def begin(self, term: int) -> None:
        """Start a reign."""
        self._load().begin(term)

    def end(self, term: int, reason: str) -> None:
        """End a reign."""
        self._load().end(term, reason)

    def seek_key(self, token_id: str, /) -> bytes | None:
        """Beacon key of a join token, while reigning."""
        return self._court.seek_key(token_id) if self._court else None

    async def close(self) -> None:
        """Wind up."""
        if self._court:
            await self._court.close()

    def _load(self) -> Court:
        if self._court is None:
            from aware_agent.queen.court import Court

            self._court = Court(self._node, self._switch, self._make_app)
        return self._court

    def _make_app(self, context: QueenContext) -> QueenApp:
        from aware_agent.gateway.app import create_queen_app

        return create_queen_app(context, self._public)


def _load_queens_packages() -> None:
    import cryptography.hazmat.primitives.ciphers.aead
    import cryptography.x509  # noqa: F401

    import aware_agent.gateway.app  # noqa: F401


async def live(settings: Settings) -> str:
    """Join if need be and return how the colony was found; else live as a member until SIGTERM or SIGINT.

    The process that joined is not the one that lives: joining loads what a running worker never needs again.
    Raises AwareError.
    """
    state_dir = StateDir(Path(settings.state_dir))
    state_dir.prepare()
    with state_dir.hold():
        state = state_dir.load()
        if state is None:
            return await _join(settings, state_dir)
        if state.membership.colony != settings.colony:
            raise SettingsInvalid(
                f"{settings.state_dir} is of colony {state.membership.colony!r}, the settings name {settings.colony!r}",
                hint="correct the settings, or use another state directory",
            )
        state_dir.ensure_identity(settings.name, now=0)
        origin = os.environ.get(ORIGIN, "known")
        known = (*settings.discovery.seeds, *load_remembered(state_dir.peers_path))
        state = await revive(state_dir, state, settings.address, known, settings.store.startup_timeout_s)
        credentials = Credentials(ca=state.ca, cert=state.certificate, key=state.key)
        endpoints = settings.store.endpoints or state.membership.etcd
        async with EtcdClient(endpoints, credentials) as client:
            await _live(Node(settings, state_dir, state, client, origin), state_dir)
    return ""


async def _live(node: Node, state_dir: StateDir) -> None:
    worker = WorkerApp(node)
    switch = GatewaySwitch(worker)
    tls = (state_dir.certificate_path, state_dir.key_path)
    server = GatewayServer(switch, node.settings.gateway.bind, node.settings.gateway.port, tls)
    court = LateCourt(node, switch, worker.public)
    herald = Herald(node)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        herald.stopping()
        node.stop()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    try:
        async with herald:
            await node.run(court, server, court.seek_key)
    finally:
        await court.close()
    log.info("%s stopped", node.name)


async def _join(settings: Settings, state_dir: StateDir) -> str:
    from aware_agent.agent.join import Newcomer, join
    from aware_agent.discovery.seek import Found, SeekSettings, search
    from aware_agent.security.token import parse_token

    Notifier().send(STATUS=f"looking for colony {settings.colony} to join it")
    token = parse_token(_token_text(settings))
    identity = state_dir.ensure_identity(settings.name, now=_now())
    wish = SeekSettings(
        node_id=identity.id,
        name=settings.name,
        address=settings.address,
        port=settings.discovery.port,
        broadcast=settings.discovery.broadcast,
        interfaces=settings.discovery.interfaces,
    )

    def ways() -> AsyncIterator[Found]:
        remembered = load_remembered(state_dir.peers_path)
        return search(settings.colony, token, wish, seeds=settings.discovery.seeds, remembered=remembered)

    newcomer = Newcomer(settings.colony, settings.name, settings.address, settings.url, settings.candidate)
    joined = await join(newcomer, state_dir, token, ways, deadline_s=settings.discovery.find_timeout_s)
    log.info("joined colony %s", settings.colony, extra={"fields": {"origin": joined.origin}})
    return joined.origin


def _now() -> float:
    import time

    return time.time()


def _token_text(settings: Settings) -> str:
    """The join token, from the file the settings name or from ``AWARE_TOKEN``."""
    if settings.token_file:
        raw = read_secret(Path(settings.token_file))
        if raw is None:
            raise SettingsInvalid(f"there is no token file {settings.token_file}")
        return raw.decode(errors="replace")
    text = os.environ.get("AWARE_TOKEN", "")
    if not text:
        raise SettingsInvalid(
            "this node has not joined yet and has no join token",
            hint="set token_file, or AWARE_TOKEN in the environment",
        )
    return text


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``aware-agent``."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load_settings(Path(arguments.config), os.environ)
        if arguments.command == "rejoin":
            return _rejoin(settings)
        if arguments.command == "check":
            StateDir(Path(settings.state_dir)).load()
            print(f"{arguments.config} is fine: node {settings.name} of colony {settings.colony}")  # noqa: T201
            return 0
        set_up_logs(settings.name, settings.log.level, settings.log.format)
        _run(settings)
    except AwareError as error:
        if os.environ.get("AWARE_DEBUG"):
            raise
        Notifier().send(STATUS=f"error: {error}")
        sys.stderr.write(f"aware-agent: error: {error}\n")
        return error.exit_code
    return 0


def _rejoin(settings: Settings) -> int:
    state_dir = StateDir(Path(settings.state_dir))
    state_dir.prepare()
    with state_dir.hold():
        forgot = state_dir.forget_membership()
    sentence = "joins again at its next start, with the token it is given" if forgot else "has not joined yet"
    print(f"{settings.name} {sentence}")  # noqa: T201
    return 0


def _run(settings: Settings) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        origin = runner.run(live(settings))
    if origin:
        command = [sys.executable, "-m", "aware_agent.daemon", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, ORIGIN: origin})  # noqa: S606 - ourselves again


@functools.cache
def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aware-agent", description="One node of an AWARE colony.")
    parser.add_argument("--version", action="version", version=f"aware-agent {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("run", "join the colony if need be and live in it"),
        ("check", "check settings and state, then exit"),
        ("rejoin", "make the next start join again with a token, as the same node; the agent must not run"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--config", required=True, metavar="FILE", help="settings file (TOML)")
    return parser


def exit_codes() -> Iterable[tuple[int, str]]:
    """Exit codes and what they mean, for documentation and service managers."""
    return (
        (0, "stopped cleanly"),
        (2, "wrong usage or input"),
        (10, "settings cannot be used"),
        (11, "state directory is damaged"),
        (12, "join token refused"),
        (13, "the colony found is not the one the token names"),
        (14, "no colony found"),
        (15, "etcd unreachable, refused or unsupported"),
        (16, "clock differs too much"),
        (17, "port in use"),
        (18, "disk full"),
        (19, "node name taken"),
        (20, "removed from the colony"),
        (21, "certificate ran out and no queen renewed it"),
        (70, "a bug"),
    )


if __name__ == "__main__":
    sys.exit(main())
