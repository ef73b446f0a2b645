"""A real colony on loopback, for benchmarks and tests: etcd and agents as processes, UDP beacons, TLS, join tokens.

::

    async with Lab(nodes=3) as lab:          # etcd runs, the colony is founded
        await lab.form()                     # all agents run, a queen reigns, everyone is ready
        queen = await lab.queen()
        lab.agent(queen["name"]).kill()
        await lab.new_queen(queen["term"])

Nothing leaves 127.0.0.0/8 and no file lies outside ``lab.directory``, which is removed at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from aware_agent.agent.etcd_auth import enable_auth
from aware_agent.agent.found import found
from aware_agent.agent.material import Material, make_material
from aware_agent.colony.spec import CasteSpec, Spec
from aware_agent.ports import free_ports
from aware_agent.security.files import write_atomic
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.etcd_binary import TlsFiles
from aware_agent.store.keys import Keys
from bench.agent import ROOT, Agent, to_toml
from bench.client import Answer, ColonyClient, Unreachable

__all__ = ["ADDRESS", "ROOT", "UNLIMITED", "Agent", "Document", "Lab", "LabError", "default_spec", "to_toml"]

ADDRESS = "127.0.0.1"
# One user and one address do here what elsewhere thousands do. Requests are counted all the same, and that is measured.
UNLIMITED = {
    "requests_per_s": 1_000_000.0,
    "requests_per_s_per_source": 1_000_000.0,
    "requests_per_s_of_strangers": 1_000_000.0,
}
LOGIN_S = 10.0  # a login hashes a password: on a loaded machine that takes its time, whatever the call may take
PATIENCE_S = 120.0  # what takes a second takes a minute where many suites share two cores
Document = dict[str, Any]


class LabError(Exception):
    """The colony did not do what it should; the text holds the last lines of the logs that matter."""


class Lab:
    """One colony. ``settings`` is merged into every agent's; ``timing`` only overrides the defaults it names."""

    def __init__(
        self,
        nodes: int = 5,
        *,
        colony: str = "lab",
        etcd_members: int = 1,
        spec: Spec | None = None,
        settings: Mapping[str, Any] | None = None,
        directory: Path | None = None,
        etcd_extra: Iterable[str] = (),
        fsync: bool = False,
        etcd_auth: bool = False,
    ) -> None:
        self.colony = colony
        self._etcd_auth = etcd_auth
        self.spec = spec or default_spec(colony, nodes)
        self._own_directory = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="aware-lab-"))
        self.material_dir = self.directory / "material"
        self.token_file = self.directory / "join.token"
        self.admin_password = secrets.token_urlsafe(18)
        files = TlsFiles(**{role: self.material_dir / name for role, name in _ETCD_FILES.items()})
        self.etcd = EmbeddedEtcd(
            etcd_members, directory=self.directory / "etcd", tls=files, extra=list(etcd_extra), fsync=fsync
        )
        self._settings = dict(settings or {})
        self._ports = free_ports(2 * nodes + 1)
        self.discovery_port = self._ports.pop()
        self.agents: dict[str, Agent] = {}
        self._material: Material | None = None
        self._admin: ColonyClient | None = None
        self._nodes = nodes

    # Life ------------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Lab:
        """Start etcd, found the colony and write every agent's settings; no agent runs yet."""
        try:
            await self._found()
            for number in range(1, self._nodes + 1):
                self.add_agent(f"{self.colony}-{number}")
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill everything that runs and remove the directory, unless it was given."""
        self.close()

    def close(self) -> None:
        """See :meth:`__aexit__`. Idempotent."""
        if self._admin is not None:
            self._admin.close()
        for agent in self.agents.values():
            agent.kill_soon()
        for agent in self.agents.values():
            agent.kill()
        self.etcd.close()
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def material(self) -> Material:
        """What the colony was founded from."""
        if self._material is None:
            raise LabError("the lab was not entered")
        return self._material

    @property
    def ca_file(self) -> Path:
        """The colony's CA certificate."""
        return self.material_dir / "ca.crt"

    @property
    def keys(self) -> Keys:
        """Key names in etcd."""
        return Keys(self.colony)

    def etcd_client(self) -> EtcdClient:
        """A client with all rights, as the founder has."""
        return EtcdClient(self.etcd.endpoints, self.etcd.credentials)

    async def _found(self) -> None:
        name = f"{self.colony}-1"
        self._material = material = make_material(
            self.colony,
            self.material_dir,
            etcd_addresses=self.etcd.endpoints,
            founder_name=name,
            founder_address=ADDRESS,
            founder_state=self.directory / "nodes" / name / "state",
            now=time.time(),
        )
        pair = material.founder
        self.etcd.credentials = Credentials(ca=material.council_ca.certificate, cert=pair.certificate, key=pair.key)
        await self.etcd.__aenter__()
        async with self.etcd_client() as client:
            await found(client, self.keys, material, self.spec, self.admin_password, now=time.time())
            if self._etcd_auth:
                await enable_auth(client, self.keys)
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(f"{material.token}\n")

    # Agents ----------------------------------------------------------------------------------------------------------

    def add_agent(self, name: str, **settings: Any) -> Agent:
        """An agent that will join by token (the first one is the founder's); start it with ``start()``."""
        if len(self._ports) < 2:
            self._ports = free_ports(2)
        port, channel = self._ports.pop(), self._ports.pop()
        document: dict[str, Any] = {
            "colony": self.colony,
            "name": name,
            "state_dir": str(self.directory / "nodes" / name / "state"),
            "address": self.address(name),
            "token_file": str(self.token_file),
            "gateway": {"port": port, **UNLIMITED},
            "channel": {"port": channel},
            "quota": {"changes_per_minute": 10_000_000.0, "sessions_per_minute": 10_000_000.0},
            "discovery": {"port": self.discovery_port},
            "store": {"production": False},
            "log": {"format": "text"},
            # As root, a job would become a user who may not even reach the interpreter of a checkout in root's home.
            "jobs": {"user": "root"} if os.geteuid() == 0 else {},
        }
        for key, value in {**self._settings, **settings}.items():
            old = document.get(key)
            document[key] = {**old, **value} if isinstance(old, dict) else value
        where = self.directory / "nodes" / name
        agent = self.agents[name] = Agent(name, where, document, prefix=self.prefix(name))
        return agent

    def address(self, name: str) -> str:
        """Where the node of that name lives."""
        del name
        return ADDRESS

    def prefix(self, name: str) -> Sequence[str]:
        """What its agent's command line begins with."""
        del name
        return ()

    def agent(self, name: str) -> Agent:
        """The agent of that name."""
        return self.agents[name]

    async def make_token(self, name: str = "worker", **limits: Any) -> Path:
        """A file with a fresh join token; ``limits`` as at ``POST /v1/tokens``, where it is for a worker by default."""
        answer = await self.ask("POST", "/v1/tokens", limits)
        if not answer.ok:
            raise LabError(f"no join token: {answer.status} {answer.body[:200]!r}")
        path = self.directory / f"{name}.token"
        path.touch(mode=0o600)
        path.write_text(f"{answer.json()['token']}\n")
        return path

    def running(self) -> list[Agent]:
        """Agents whose process is there."""
        return [agent for agent in self.agents.values() if agent.running]

    async def form(self, timeout_s: float = PATIENCE_S) -> Document:
        """Start all agents, founder first, and wait until all are ready; returns the cluster document."""
        agents = list(self.agents.values())
        if not agents[0].running:
            agents[0].start()
        await self.new_queen(0, timeout_s, strict=True)
        for agent in agents[1:]:
            if not agent.running:
                agent.start()
        return await self.wait_ready(len(agents), timeout_s, strict=True)

    async def queen(self, timeout_s: float = PATIENCE_S) -> Document:
        """``/v1/queen`` as soon as somebody reigns and answers: id, name, url, term, since, heir."""
        return await self.new_queen(0, timeout_s)

    async def new_queen(self, after_term: int, timeout_s: float = PATIENCE_S, *, strict: bool = False) -> Document:
        """``/v1/queen`` as soon as the term is newer than ``after_term``; ``strict``: fail as soon as an agent does."""
        end = time.monotonic() + timeout_s
        problem = ""
        while time.monotonic() < end:
            try:
                answer = await self.ask("GET", "/v1/queen", deadline_s=min(1.0, end - time.monotonic()))
                document: Document = answer.json()
                if answer.ok and document["term"] > after_term:
                    return document
                problem = f"{answer.status} {answer.body[:200]!r}"
            except Unreachable as error:
                problem = str(error)
            if strict:
                self._raise_if_dead()
            await asyncio.sleep(0.01)
        raise LabError(f"no queen after {timeout_s:g} s: {problem}\n{self.tails()}")

    async def wait_ready(
        self, count: int, timeout_s: float = PATIENCE_S, *, healthy: bool = True, strict: bool = False
    ) -> Document:
        """``/v1/cluster`` as soon as ``count`` nodes are ready (and the colony is healthy); ``strict`` as above."""
        end = time.monotonic() + timeout_s
        said = "nothing"
        while time.monotonic() < end:
            with contextlib.suppress(Unreachable):
                answer = await self.ask("GET", "/v1/cluster", deadline_s=min(1.0, end - time.monotonic()))
                said = f"{answer.status} {answer.body[:400]!r}"
                document: Document = answer.json() if answer.ok else {}
                enough = bool(document) and document["size"]["ready"] >= count
                if enough and (not healthy or document["status"] == "healthy"):
                    return document
            if strict:
                self._raise_if_dead()
            await asyncio.sleep(0.05)
        raise LabError(f"not {count} ready nodes after {timeout_s:g} s: {said}\n{self.tails()}")

    async def wait_serving(self, timeout_s: float = PATIENCE_S) -> None:
        """Return when the gateway of every agent that runs answers that its node is ready."""
        end = time.monotonic() + timeout_s
        late = {agent.url: "not asked" for agent in self.running()}
        async with self.client() as client:
            while late and time.monotonic() < end:
                for url in list(late):
                    try:
                        answer = await client.once(url, "GET", "/readyz", timeout_s=2.0)
                    except Unreachable as error:
                        late[url] = str(error)
                        continue
                    late[url] = f"{answer.status} {answer.body[:200]!r}"
                    if answer.ok:
                        del late[url]
                await asyncio.sleep(0.05)
        if late:
            raise LabError(f"not all gateways serve after {timeout_s:g} s: {late}\n{self.tails()}")

    def _raise_if_dead(self) -> None:
        for agent in self.agents.values():
            if (agent.exit_code or 0) > 0:
                raise LabError(f"{agent.name} ended with {agent.exit_code}: {agent.tail()}")

    # Clients ---------------------------------------------------------------------------------------------------------

    def client(self, token: str = "") -> ColonyClient:
        """A client that knows all agents, running or not."""
        ca = self.material.ca.certificate
        return ColonyClient([agent.url for agent in self.agents.values()], ca, token)

    async def admin(self, deadline_s: float = 30.0) -> ColonyClient:
        """The lab's own client, logged in as admin; closed with the lab. Raises :class:`Unreachable`."""
        if self._admin is None:
            self._admin = self.client()
        self._admin.endpoints = [agent.url for agent in self.running()] or [a.url for a in self.agents.values()]
        if not self._admin.token:
            await self._admin.login("admin", self.admin_password, deadline_s)
        return self._admin

    async def ask(self, method: str, path: str, body: object = None, *, deadline_s: float = 30.0) -> Answer:
        """One call as admin; logs in again when the token ran out."""
        client = await self.admin(max(deadline_s, LOGIN_S))
        answer = await client.call(method, path, body, deadline_s=deadline_s)
        if answer.status == 401:
            client.token = ""
            client = await self.admin(max(deadline_s, LOGIN_S))
            answer = await client.call(method, path, body, deadline_s=deadline_s)
        return answer

    def write_context(self, directory: Path | None = None) -> Path:
        """A context file for ``aware``, the inventory plugin and the modules; needs :meth:`admin` before."""
        if self._admin is None or not self._admin.token:
            raise LabError("log in first: await lab.admin()")
        directory = directory or self.directory
        token = directory / "token"
        write_atomic(token, self._admin.token.encode())  # a command that runs may be reading it
        path = directory / "context.json"
        endpoints = [agent.url for agent in self.agents.values()]
        names = {"ca_file": str(self.ca_file), "token_file": str(token)}
        write_atomic(path, json.dumps({"colony": self.colony, "endpoints": endpoints, **names}).encode())
        return path

    def tails(self, lines: int = 3) -> str:
        """The ends of all agents' logs."""
        return "\n".join(f"--- {agent.name}:\n{agent.tail(lines)}" for agent in list(self.agents.values())[:8])


_ETCD_FILES = {"ca": "council-ca.crt", "cert": "etcd.crt", "key": "etcd.key"}


def default_spec(colony: str, nodes: int) -> Spec:
    """As many nodes as there are, of which up to two serve ``web`` and one ``store``; the rest is spare."""
    castes = {"web": CasteSpec(count=min(2, nodes)), "store": CasteSpec(count=1 if nodes > 2 else 0)}
    return Spec(colony=colony, size=nodes, castes=castes)
