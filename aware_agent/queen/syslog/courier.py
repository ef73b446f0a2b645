"""The process that sends the audit log to a syslog receiver: ``python -m aware_agent.queen.syslog.courier``.

A child of the queen's agent, for a receiver that is slow or hangs must not meet an election; and not the gateway, which
faces the public and may only read. What it was handed it keeps until it is *settled*: the receiver's host acknowledged
all of it, and the connection stood for some seconds more. What is not settled when a connection breaks is sent again
over the next one. So a line may come twice, and is lost only by a receiver that loses what it took.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from aware_agent.agent.member.frames import MAX_FRAME, frame
from aware_agent.colony.audit import AuditLine, Head, head_of
from aware_agent.colony.decoding import from_msgpack
from aware_agent.colony.errors import AwareError, one_line
from aware_agent.colony.syslog import framed, message
from aware_agent.program import give_way
from aware_agent.queen.syslog.connection import Connection
from aware_agent.queen.syslog.messages import Begin, Failing, FromCourier, Hand, Settled, ToCourier

SETTLE_S = 3.0  # a receiver that crashes has read by then what its host acknowledged, or resets the connection
TICK_S = 0.25
IDLE_S = 5.0  # how often to look at a connection that has nothing to do
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
_NICE = 5
_MOST_REASON = 200

Tell = Callable[[FromCourier], None]


class _Piece(NamedTuple):
    head: Head
    data: bytes


class Courier:
    """Holds what is not settled; :meth:`run` is for a thread of its own."""

    def __init__(self, begin: Begin, tell: Tell, settle_s: float = SETTLE_S) -> None:
        self._begin, self._tell, self._settle_s = begin, tell, settle_s
        self._waiting: deque[_Piece] = deque()
        self._news = threading.Condition()
        self._pause = FIRST_PAUSE_S

    def hand(self, lines: tuple[AuditLine, ...]) -> None:
        """Send these too."""
        made = [_Piece(head_of(line), framed(message(line, self._begin.node))) for line in lines]
        with self._news:
            self._waiting.extend(made)
            self._news.notify()

    def run(self) -> None:
        """For ever."""
        while True:
            self.once()
            time.sleep(self._pause)
            self._pause = min(LONGEST_PAUSE_S, self._pause * 2)

    def once(self) -> None:
        """One connection, from the first line that waits until it breaks."""
        with self._news:
            while not self._waiting:
                self._news.wait()
        try:
            with Connection(self._begin) as connection:
                self._serve(connection)
        except (OSError, AwareError, ValueError) as error:
            if self._waiting:  # else nothing is late
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                self._tell(Failing(reason=one_line(reason or type(error).__name__, _MOST_REASON)))

    def _serve(self, connection: Connection) -> None:
        sent = 0  # of those that wait
        acknowledged: deque[tuple[int, float]] = deque()  # so many of them, since when
        known = 0
        while True:
            with self._news:
                if sent == len(self._waiting):
                    self._news.wait(TICK_S if sent else IDLE_S)
                fresh = list(self._waiting)[sent:]
            connection.look()
            if fresh:
                connection.send(b"".join(piece.data for piece in fresh))
                sent += len(fresh)
            if known < sent and connection.unacknowledged() == 0:
                known = sent
                acknowledged.append((sent, time.monotonic()))
            settled = 0
            while acknowledged and time.monotonic() - acknowledged[0][1] >= self._settle_s:
                settled = acknowledged.popleft()[0]
            if settled:
                self._settle(settled)
                sent, known = sent - settled, known - settled
                acknowledged = deque((count - settled, since) for count, since in acknowledged)

    def _settle(self, count: int) -> None:
        with self._news:
            last = [self._waiting.popleft() for _ in range(count)][-1]
        self._pause = FIRST_PAUSE_S
        self._tell(Settled(head=last.head))


def _tell(said: FromCourier) -> None:
    """Into the pipe. It blocks when nobody reads: a queen that hangs is told nothing and no more is sent."""
    sys.stdout.buffer.write(frame(msgspec.msgpack.encode(said)))
    sys.stdout.buffer.flush()


def _read() -> ToCourier | None:
    head = sys.stdin.buffer.read(4)
    length = int.from_bytes(head, "big")
    if len(head) < 4 or length > MAX_FRAME:
        return None
    said: ToCourier = from_msgpack(sys.stdin.buffer.read(length), ToCourier)
    return said


def _carry(courier: Courier) -> None:
    try:
        courier.run()
    except BaseException:
        traceback.print_exc()  # on standard error, as the agent's own log
    os._exit(1)


def main() -> int:
    """Send until standard input ends; then whatever is under way ends with us, at once."""
    give_way(_NICE)
    courier: Courier | None = None
    while (said := _read()) is not None:
        if isinstance(said, Begin):
            courier = Courier(said, _tell)
            threading.Thread(target=_carry, args=(courier,), daemon=True).start()
        elif courier is not None and isinstance(said, Hand):
            courier.hand(said.lines)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
