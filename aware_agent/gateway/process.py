"""``aware-gateway``: the gateway of a council member as a process of its own.

Its agent starts it, hands it what it needs through a pipe, and is told over a Unix socket when requests are answered.
It faces the public, so it holds as little as it can: a listening socket, its certificates, the keys of tokens, and an
account at etcd. When the pipe ends, its agent is gone, and it ends too.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from aware_agent import __version__
from aware_agent.agent.logs import set_up_logs
from aware_agent.agent.member.frames import FrameBroken, read_frame
from aware_agent.agent.member.link import VERSION, Material, Start, ToGateway
from aware_agent.colony.decoding import UNDECODABLE, from_msgpack
from aware_agent.colony.errors import AwareError
from aware_agent.gateway.agent_link import AgentLink
from aware_agent.gateway.app import create_gateway
from aware_agent.gateway.audit_copy import AuditCopy
from aware_agent.gateway.audit_files import AuditFiles
from aware_agent.gateway.member import Member, credentials
from aware_agent.gateway.server import GatewayServer
from aware_agent.gateway.tracing import Tracer
from aware_agent.program import give_way, run_program
from aware_agent.store.client import EtcdClient
from aware_agent.utf8 import ensure_utf8

log = logging.getLogger(__name__)

START_S = 30.0
MIRROR_S = 5.0  # without etcd a gateway serves as well: it says what is wrong
ARCHIVE_AGAIN_S = 60.0
NICE = 5  # where processors are short, the agent and etcd come first: an election must not wait for readers
_PR_SET_PDEATHSIG = 1


class NotStartedByAgent(AwareError):
    """Somebody called the program by hand."""

    code = "not-started-by-agent"
    exit_code = 2


class MemoryPem:
    """Certificate and key as files that are on no disk: OpenSSL reads them from files only."""

    def __init__(self, material: Material) -> None:
        self._files = (os.memfd_create("gateway.crt"), os.memfd_create("gateway.key"))
        self.write(material)

    @property
    def paths(self) -> tuple[Path, Path]:
        """Where they can be read."""
        certificate, key = (Path(f"/proc/self/fd/{number}") for number in self._files)
        return certificate, key

    def write(self, material: Material) -> None:
        """Replace both."""
        for number, pem in zip(self._files, (material.tls_certificate, material.tls_key), strict=True):
            os.ftruncate(number, 0)
            os.pwrite(number, pem, 0)


async def serve(pipe: asyncio.StreamReader, start: Start) -> None:
    """Answer requests until SIGTERM, or until the agent is gone."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    link = AgentLink(Path(start.socket))
    await link.connect()
    async with EtcdClient(start.endpoints, credentials(start.material)) as client:
        member = Member(client, start, link)
        tracer = _tracer(start, link)
        app = create_gateway(member, start.gateway, tracer)
        pem = MemoryPem(start.material)
        listener = socket.socket(fileno=start.listener)
        server = GatewayServer(
            app, "", 0, pem.paths, node=start.node, listener=listener, settings=start.gateway, at_once=app.at_once
        )
        app.gateway.connections = server.limits.connections
        server.limits.connections.heard = app.gateway.signals.connection
        await server.start()

        async def follow() -> None:
            """New keys and certificates, until the agent is gone."""
            while (raw := await read_frame(pipe)) is not None:
                material = _decode(raw)
                if isinstance(material, Material):
                    pem.write(material)
                    server.reload_tls()
                    member.adopt(material)

        async def announce() -> None:
            """Requests were answered before, but the first ones slowly: an heir has nothing left to load."""
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(member.mirrored.wait(), MIRROR_S)
            await app.warm_up()
            link.tell_serving()
            await asyncio.Event().wait()

        signs = app.gateway.signals.report(member.commands, start.node)
        uses = app.gateway.authority.uses.report(member.commands)
        copy = app.gateway.audit_copy = _copy(start, member, link)
        audit = (_archive(copy, member, link), app.gateway.audit.run(link.note))
        traces = (tracer.queue.run(),) if tracer else ()
        parts = (member.run(), link.run(), follow(), announce(), signs, uses, *audit, *traces, stop.wait())
        duties = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(duties, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if not stop.is_set():
                log.info("the agent is gone: so is its gateway")
                return
            await app.close("this gateway stops")
            await server.stop()
        finally:
            for task in duties:
                task.cancel()
            await asyncio.gather(*duties, return_exceptions=True)
            link.close()


def _tracer(start: Start, link: AgentLink) -> Tracer | None:
    """What traces, where spans are to be exported: those of the agent too."""
    if not start.tracing.endpoint:
        return None
    tracer = Tracer(start.tracing, start.name, start.colony)
    link.spans = tracer.queue.put
    return tracer


def _copy(start: Start, member: Member, link: AgentLink) -> AuditCopy:
    files = AuditFiles(Path(start.audit_directory), start.audit.archive_mib << 20)
    return AuditCopy(member.projection, member.keys, files, link.tell_archived)


async def _archive(copy: AuditCopy, member: Member, link: AgentLink) -> None:
    """A fault in it must not end the gateway."""
    await member.mirrored.wait()
    while True:
        try:
            await copy.run()
        except ConnectionResetError:
            await link.lost.wait()
        except Exception:
            log.exception("the archive of the audit log broke")
        await asyncio.sleep(ARCHIVE_AGAIN_S)


async def main_loop() -> None:
    """Read what to do, then do it."""
    pipe = await _standard_input()
    try:
        async with asyncio.timeout(START_S):
            raw = await read_frame(pipe)
    except TimeoutError:
        raw = None
    start = _decode(raw or b"")
    if not isinstance(start, Start) or start.version != VERSION:
        raise NotStartedByAgent("the agent speaks another version", hint="was this node upgraded just now?")
    set_up_logs(start.name, start.log.level, start.log.format)
    await serve(pipe, start)


def _decode(raw: bytes) -> ToGateway:
    try:
        said: ToGateway = from_msgpack(raw, ToGateway)
    except UNDECODABLE as error:
        raise FrameBroken(f"the agent said nothing we know: {error}") from error
    return said


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    return reader


def die_with_parent() -> None:
    """Have the kernel end us with the agent, also when we hang."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> int:
    """Entry point of ``aware-gateway``."""
    ensure_utf8()
    return run_program(_work, name="aware-gateway")


def _work() -> int:
    if "--version" in sys.argv[1:]:
        print(f"aware-gateway {__version__}")  # noqa: T201
        return 0
    if len(sys.argv) > 1 or sys.stdin is None or os.isatty(sys.stdin.fileno()):
        raise NotStartedByAgent("aware-gateway is started by aware-agent, not by hand", hint="see docs/architecture.md")
    die_with_parent()
    give_way(NICE)
    from aware_agent.loop import new_loop

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main_loop())
    return 0


if __name__ == "__main__":
    sys.exit(main())
