"""The queen's duty about servers: on record before it is done, with a token, and gone on with by the next queen."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from queen_support import Queen

from aware_agent.agent.reader import Unreadable
from aware_agent.colony.elastic import ELASTIC, ElasticRecord
from aware_agent.colony.errors import Deposed
from aware_agent.colony.healing import PATIENT, Intent, Server, ServerPolicy
from aware_agent.colony.node import Status
from aware_agent.colony.scale import DemandTarget, Scale
from aware_agent.colony.scaling import Elastic
from aware_agent.colony.spec import CasteSpec
from aware_agent.queen.nodes import NodeCommands
from aware_agent.queen.servers import keeper
from aware_agent.queen.servers.keeper import ServerKeeper, ServersRecord
from aware_agent.queen.servers.provider import CloudTrouble, ListInDoubt, NewServer, ServerRefused
from aware_agent.queen.servers.socket import MAX_SERVERS, SocketProvider
from aware_agent.security.records import DeniedRecord
from aware_agent.security.sealed import KeyringSealer
from aware_agent.security.token import TokenRecord, check_token, parse_token
from tests.memory_colony import node_id

POLICY = ServerPolicy(provider="socket", eligible=True, after_s=60.0, most=2, join_s=600.0)


class Cloud:
    """Servers in memory; it can lose answers, refuse one server and fail."""

    def __init__(self) -> None:
        self.there: dict[str, Server] = {}
        self.asked: list[str] = []
        self.tokens: dict[str, str] = {}
        self.down = self.lose_answers = False
        self.doubt = ""
        self.locked: set[str] = set()
        self.falls: Any = lambda: None  # called before each change

    async def servers(self) -> tuple[Server, ...]:
        if self.down:
            raise CloudTrouble("it answers 503")
        if self.doubt:
            raise ListInDoubt(self.doubt)
        return tuple(self.there.values())

    async def create(self, server: NewServer) -> None:
        self._change(f"create {server.name}")
        made = Server(id=f"s{len(self.asked):03d}", name=server.name, intent=server.intent, term=server.term)
        self.there[made.id] = made
        self.tokens[server.name] = server.token
        if self.lose_answers:
            raise CloudTrouble("no answer")

    async def delete(self, server: str) -> None:
        self._change(f"delete {server}")
        if server in self.locked:
            raise ServerRefused("it is locked")
        self.there.pop(server, None)

    def _change(self, what: str) -> None:
        self.falls()
        self.asked.append(what)


class NoUsers:
    """etcd has no users here."""

    async def dismiss(self, node: str) -> None:
        pass


class Duty:
    """A queen of three nodes, each with a server that a person made and named in its join token, and her keeper."""

    def __init__(self) -> None:
        self.queen, self.cloud = Queen(), Cloud()
        for n in (1, 2, 3):
            token = TokenRecord(
                id=f"t{n}", verifier="", beacon_key=b"", created_at=0.0, created_by="ada", node_name=f"demo-{n}"
            )
            self.queen.colony.put(self.queen.colony.keys.key("tokens", token.id), token)
            self.queen.colony.add_node(n - 1, record={"joined_with": token.id})
        self.cloud.there = {f"p{n}": Server(id=f"p{n}", name=f"demo-{n}") for n in (1, 2, 3)}
        self.now = time.time()
        self.keeper = self.reign()

    def reign(self) -> ServerKeeper:
        colony = self.queen.colony
        users: Any = NoUsers()
        nodes = NodeCommands(colony.writer(), node_id(0), users)
        return ServerKeeper(
            nodes._writer, KeyringSealer(colony.keyring), nodes, self.cloud, lambda: POLICY, wall=lambda: self.now
        )

    def next_queen(self) -> None:
        colony = self.queen.colony
        colony.begin_reign(0)
        self.queen.reign = colony.reign()
        self.keeper = self.reign()

    @property
    def record(self) -> ServersRecord:
        return self.queen.colony.reader.one("servers", ServersRecord) or ServersRecord()

    def names(self) -> list[str]:
        return sorted(server.name for server in self.cloud.there.values())

    def die(self, number: int, ago: float = 120.0) -> None:
        record = {"status": Status.DEAD, "status_since": self.now - ago, "key_pin": "p" * 43}
        self.queen.colony.add_node(number, record=record)

    def join(self, name: str) -> str:
        """As admission does it: with the token that its server was given. The id of the token."""
        token = parse_token(self.cloud.tokens[name])
        kept = self.queen.colony.reader.one(f"tokens/{token.id}", TokenRecord)
        check_token(kept, token.id, token.secret, name=name, now=self.now)
        number = int(name.removeprefix("demo-")) - 1
        self.queen.colony.add_node(number + 20, name=name, record={"name": name, "joined_with": token.id})
        return token.id


@pytest.fixture
def duty() -> Duty:
    return Duty()


async def test_what_is_there_is_left_alone(duty: Duty) -> None:
    assert await duty.keeper.once() == keeper.LOOK_S
    assert duty.cloud.asked == []
    assert duty.record.healing.known == {"demo-1": "p1", "demo-2": "p2", "demo-3": "p3"}


async def test_a_missing_node_is_made_with_a_token_of_its_own(duty: Duty) -> None:
    duty.queen.colony.put_spec(size=4)
    assert await duty.keeper.once() == keeper.BUSY_S
    assert duty.cloud.asked == ["create demo-4"]
    [made] = [server for server in duty.cloud.there.values() if server.name == "demo-4"]
    assert made.term == duty.queen.reign.term
    kept = duty.queen.colony.reader.one(f"tokens/{made.intent}", TokenRecord)
    assert kept is not None
    assert (kept.node_name, kept.uses_left, kept.eligible) == ("demo-4", 1, False), "a new one is a worker"
    assert kept.expires_at == pytest.approx(duty.now + POLICY.join_s)
    stored = b"".join(kv.value for kv in duty.queen.colony.projection.items())
    assert parse_token(duty.cloud.tokens["demo-4"]).secret.encode() not in stored
    await duty.keeper.once()
    assert duty.cloud.asked == ["create demo-4"], "it is under way"
    assert duty.join("demo-4") == made.intent
    await duty.keeper.once()
    assert (duty.record.healing.intents, duty.record.tokens) == ({}, {})
    assert duty.record.healing.known["demo-4"] == made.id
    assert duty.queen.colony.reader.one(f"tokens/{made.intent}", TokenRecord) is None


async def test_a_caste_that_wants_more_than_the_size_gets_servers(duty: Duty) -> None:
    colony = duty.queen.colony
    scale = Scale(min=1, max=9, demand=DemandTarget(per_node=10.0))
    colony.put_spec(size=3, castes={"web": CasteSpec(count=1, scale=scale)})
    colony.put(colony.keys.key(ELASTIC), ElasticRecord(castes={"web": Elastic(wanted=5)}))
    await duty.keeper.once()
    assert duty.cloud.asked == ["create demo-4", "create demo-5"]


async def test_a_dead_node_is_forgotten_denied_and_made_anew_in_this_order(duty: Duty) -> None:
    await duty.keeper.once()
    duty.die(1)
    seen: list[tuple[bool, bool]] = []

    def on_record() -> None:
        reader = duty.queen.colony.reader
        denied = reader.one(f"denied/{'p' * 43}", DeniedRecord)
        seen.append((node_id(1) in reader.records(), denied is not None))

    duty.cloud.falls = on_record
    await duty.keeper.once()
    assert duty.cloud.asked == ["delete p2", "create demo-2"]
    assert seen[0] == (False, True), "before the first call"
    token = duty.queen.colony.reader.one(f"tokens/{parse_token(duty.cloud.tokens['demo-2']).id}", TokenRecord)
    assert token is not None
    assert token.eligible, "as the one before it was"
    assert duty.names() == ["demo-1", "demo-2", "demo-3"]
    duty.join("demo-2")
    await duty.keeper.once()
    assert duty.record.healing.intents == {}
    assert [event.type for event in duty.queen.events()].count("server.replaced") == 1


@pytest.mark.parametrize("call", range(6))
async def test_the_next_queen_goes_on_wherever_this_one_fell(duty: Duty, call: int) -> None:
    await duty.keeper.once()
    duty.queen.colony.put_spec(size=6)
    duty.die(2)
    left = [call]

    def fall() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Deposed(1)

    duty.cloud.falls = fall
    if call < 5:
        with pytest.raises(Deposed):
            await duty.keeper.once()
    else:
        await duty.keeper.once()
    duty.cloud.falls = lambda: None
    duty.next_queen()
    await duty.keeper.once()
    for name in duty.cloud.tokens:
        duty.join(name)
    await duty.keeper.once()
    assert duty.names() == [f"demo-{number}" for number in range(1, 7)]
    assert duty.record.healing.intents == {}
    assert sorted(duty.cloud.asked) == sorted({*duty.cloud.asked}), "nothing was asked for twice"


async def test_a_deposed_queen_asks_for_nothing(duty: Duty) -> None:
    await duty.keeper.once()
    duty.queen.colony.put_spec(size=4)
    former = duty.keeper
    duty.next_queen()
    with pytest.raises(Deposed):
        await former.once()
    assert duty.cloud.asked == []


async def test_lost_answers_make_no_second_server(duty: Duty) -> None:
    await duty.keeper.once()
    duty.queen.colony.put_spec(size=4)
    duty.cloud.lose_answers = True
    assert await duty.keeper.once() == keeper.BUSY_S
    assert duty.record.healing.failures == 1
    duty.cloud.lose_answers = False
    await duty.keeper.once()
    assert duty.cloud.asked == ["create demo-4"]
    assert duty.record.healing.failures == 0


async def test_a_cloud_in_trouble_is_left_alone_for_a_while(duty: Duty) -> None:
    await duty.keeper.once()
    duty.cloud.down = True
    for _ in range(PATIENT):
        assert await duty.keeper.once() == keeper.BUSY_S
    pause = await duty.keeper.once()
    assert pause == pytest.approx(30.0)
    duty.next_queen()
    assert await duty.keeper.once() == pause, "the next queen knows it as well"
    duty.now += 30.0
    duty.cloud.down = False
    assert await duty.keeper.once() == keeper.LOOK_S
    told = [event.message for event in duty.queen.events() if event.type.startswith("server.trouble")]
    assert told == [
        "servers are asked for 3 times in vain, the last time: it answers 503; the next try is in 30 s",
        "the provider of servers answers again",
    ]


async def test_a_locked_server_is_its_own_trouble(duty: Duty, caplog: pytest.LogCaptureFixture) -> None:
    await duty.keeper.once()
    duty.die(1)
    duty.cloud.locked.add("p2")
    await duty.keeper.once()
    await duty.keeper.once()
    assert duty.cloud.asked == ["delete p2", "create demo-2", "delete p2"]
    assert duty.record.healing.failures == 0
    assert [line.message for line in caplog.records if "locked" in line.message] == ["server p2: it is locked"]


async def test_a_node_that_no_token_named_does_not_tie_a_persons_server(duty: Duty) -> None:
    duty.queen.colony.add_node(1, record={"joined_with": "general"})
    await duty.keeper.once()
    assert "demo-2" not in duty.record.healing.known
    duty.die(1)
    await duty.keeper.once()
    assert duty.cloud.asked == []


async def test_seventy_that_end_at_once_fit_into_transactions_that_etcd_takes(
    duty: Duty, monkeypatch: pytest.MonkeyPatch
) -> None:
    await duty.keeper.once()
    colony, names = duty.queen.colony, [f"demo-{n}" for n in range(4, 74)]
    colony.put_spec(size=73)
    late = {name: Intent(id=f"x{name}", kind="make", name=name, at=duty.now - 700.0, term=1) for name in names}
    state = msgspec.structs.replace(duty.record.healing, intents=late)
    colony.put(colony.keys.key("servers"), ServersRecord(healing=state, tokens={one.id: b"" for one in late.values()}))
    counted: list[int] = []
    commit = duty.keeper._writer.commit

    async def counting(changes: Any, lines: Any, *rest: Any) -> Any:
        counted.append(len(changes) + len(lines))
        return await commit(changes, lines, *rest)

    monkeypatch.setattr(duty.keeper._writer, "commit", counting)
    await duty.keeper.once()
    assert max(counted[:5]) <= 64, "etcd takes 128, and eight may begin as well"
    assert (duty.record.healing.intents, duty.record.tokens) == ({}, {})
    assert duty.cloud.asked == [], "what only waits to be given up is not made"


async def test_a_list_in_doubt_is_said_and_nothing_follows_from_it(duty: Duty) -> None:
    await duty.keeper.once()
    duty.die(1)
    duty.cloud.doubt = "entry 2 ({}): no id"
    for _ in range(PATIENT + 1):
        assert await duty.keeper.once() == keeper.LOOK_S
    assert (duty.cloud.asked, duty.record.healing.failures) == ([], 0)
    [told] = [event.message for event in duty.queen.events() if event.type == "server.held"]
    assert told == "nothing is made, replaced or removed: the provider's list cannot be read: entry 2 ({}): no id"
    duty.cloud.doubt = ""
    await duty.keeper.once()
    assert duty.cloud.asked == ["delete p2", "create demo-2"]


async def test_a_list_that_is_not_whole_is_not_acted_on(duty: Duty) -> None:
    await duty.keeper.once()
    duty.queen.colony.put_spec(size=4)
    await duty.keeper.once()
    intents = duty.record.healing.intents
    duty.cloud.there = {}
    duty.queen.colony.put_spec(size=5)
    await duty.keeper.once()
    assert duty.record.healing.intents == intents
    assert duty.cloud.asked == ["create demo-4"], "nor is what is under way asked for once more"
    assert "the list lacks the servers of nodes that are ready: demo-1" in duty.record.healing.held


@pytest.mark.parametrize("name", ["servers", "council", "nodes/" + node_id(1)])
async def test_what_cannot_be_read_is_not_absent(duty: Duty, name: str) -> None:
    await duty.keeper.once()
    colony = duty.queen.colony
    colony.put(colony.keys.key(name), ["nothing of ours"])
    before = colony.etcd.revision
    with pytest.raises(Unreadable, match=name):
        await duty.keeper.once()
    assert (colony.etcd.revision, duty.cloud.asked) == (before, [])


# What a provider says over its socket -------------------------------------------------------------------------------


async def said(directory: Path, answer: bytes) -> tuple[Server, ...]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer + b"\n")
        writer.close()

    path = str(directory / "s.sock")
    async with await asyncio.start_unix_server(serve, path):
        return await SocketProvider(path).servers()


async def test_a_list_over_the_socket(tmp_path: Path) -> None:
    answer = b'{"servers": [{"id": "a", "name": "demo-4", "term": 7, "intent": "i", "fault": "no\\nhost", "more": 1}]}'
    assert await said(tmp_path, answer) == (Server(id="a", name="demo-4", term=7, intent="i", fault="no\nhost"),)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"{}", "without servers"),
        (b'{"server": []}', "without servers"),
        (b'{"servers": null}', "without servers"),
        (b'{"servers": [' + b",".join([b"1"] * (MAX_SERVERS + 1)) + b"]}", "more than"),
        (b'{"error": "no\\nquota"}', "^no quota"),
        (b"", "gave no answer"),
    ],
)
async def test_no_list_is_not_an_empty_list(tmp_path: Path, answer: bytes, why: str) -> None:
    with pytest.raises(CloudTrouble, match=why):
        await said(tmp_path, answer)


@pytest.mark.parametrize(
    "entry",
    [
        "3",
        '{"name": "demo-5"}',
        '{"id": "", "name": "demo-5"}',
        '{"id": "b", "name": "de\\nmo"}',
        '{"id": "b", "name": "demo-5", "term": -1}',
        '{"id": "a", "name": "demo-5"}',
        '{"id": "b", "name": "' + "x" * 300 + '"}',
    ],
)
async def test_one_bad_entry_is_named_and_no_trouble_of_the_cloud(tmp_path: Path, entry: str) -> None:
    with pytest.raises(ListInDoubt, match=r"^entry 2") as caught:
        await said(tmp_path, f'{{"servers": [{{"id": "a", "name": "demo-4"}}, {entry}]}}'.encode())
    assert len(caught.value.message) < 600
