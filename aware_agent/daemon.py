"""``aware-agent``: the composition root of one node.

Errors become one line on stderr and an exit code at its boundary (:mod:`aware_agent.program`) and nowhere else. What
only a newcomer, a worker or a council member needs is imported where one is made: a newcomer is a process of its own
that ends with the join, and has no use for a server and channels, and a worker has none for etcd.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from aware_agent import __version__, tracing
from aware_agent.agent.logs import set_up_logs
from aware_agent.agent.member.founding_live import announce_founding, founds, has_founding_key
from aware_agent.agent.notify import Herald, Notifier
from aware_agent.agent.settings import Settings, SettingsInvalid, load_settings
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.colony.errors import AwareError
from aware_agent.discovery.remembered import load_remembered
from aware_agent.program import failure_of, run_program
from aware_agent.security.files import read_secret
from aware_agent.utf8 import ensure_utf8

if TYPE_CHECKING:
    from aware_agent.agent.member.audit_post import AuditPost
    from aware_agent.agent.node import Node
    from aware_agent.agent.parts import Server
    from aware_agent.agent.worker import Worker
    from aware_agent.channel.frames import AuditNotes
    from aware_agent.queen.reigns import Reigns

log = logging.getLogger(__name__)

ORIGIN = "AWARE_ORIGIN"  # tells the process that lives how the one that joined found the colony


async def live(settings: Settings) -> str:
    """Join if need be and return how the colony was found; else live as a member until SIGTERM or SIGINT.

    The process that joined is not the one that lives: joining loads what a running worker never needs again. Nor is
    the one that the queen had restarted: it returns how the colony was found, too, for the next one to tell.
    Raises AwareError.
    """
    state_dir = StateDir(Path(settings.state_dir))
    state_dir.prepare()
    with state_dir.hold():
        state = state_dir.load()
        if state is None or founds(settings, state):
            return await _enter(settings, state_dir)
        if state.membership.colony != settings.colony:
            raise SettingsInvalid(
                f"{settings.state_dir} is of colony {state.membership.colony!r}, the settings name {settings.colony!r}",
                hint="correct the settings, or use another state directory",
            )
        state_dir.ensure_identity(settings.name, now=0)
        origin = os.environ.get(ORIGIN, "known")
        known = (*settings.discovery.seeds, *load_remembered(state_dir.peers_path))
        if state.membership.whole:
            restarting = await _live_as_member(settings, state_dir, state, known, origin)
        else:
            restarting = await _live_as_worker(settings, state_dir, state, known, origin)
    return origin if restarting else ""


async def _live_as_worker(
    settings: Settings, state_dir: StateDir, state: NodeState, known: tuple[str, ...], origin: str
) -> bool:
    """Live without etcd, whose client is not even loaded. Returns whether to start again."""
    from aware_agent.agent.renewal import revive
    from aware_agent.agent.worker import Worker
    from aware_agent.gateway.server import GatewayServer
    from aware_agent.gateway.worker import WorkerApp

    state = await revive(state_dir, state, settings.address, known, settings.store.startup_timeout_s)
    node = Worker(settings, state_dir, state, origin)
    tls = (state_dir.certificate_path, state_dir.key_path)
    server = GatewayServer(
        WorkerApp(node, settings.gateway),
        settings.gateway.bind,
        settings.gateway.port,
        tls,
        node=node.me,
        settings=settings.gateway,
    )

    def no_tokens(_token_id: str, /) -> bytes | None:
        return None

    herald = Herald(node)
    _stop_by_signal(herald, node)
    async with herald:
        await node.run(server, no_tokens)
    log.info("%s stopped", node.name)
    return node.restarting


async def _live_as_member(
    settings: Settings, state_dir: StateDir, state: NodeState, known: tuple[str, ...], origin: str
) -> bool:
    """Live as one that may sit in the council. Returns whether to start again."""
    from aware_agent.agent.member.etcd_access import etcd_credentials
    from aware_agent.agent.member.seat import open_seat
    from aware_agent.agent.node import Node
    from aware_agent.agent.renewal import revive
    from aware_agent.store.client import EtcdClient

    async with open_seat(settings, state_dir, state) as seat:
        state = await revive(state_dir, state, settings.address, known, settings.store.startup_timeout_s)
        credentials = etcd_credentials(state)
        endpoints = settings.store.endpoints or state.membership.etcd
        async with EtcdClient(endpoints, credentials) as client:
            node = Node(settings, state_dir, state, client, origin, seat=seat)
            await _live(node, state_dir)
    return node.restarting


def _stop_by_signal(herald: Herald, node: Node | Worker) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        herald.stopping()
        node.stop()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)


async def _live(node: Node, state_dir: StateDir) -> None:
    from aware_agent.queen.vacancy import Vacancy

    role, server, post = _member(node, state_dir)
    herald = Herald(node)
    _stop_by_signal(herald, node)
    beside = (
        asyncio.create_task(announce_founding(node.settings, node.me, node.known_nodes)),
        asyncio.create_task(Vacancy(node, role.reader).run()),
        asyncio.create_task(post.run()),
    )
    try:
        async with herald:
            await node.run(role, server, role.seek_key)
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await role.close()
    log.info("%s stopped", node.name)


def _member(node: Node, state_dir: StateDir) -> tuple[Reigns, Server, AuditPost]:
    """A council member has a gateway beside it, and may reign."""
    from aware_agent.agent.member.audit_post import AuditPost
    from aware_agent.agent.member.gateway_link import GatewayLink
    from aware_agent.agent.member.gateway_process import GatewayProcess
    from aware_agent.agent.member.gateway_start import GatewayStart
    from aware_agent.listening import listen
    from aware_agent.queen.reigns import Reigns

    reigns = Reigns(node)
    told = GatewayStart(node, state_dir)
    link = GatewayLink(told.socket, told.facts, node.explain, reigns.execute)
    tracing.send_to("aware-agent", link.show_spans)
    if node.loads is not None:
        node.loads.tell = link.show_loads
    gateway = node.settings.gateway

    def send(notes: AuditNotes) -> bool:
        here = reigns.note(node.id, notes.notes, lambda: post.taken(notes.number))
        return here or node.channels.note(notes)

    def archived(line: int) -> None:
        reigns.archived = line

    post = AuditPost(node.id, send)
    node.channels.taken, link.noted, link.archived = post.taken, post.add, archived
    server = GatewayProcess(link, lambda: listen(gateway.bind, gateway.port, "gateway"), told)
    return reigns, server, post


async def _enter(settings: Settings, state_dir: StateDir) -> str:
    """Found the colony with others, or join it. Returns how it was found."""
    if not settings.founding_key_file or (settings.token_file and not has_founding_key(settings)):
        return await _join(settings, state_dir, _token_text(settings))
    from aware_agent.agent.member.founding_run import found_or_join

    Notifier().send(STATUS=f"founding colony {settings.colony}, or joining it")
    return await found_or_join(settings, state_dir, lambda token: _join(settings, state_dir, str(token)))


async def _join(settings: Settings, state_dir: StateDir, token_text: str) -> str:
    from aware_agent.agent.join import Newcomer, join
    from aware_agent.discovery.seek import Found, SeekSettings, search
    from aware_agent.security.joining import NameTaken
    from aware_agent.security.token import parse_token

    Notifier().send(STATUS=f"looking for colony {settings.colony} to join it")
    token = parse_token(token_text)
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

    newcomer = Newcomer(
        settings.colony,
        settings.name,
        settings.address,
        settings.url,
    )
    deadline_s = settings.discovery.find_timeout_s
    try:
        joined = await join(newcomer, state_dir, token, ways, deadline_s=deadline_s)
    except NameTaken as error:
        if not settings.spare_name:
            raise
        log.warning("%s; this node's was guessed, it joins as %s", error.message, settings.spare_name)
        newcomer = newcomer._replace(name=settings.spare_name)
        joined = await join(newcomer, state_dir, token, ways, deadline_s=deadline_s)
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
            hint="set token_file, or AWARE_TOKEN in the environment; or founding_key_file, to found a colony",
        )
    return text


def _check_way_in(settings: Settings) -> None:
    """Judge the founding key or token as a run would. One that is not there yet may still come: only a run refuses."""
    from aware_agent.security.founding_key import read_founding_key
    from aware_agent.security.token import parse_token

    if has_founding_key(settings):
        read_founding_key(Path(settings.founding_key_file), settings.colony)
    elif settings.token_file and os.path.exists(settings.token_file):
        parse_token(_token_text(settings))


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``aware-agent``; without ``argv`` it has the process to itself."""
    if argv is None:
        ensure_utf8()
    return run_program(functools.partial(_work, argv), name="aware-agent")


def _work(argv: list[str] | None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        return _command(arguments)
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt):
            Notifier().send(STATUS=f"error: {failure_of(error).message}")
        raise


def _command(arguments: argparse.Namespace) -> int:
    if not arguments.config:
        raise SettingsInvalid("--config names no file", hint="name the settings file")
    settings = load_settings(Path(arguments.config), os.environ)
    if arguments.command == "rejoin":
        return _rejoin(settings, removed=arguments.removed)
    if arguments.command == "check":
        if StateDir(Path(settings.state_dir)).load() is None:
            _check_way_in(settings)
        print(f"{arguments.config} is fine: node {settings.name} of colony {settings.colony}")  # noqa: T201
        return 0
    set_up_logs(settings.name, settings.log.level, settings.log.format)
    _run(settings)
    return 0


def _rejoin(settings: Settings, *, removed: bool) -> int:
    state_dir = StateDir(Path(settings.state_dir))
    state_dir.prepare()
    with state_dir.hold():
        if removed and state_dir.membership_path.exists():
            state_dir.mark_removed()
        forgot = state_dir.forget_membership()
    sentence = "joins again at its next start, with the token it is given" if forgot else "has not joined yet"
    print(f"{settings.name} {sentence}")  # noqa: T201
    return 0


def _run(settings: Settings) -> None:
    from aware_agent.loop import new_loop

    # A newcomer asks a few questions and ends: the loop that Python has will do, and need not be loaded.
    comes = not StateDir(Path(settings.state_dir)).membership_path.exists() and not has_founding_key(settings)
    try:
        with asyncio.Runner(loop_factory=None if comes else new_loop) as runner:
            origin = runner.run(live(settings))
    except AwareError as error:
        from aware_agent.agent.parts import Removed

        if error.exit_code == Removed.exit_code:  # the colony denies this key from now on: see _rejoin
            StateDir(Path(settings.state_dir)).mark_removed()
        raise
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
        (
            "rejoin",
            "make the next start join again, as the same node or, if it was removed, as a new one; stop it first",
        ),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--config", required=True, metavar="FILE", help="settings file (TOML)")
    # The last of them.
    command.add_argument(
        "--removed", action="store_true", help="it was removed while it was off, so that it does not know"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
