"""What is wanted, and who serves where, can be had at any revision out of the events alone."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from aware_agent.colony.difference import Difference, applied
from aware_agent.colony.errors import AwareError
from aware_agent.colony.event import Event
from aware_agent.colony.hook import HookOperation, Order
from aware_agent.colony.jobs import Job
from aware_agent.colony.node import Config, Status
from aware_agent.colony.spec import CasteSpec, Requirements, Spec
from aware_agent.queen import commands as do
from aware_agent.queen.jobs.builtin import OPERATIONS
from aware_agent.queen.reign import Reign
from tests.memory_colony import COLONY, MemoryColony, finish, node_id

SCALE = OPERATIONS[0]

NODES = 5
State = tuple[Any, dict[str, list[str]], dict[str, Any]]


def rebuilt(events: list[tuple[int, Event]], revision: int) -> State:
    """Spec, castes and configurations as events up to ``revision`` tell them."""
    spec: Any = UNSET
    castes: dict[str, list[str]] = {}
    configs: dict[str, Any] = {}
    for at, event in events:
        if at > revision:
            break
        changes = msgspec.convert(event.payload.get("changes", []), list[Difference])
        if event.type in ("spec.changed", "colony.founded"):
            spec = applied(spec, changes)
        elif event.type == "config.changed":
            configs[event.subject] = applied(configs.get(event.subject, UNSET), changes)
        elif event.type == "node.removed":
            configs.pop(event.subject, None)
        for name, moved in event.payload.get("castes", {}).items() if event.type == "caste.assigned" else ():
            if moved is None:
                del castes[name]
            else:
                castes[name] = [i for i in castes.get(name, []) if i not in moved["left"]] + moved["joined"]
    return spec, castes, configs


class Colony:
    """A colony in memory whose state is noted after every write."""

    def __init__(self) -> None:
        self.memory = MemoryColony()
        self.memory.put_ca()
        for number in range(NODES):
            self.memory.add_node(number, capabilities={"vcpus": number + 1})
        self.memory.begin_reign(0)
        self.reign: Reign = self.memory.reign()
        self.noted: dict[int, State] = {}
        self.specs: list[int] = []  # revisions at which something was wanted

    def run(self, command: Any) -> None:
        with contextlib.suppress(AwareError):  # refused: nothing was written, which the notes tell
            finish(self.memory.carry_out(self.reign, command))
        self.note()

    def reconcile(self) -> None:
        finish(self.reign._reconciler.once())
        self.note()

    def note(self) -> None:
        projection, keys = self.memory.projection, self.memory.keys
        spec = projection.get(keys.key("spec"))
        castes = projection.get(keys.key("castes"))
        prefix = keys.key("config/")
        configs = {kv.key[len(prefix) :].decode(): msgspec.json.decode(kv.value) for kv in projection.items(prefix)}
        self.noted[projection.revision] = (
            msgspec.json.decode(spec.value) if spec else UNSET,
            msgspec.json.decode(castes.value) if castes else {},
            configs,
        )
        if spec:
            self.specs.append(projection.revision)


CASTES = st.dictionaries(
    st.sampled_from(["web", "store", "build"]),
    st.builds(CasteSpec, count=st.integers(0, 3), requires=st.builds(Requirements, vcpus=st.integers(0, 4))),
    max_size=3,
)
NODE = st.integers(0, NODES - 1)
STEPS = st.one_of(
    st.tuples(st.just("spec"), st.integers(1, 6), CASTES),
    st.tuples(st.just("back"), st.integers(0, 50), st.none()),
    st.tuples(st.just("config"), NODE, st.dictionaries(st.sampled_from("xy"), st.none() | st.integers(0, 2))),
    st.tuples(st.just("config-back"), NODE, st.integers(0, 50)),
    st.tuples(st.just("die"), NODE, st.none()),
    st.tuples(st.just("remove"), NODE, st.none()),
    st.tuples(st.just("drain"), NODE, st.booleans()),
    st.tuples(st.just("scale"), st.integers(-2, 2), st.sampled_from(["", "web"])),
    st.tuples(st.just("reconcile"), st.none(), st.none()),
)


def take(colony: Colony, step: tuple[str, Any, Any]) -> None:
    kind, one, other = step
    if kind == "spec":
        colony.run(do.PutSpec(spec=Spec(colony=COLONY, size=one, castes=other)))
    elif kind == "back" and colony.specs:
        colony.run(do.RollBackSpec(revision=colony.specs[one % len(colony.specs)]))
    elif kind == "config":
        colony.run(do.PutConfig(node=node_id(one), config=Config(vars=other)))
    elif kind == "config-back" and colony.noted:
        colony.run(do.RollBackConfig(node=node_id(one), revision=list(colony.noted)[other % len(colony.noted)]))
    elif kind == "die":
        colony.memory.delete(colony.memory.keys.key("presence", node_id(one)))
        record = colony.memory.reader.records().get(node_id(one))
        if record and one:
            dead = msgspec.structs.replace(record, status=Status.DEAD, status_since=1.0)
            colony.memory.put(colony.memory.keys.key("nodes", node_id(one)), dead)
    elif kind == "remove":
        colony.run(do.RemoveNode(node=node_id(one), force=True))
    elif kind == "drain":
        colony.run(do.ChangeNode(node=node_id(one), drained=other))
    elif kind == "scale":
        colony.run(do.AcceptHook(order=Order(operation=HookOperation.SCALE, delta=one, caste=other)))
        for job in colony.memory.reader.many("jobs/", Job).values():
            if job.open:
                finish(colony.reign._jobs._scale(job, SCALE))
                colony.note()
    elif kind == "reconcile":
        colony.reconcile()


async def _live(steps: list[tuple[str, Any, Any]]) -> Colony:
    """A reign needs a running loop; nothing it does here waits for one."""
    colony = Colony()
    for step in steps:
        take(colony, step)
    return colony


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, min_size=1, max_size=25))
def test_the_state_at_every_revision_can_be_had_from_the_events(steps: list[tuple[str, Any, Any]]) -> None:
    colony = asyncio.run(_live(steps))
    events = list(colony.memory.history.since(0, 1_000_000))
    for revision, state in colony.noted.items():
        assert rebuilt(events, revision) == state
