"""A real colony for a browser: ``python -m tests.dashboard.colony`` starts it and does what it is told on stdin.

Each line in is a JSON list, a word and its arguments; each line out is the JSON answer. At the end of stdin all is
ended and removed.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.agent import Agent
from bench.council_lab import CouncilLab

if TYPE_CHECKING:
    from tests.gateway.oidc_support import RealProvider

NODES, SEATS = 5, 3
PASSWORDS = {"vera": "looks at everything 1", "otto": "changes some of it 2"}
ZONES = ("north", "south")
OPERATIONS = Path(__file__).parent / "operations"
CASTES = {"web": {"count": 2}, "store": {"count": 1}}


class Nest(CouncilLab):
    """Its nodes stand in two zones and some racks, and can run what is in ``operations``."""

    async def __aenter__(self) -> Nest:
        """As in every lab; a checkout's files may be open to more writers than a queen takes."""
        where = self.directory / "operations"
        shutil.copytree(OPERATIONS, where)
        for path in (where, *where.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        await super().__aenter__()
        return self

    def add_agent(self, name: str, **settings: Any) -> Agent:
        """As in every lab."""
        number = int(name.rpartition("-")[2])
        place = {"labels": {"rack": f"r{number % 3}"}, "zone": ZONES[number % 2]}
        jobs = {"operations_dir": str(self.directory / "operations")}
        return super().add_agent(name, jobs=jobs, **place, **settings)


class Colony:
    """One lab, and what can be done to it."""

    def __init__(self, lab: Nest) -> None:
        self._lab = lab
        self._provider: RealProvider | None = None

    async def hello(self) -> dict[str, Any]:
        """Where it is, and who may log in."""
        queen = await self._lab.queen()
        urls = {agent.name: agent.url for agent in self._lab.agents.values()}
        passwords = {"admin": self._lab.admin_password, **PASSWORDS}
        return {"urls": urls, "queen": queen["name"], "passwords": passwords}

    async def queen(self) -> dict[str, Any]:
        """Who reigns."""
        return await self._lab.queen()

    async def kill(self, name: str) -> dict[str, Any]:
        """End an agent, its gateway and its etcd at once; returns the queen that reigns then."""
        before = await self._lab.queen()
        self._lab.agent(name).kill_tree()
        return await self._lab.new_queen(before["term"] if before["name"] == name else before["term"] - 1)

    async def cut(self, keep: str) -> dict[str, Any]:
        """End all members of the council but one: nobody reigns then."""
        seats = [member["name"] for member in await self._lab.members()]
        for name in seats:
            if name != keep:
                self._lab.agent(name).kill_tree()
        return {"left": keep}

    async def provider(self, directory: str) -> dict[str, Any]:
        """An OpenID provider, known to the colony as ``corp``, whose page is the queen's; or why there is none."""
        from tests.gateway.oidc_support import RealProvider, settings

        queen = await self._lab.queen()
        try:
            self._provider = await asyncio.to_thread(RealProvider, Path(directory), queen["url"])
        except pytest.skip.Exception as skipped:
            return {"skip": str(skipped)}
        body = settings(self._provider.issuer, public_url=queen["url"])
        return await self.ask("PUT", "/v1/identity-providers/corp", body)

    def close(self) -> None:
        """End what was started beside the colony."""
        if self._provider is not None:
            self._provider.stop()

    async def start(self, name: str) -> dict[str, Any]:
        """Start it again and wait until the colony is whole."""
        self._lab.agent(name).start()
        whole = await self._lab.wait_ready(NODES)
        await self._lab.wait_whole()
        return whole

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One call as admin."""
        answer = await self._lab.ask(method, path, body)
        return {"status": answer.status, "body": answer.json() if answer.body else None}


async def main() -> None:
    """Serve until stdin ends."""
    async with Nest(NODES, seats=SEATS, colony="nest") as lab:
        await lab.form()
        colony = Colony(lab)
        wish = (await colony.ask("GET", "/v1/spec"))["body"]["spec"]
        await colony.ask("PUT", "/v1/spec", {**wish, "size": NODES, "castes": CASTES})
        admin = await lab.admin()
        for name, role in (("vera", "viewer"), ("otto", "operator")):
            body = {"role": role, "password": PASSWORDS[name]}
            # A password is slow to hash, and slower on a busy machine: the usual second would begin it for ever anew.
            await admin.call("PUT", f"/v1/users/{name}", body, deadline_s=120.0, timeout_s=60.0)
        await lab.wait_ready(NODES)
        print(json.dumps(await colony.hello()), flush=True)
        try:
            await serve(colony)
        finally:
            colony.close()


async def serve(colony: Colony) -> None:
    """Do what lines say until there are none."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        word, *arguments = json.loads(line)
        try:
            answer = await getattr(colony, word)(*arguments)
        except Exception as error:  # told to the test, which fails by it
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
