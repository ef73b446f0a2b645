"""What the queen has a node do: an order over its channel, put on record first, and the node's own answer."""

from __future__ import annotations

import msgspec

from aware_agent.agent.channel_state import ChannelState
from aware_agent.agent.member.channels import MemberChannels
from aware_agent.channel.frames import CheckUpgrade, CollectDiagnostics, NodeOrder, RestartAgent, SetLogLevel
from aware_agent.channel.session import NoChannel
from aware_agent.colony.event import Severity
from aware_agent.queen.commands import OrderResult
from aware_agent.queen.nodes import node_record
from aware_agent.queen.present import Present
from aware_agent.queen.writer import EventDraft, FencedWriter

ANSWER_S = 10.0
_SENTENCES: dict[type, str] = {
    RestartAgent: "{} restarts its agent, as {} ordered",
    SetLogLevel: "{} logs at another level, as {} ordered",
    CollectDiagnostics: "diagnostics of {} were collected for {}",
    CheckUpgrade: "{} was asked by {} whether it could be upgraded",
}


class NodeOrders:
    """For one reign."""

    def __init__(self, writer: FencedWriter, channels: MemberChannels, present: Present) -> None:
        self._writer = writer
        self._present = present
        self._channels = channels

    async def order(self, node_id: str, order: NodeOrder, *, actor: str) -> OrderResult:
        """Have a node do something. Raises NotFound, NoChannel, NoAnswer, NodeRefused, Deposed."""
        record, _ = node_record(self._writer, node_id)
        if not self._channels.reaches(record.id):
            raise NoChannel(f"{record.name} has no channel to the queen now", hint="is its agent up?")
        sentence = _SENTENCES[type(order)].format(record.name, actor)
        line = EventDraft("node.ordered", record.id, sentence, Severity.NOTICE, msgspec.to_builtins(order))
        # The record comes first, and it is fenced: a queen that was deposed orders nobody about.
        async with self._writer.writing():
            written = await self._writer.commit([], [line], actor)
        if isinstance(order, RestartAgent):
            self._present.expect(record.id)
        answer = await self._channels.command(record.id, order, self._writer.term, ANSWER_S)
        return OrderResult(revision=written.revision, term=written.term, answer=answer)

    async def channel(self, node_id: str) -> ChannelState:
        """The channel of a node to the queen. Raises NotFound."""
        record, _ = node_record(self._writer, node_id)
        return self._channels.state(record.id)
