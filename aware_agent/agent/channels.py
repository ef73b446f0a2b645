"""A node's channels to the council: what it says on them, and what it does when something is said to it."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aware_agent import tracing
from aware_agent.agent.load_meter import LoadMeter
from aware_agent.agent.orders import Orders
from aware_agent.channel.client import Channel
from aware_agent.channel.frames import (
    AuditNotes,
    AuditTaken,
    BadFrame,
    Command,
    FromMember,
    Hello,
    NewReport,
    Problem,
    Result,
    Seat,
    Why,
    encode,
)
from aware_agent.channel.links import Links
from aware_agent.channel.tls import client_context
from aware_agent.colony.decoding import cleaned
from aware_agent.colony.errors import AwareError, one_line
from aware_agent.colony.node import Report
from aware_agent.colony.trace import parse

log = logging.getLogger(__name__)


class NodeChannels:
    """Implements :class:`aware_agent.channel.client.Node`; ``name`` is what a member's certificate carries."""

    def __init__(
        self,
        name: str,
        certificate: Path,
        key: Path,
        *,
        ca: Callable[[], bytes],
        report: Report,
        orders: Orders,
        meter: LoadMeter,
        news: Callable[[FromMember], None] = lambda _frame: None,
        moved: Callable[[Channel], None] = lambda _channel: None,
    ) -> None:
        self._files = certificate, key
        self._ca = ca
        self._report = report
        self._orders, self._meter = orders, meter
        self._news, self._moved = news, moved
        self.taken: Callable[[int], None] = lambda _number: None  # told when the queen has notes for the audit log
        self._context: ssl.SSLContext | None = None
        self._links = Links(self, name)

    def aim(self, *seats: Seat | None) -> None:
        """Keep channels to these members, and no others."""
        self._links.aim([seat for seat in seats if seat is not None])

    def alive(self, signs: Mapping[str, str]) -> None:
        """What shows that members live. Whoever shows a new sign is dialled at once if it has no channel."""
        self._links.alive(signs)

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of the members it keeps channels to, or tries to."""
        return self._links.members

    def say(self, report: Report) -> None:
        """The node's report changed."""
        if report != self._report:
            self._report = report
            self._links.post(NewReport(report))

    def renewed(self) -> None:
        """Certificate or CAs changed: attempts from now on use the new ones."""
        self._context = None

    def note(self, notes: AuditNotes) -> bool:
        """Send notes for the audit log to whoever may reign; she who does says when it has them."""
        sent = False
        for member in self.members:
            channel = self._links.get(member)
            sent = (channel is not None and channel.post(notes)) or sent
        return sent

    def reaches(self, member: str) -> bool:
        """Whether the channel to ``member`` is open."""
        channel = self._links.get(member)
        return channel is not None and channel.is_open

    def get(self, member: str) -> Channel | None:
        """The channel to ``member``, whatever its state."""
        return self._links.get(member)

    def states(self) -> Mapping[str, int]:
        """How many channels are in which state."""
        return self._links.states()

    async def close(self, why: Why) -> None:
        """Say good-bye."""
        await self._links.close(why)

    # What channels ask and tell ---------------------------------------------------------------------------------------

    def hello(self) -> Hello:
        """What this node says first."""
        return Hello(incarnation=self._report.incarnation, report=self._report)

    def context(self) -> ssl.SSLContext:
        """This node's certificate and the CAs it believes."""
        if self._context is None:
            self._context = client_context(*self._files, self._ca())
        return self._context

    def load(self, channel: Channel) -> bytes:
        """How busy this node is, if the member does not know it yet."""
        number = self._meter.look()
        if number == channel.load_told:
            return b""
        channel.load_told = number
        return self._meter.frame

    def told(self, channel: Channel, frame: FromMember) -> None:
        """A member says something."""
        if isinstance(frame, Command):
            channel.post(self._carry_out(frame))
        elif isinstance(frame, AuditTaken):
            self.taken(frame.number)
        else:
            self._news(frame)

    def moved(self, channel: Channel) -> None:
        """The state of a channel changed."""
        self._moved(channel)

    def _carry_out(self, command: Command) -> Result:
        problem: Problem
        try:
            with tracing.follow(parse(command.trace)):
                answer: dict[str, Any] = self._orders.perform(command.order, command.term)
            result = Result(id=command.id, answer=cleaned(answer))
            encode(result)
        except BadFrame:
            problem = Problem(code="too-long", message="the answer is too long for a frame")
        except AwareError as error:
            problem = Problem(code=error.code, message=one_line(error.message), hint=one_line(error.hint))
        except Exception:  # a bug in one order must not end the channel
            log.exception("an order broke")
            problem = Problem(code="internal-error", message="the order failed; this is a bug", hint="see its log")
        else:
            return result
        return Result(id=command.id, problem=problem)
