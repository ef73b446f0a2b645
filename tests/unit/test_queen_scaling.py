"""The queen scales castes: what is kept, told and handed on to who follows her."""

from __future__ import annotations

from typing import Any

import pytest

from aware_agent.colony.elastic import ElasticRecord
from aware_agent.colony.errors import Conflict, Deposed, InvalidInput, NotFound
from aware_agent.colony.load import Load
from aware_agent.colony.scale import DemandTarget, Scale, ScaleIn
from aware_agent.colony.schedule import Window
from aware_agent.colony.spec import CasteSpec
from aware_agent.queen.demand import DemandCommands
from aware_agent.queen.present import Present
from aware_agent.queen.reconcile import Reconciler
from aware_agent.queen.scaling import LOOK_S, ScalingDuty
from tests.memory_colony import AnsweringChannels, MemoryColony, node_id

RULE = Scale(min=1, max=9, demand=DemandTarget(per_node=10.0), in_=ScaleIn(nodes=9, drain_s=30.0))


class Reigning:
    """A colony of six, the first of which reigns; castes are given as the reconciler gives them."""

    def __init__(self, scale: Scale | None = RULE) -> None:
        self.colony = MemoryColony()
        for number in range(6):
            self.colony.add_node(number)
        self.spec(scale)
        self.colony.begin_reign(0)
        self.now, self.loads = 1.8e9, {}  # type: tuple[float, dict[str, Load]]
        self.follow()

    def spec(self, scale: Scale | None) -> None:
        self.colony.put_spec(size=6, castes={"web": CasteSpec(count=2, scale=scale)})

    def follow(self) -> None:
        """Another reign, which knows what is on record and no more."""
        self.writer = self.colony.writer()
        self.duty = ScalingDuty(self.writer, lambda: self.loads, wall=lambda: self.now)
        self.demands = DemandCommands(self.writer, wall=lambda: self.now)
        present = Present(self.colony.reader, AnsweringChannels(self.colony))
        self.reconciler = Reconciler(self.writer, self.colony.history, node_id(0), present, lambda _: [])

    async def look(self, seconds: float = LOOK_S, demand: float | None = None) -> list[str]:
        """For so long, with that demand posted all the time; who serves then."""
        for _ in range(round(seconds / LOOK_S)):
            self.now += LOOK_S
            if demand is not None:
                await self.demands.put("web", demand, actor="ci")
            await self.duty.once()
            async with self.writer.writing():
                await self.reconciler._castes(False)
        return list(self.colony.reader.data().castes.get("web", ()))

    def record(self) -> ElasticRecord:
        return self.colony.reader.elastic()

    def told(self, *kinds: str) -> list[str]:
        events = [event for _, event in self.colony.history.since(0, 1000)]
        return [event.message for event in events if event.type in kinds]


async def test_a_demand_makes_a_caste_grow_and_shrink_and_each_is_told() -> None:
    queen = Reigning()
    assert len(await queen.look(demand=15)) == 2
    assert len(await queen.look(demand=42)) == 5
    assert queen.record().term == queen.colony.term
    told = "caste web: a demand of 42, of which a node carries 10, needs 5: 2 -> 5"
    assert queen.told("caste.scaled") == [told]
    assert len(await queen.look(290, demand=15)) == 5
    members = await queen.look(40, demand=15)
    assert (queen.record().castes["web"].wanted, len(members)) == (2, 5), "it told who is to leave"
    assert len(queen.record().castes["web"].leaving) == 3
    assert len(await queen.look(30, demand=15)) == 2
    await queen.look(demand=15)
    assert queen.record().castes["web"].leaving == {}
    assert queen.told("caste.scaled")[1:] == ["caste web: no more than 2 were needed for 300 s: 5 -> 2"]


async def test_a_new_queen_does_not_forget_how_long_ago_it_was_needed() -> None:
    queen = Reigning()
    await queen.look(demand=42)
    await queen.look(200, demand=15)
    queen.colony.begin_reign(0)
    queen.follow()
    await queen.look(60, demand=15)
    assert queen.record().castes["web"].wanted == 5, "it does not go too early"
    await queen.look(80, demand=15)
    assert queen.record().castes["web"].wanted == 2, "nor begin to wait anew"


async def test_while_nothing_changes_there_is_a_write_a_minute() -> None:
    queen = Reigning(Scale(min=1, max=9, cpu=0.5))
    quiet = {node_id(number): Load(500, 0, 0, 0, 0, 0) for number in range(6)}
    queen.loads = quiet
    await queen.look(60)
    before = queen.writer.revision(queen.writer.key("elastic"))
    revision = queen.colony.projection.revision
    await queen.look(55)
    assert queen.colony.projection.revision - revision <= 1
    assert queen.writer.revision(queen.writer.key("elastic")) == before


async def test_loads_of_those_who_serve_make_it_grow() -> None:
    queen = Reigning(Scale(min=1, max=9, cpu=0.5))
    for node in await queen.look(10):
        queen.loads[node] = Load(900, 0, 0, 0, 0, 0)
    assert len(await queen.look(10)) == 4
    assert queen.told("caste.scaled") == [
        "caste web: use of processors of 90% on 2 nodes, where 50% is wanted, needs 4: 2 -> 4"
    ]


async def test_servers_that_are_missing_are_told_when_their_number_changes() -> None:
    queen = Reigning()
    await queen.look(20, demand=75)
    assert (queen.record().castes["web"].wanted, queen.record().missing_servers) == (8, 2)
    assert queen.told("servers.missing") == ["2 nodes missing for what castes want: servers have to be made"]
    for number in (6, 7):
        queen.colony.add_node(number)
    assert len(await queen.look(10, demand=75)) == 8
    assert queen.told("servers.missing")[1:] == ["no server is missing any more"]


async def test_a_demand_that_is_not_posted_any_more_takes_no_node_away() -> None:
    queen = Reigning()
    await queen.look(10, demand=42)
    assert len(await queen.look(3600)) == 5
    assert queen.told("caste.blind") == ["caste web: demand is not known: no node is taken away until it is"]
    await queen.look(5, demand=42)
    assert len(queen.told("caste.seeing")) == 1


async def test_the_end_of_scaling_leaves_nothing_behind() -> None:
    queen = Reigning()
    await queen.look(10, demand=42)
    queen.spec(None)
    assert len(await queen.look(10)) == 2
    assert queen.record().castes == {}
    assert queen.colony.projection.get(queen.writer.key("demand", "web")) is None
    assert await queen.duty.once() is None


async def test_another_spec_keeps_what_was_chosen_within_its_bounds() -> None:
    queen = Reigning()
    await queen.look(10, demand=42)
    queen.spec(Scale(min=1, max=4, demand=DemandTarget(per_node=10.0), in_=ScaleIn(drain_s=0.0)))
    assert len(await queen.look(10, demand=42)) == 4
    assert queen.told("caste.scaled")[-1] == "caste web: max is 4: 5 -> 4"


async def test_a_schedule_that_this_host_does_not_know_leaves_the_usual_bounds() -> None:
    window = Window(begins="00:00", ends="24:00", min=5)
    queen = Reigning(Scale(min=1, max=9, demand=DemandTarget(per_node=10.0), zone="Nowhere/Land", schedule=(window,)))
    assert len(await queen.look(10, demand=15)) == 2
    known = Reigning(Scale(min=1, max=9, demand=DemandTarget(per_node=10.0), schedule=(window,)))
    assert len(await known.look(10, demand=15)) == 5


async def test_a_deposed_queen_scales_nothing() -> None:
    queen = Reigning()
    await queen.demands.put("web", 42, actor="ci")
    queen.colony.begin_reign(1)
    queen.now += LOOK_S
    with pytest.raises(Deposed):
        await queen.duty.once()
    with pytest.raises(Deposed):
        await queen.demands.put("web", 99, actor="ci")
    assert queen.record().castes == {}


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("nobody", 1.0, NotFound),
        ("web", -1.0, InvalidInput),
        ("web", float("nan"), InvalidInput),
        ("web", float("inf"), InvalidInput),
        ("web", 1e13, InvalidInput),
    ],
)
async def test_demands_that_are_none(name: str, value: float, kind: Any) -> None:
    queen = Reigning()
    with pytest.raises(kind):
        await queen.demands.put(name, value, actor="ci")
    fixed = Reigning(None)
    with pytest.raises(Conflict, match="not scaled by a demand"):
        await fixed.demands.put("web", 1.0, actor="ci")


async def test_a_new_rule_wakes_a_duty_that_had_none() -> None:
    queen = Reigning(None)
    assert await queen.duty.once() is None
    queen.duty._loop._nudged.clear()
    queen.duty.refresh()
    assert not queen.duty._loop._nudged.is_set()
    queen.spec(RULE)
    queen.duty.refresh()
    assert queen.duty._loop._nudged.is_set()


async def test_what_was_chosen_and_cannot_be_read_takes_no_node_away() -> None:
    queen = Reigning()
    members = await queen.look(demand=42)
    assert len(members) == 5
    queen.colony.put(queen.colony.keys.key("elastic"), {"castes": {"web": {"wanted": "five"}}})
    async with queen.writer.writing():
        await queen.reconciler._castes(False)
    assert queen.colony.reader.data().castes["web"] == members
    queen.follow()
    assert await queen.look(60, demand=42) == members
    assert (queen.record().term, queen.record().castes["web"].wanted) == (queen.colony.term, 5), "it is written anew"
    assert queen.colony.reader.unreadable == {}
