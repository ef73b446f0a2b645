"""A record that nobody can decode: the queen says so and goes on, and an admin can remove what it stands for."""

from __future__ import annotations

import math

import msgspec
import pytest
from queen_support import Queen

from aware_agent.agent.reader import Unreadable
from aware_agent.channel.frames import Why
from aware_agent.colony.errors import Conflict
from aware_agent.colony.node import Config
from aware_agent.colony.rotation import Trust
from aware_agent.queen.commands import PutConfig, PutSpec, RemoveNode
from tests.memory_colony import node_id

BAD = node_id(2)


@pytest.fixture
def queen() -> Queen:
    """Node 2's record holds a number that is none, as a queen of before would have written it."""
    queen = Queen()
    key = queen.colony.keys.key("nodes", BAD)
    record = msgspec.structs.replace(queen.colony.reader.records()[BAD], joined_at=math.nan)
    queen.colony.put(key, record)
    return queen


async def _once(queen: Queen) -> None:
    await queen.reign._reconciler.once()


async def test_the_queen_says_it_once_and_reigns_on(queen: Queen) -> None:
    for _ in range(3):
        await _once(queen)
    told = [event for event in queen.events() if event.type == "node.unreadable"]
    assert [event.subject for event in told] == [BAD]
    assert "aware nodes remove" in told[0].message
    view = queen.colony.reader.view()
    assert view.unreadable == (BAD,)
    assert view.status == "degraded"
    assert BAD in view.reason
    assert len(view.nodes) == 2


async def test_it_is_said_again_when_it_is_written_again(queen: Queen) -> None:
    await _once(queen)
    queen.colony.put(queen.colony.keys.key("nodes", BAD), {"name": 1})
    await _once(queen)
    assert queen.told().count("node.unreadable") == 2


async def test_an_admin_removes_it_by_its_id(queen: Queen) -> None:
    await _once(queen)
    assert (await queen.run(RemoveNode(node=BAD))).changed
    assert queen.colony.reader.view().unreadable == ()
    assert all(queen.colony.projection.get(queen.colony.keys.key(kind, BAD)) is None for kind in ("nodes", "presence"))
    assert "its key is not denied" in queen.events()[-1].message


async def test_the_queen_does_not_remove_herself(queen: Queen) -> None:
    queen.colony.put(queen.colony.keys.key("nodes", node_id(0)), {"name": 1})
    queen.colony.reader.view()
    with pytest.raises(Conflict, match="is the queen"):
        await queen.run(RemoveNode(node=node_id(0)))


def test_its_channel_is_refused_and_it_is_not_told_that_it_was_removed(queen: Queen) -> None:
    queen.colony.reader.view()
    refusal = queen.reign._reconciler._present._channels.refusal(BAD, b"")
    assert refusal is not None
    assert refusal[0] is Why.UNREADABLE
    unknown = queen.reign._reconciler._present._channels.refusal(node_id(7), b"")
    assert unknown is not None
    assert unknown[0] is Why.REMOVED


@pytest.mark.parametrize("name", ["spec", "castes", "queen-handover", f"config/{node_id(1)}"])
async def test_what_an_admin_can_write_anew_stops_nobody(queen: Queen, name: str) -> None:
    queen.colony.put(queen.colony.keys.key(name), {"name": math.nan, "size": "x", "term": "x", "agent": 1})
    await _once(queen)
    assert len(queen.colony.reader.view().nodes) == 2
    if name == "spec":
        queen.colony.put_spec(size=2)
        spec = queen.colony.reader.data().spec
        assert spec is not None
        assert (await queen.run(PutSpec(spec=msgspec.structs.replace(spec, size=1)))).changed
    elif name.startswith("config"):
        assert (await queen.run(PutConfig(node=node_id(1), config=Config()))).changed
        assert queen.colony.reader.one(name, Config) == Config()


def test_what_nobody_may_take_for_absent_is_an_error(queen: Queen) -> None:
    queen.colony.put(queen.colony.keys.key("pki"), {"generation": "two"})
    with pytest.raises(Unreadable, match="what etcd holds as pki cannot be read"):
        queen.colony.reader.vital("pki", Trust)
    assert queen.colony.reader.one("pki", Trust) is None
