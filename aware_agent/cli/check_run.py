"""Running ``aware check election``: clients that each have a gateway client and a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from aware_agent.check.report import Seen
from aware_agent.check.workload import CHANGED, NoAnswer, Workload
from aware_agent.check.workload import Answer as Told
from aware_agent.cli.client import Gateway
from aware_agent.cli.context import Context
from aware_agent.cli.errors import ChangedMeanwhile, NotAllowed, OutcomeUnknown, Refused, Unreachable
from aware_agent.cli.output import warn
from aware_agent.colony.errors import AwareError

ANSWER_S = 15.0  # for so long a client repeats one operation; the queen keeps the keys of writes for longer
_TRY_S = 3.0  # for one host's answer
_PER_SECOND = 100  # operations of all clients together, at most
_PAUSE_S = 0.05  # of one client, at least
_LEFT_S = 60.0  # what an access token has to be good for, beyond the check itself
T = TypeVar("T")


class Wanted(NamedTuple):
    """What to do; ``hand_overs``: how many planned ones to ask for, evenly in ``duration_s``."""

    duration_s: float
    clients: int
    operations: int
    hand_overs: int
    seed: int


class GatewaySender:
    """A client's way to the queen; see :class:`aware_agent.check.workload.Sender`."""

    def __init__(self, client: Gateway, pool: ThreadPoolExecutor) -> None:
        self._client, self._pool = client, pool

    async def ask(self, method: str, path: str, body: object = None, *, if_match: int | None = None) -> Told:
        """The queen's answer. Raises NoAnswer, and the error that any other answer stands for."""
        try:
            answer = await self._off(lambda: self._client.request(method, path, body=body, if_match=if_match))
        except ChangedMeanwhile:
            return Told(CHANGED, {})
        except Unreachable as error:
            raise NoAnswer(maybe=isinstance(error, OutcomeUnknown)) from error
        if not isinstance(answer.data, dict):
            raise Refused(f"{method} /v1/check was answered with no document", hint="is this an AWARE gateway?")
        return Told(answer.status, answer.data)

    async def _off(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def run_check(context: Context, wanted: Wanted) -> Seen:
    """Check the colony of ``context``. Raises the error for which it could not begin or not go on."""
    with contextlib.ExitStack() as open_:
        pool = ThreadPoolExecutor(wanted.clients + 1)
        open_.callback(pool.shutdown, wait=False, cancel_futures=True)
        first = open_.enter_context(_gateway(context))
        _prepare(first, wanted)
        more = [open_.enter_context(_gateway(context)) for _ in range(wanted.clients)]
        for client in more:
            client.get("/v1/nodes")  # from it a client learns where all members are
        return asyncio.run(_check(first, more, pool, wanted))


def _gateway(context: Context) -> Gateway:
    return Gateway(context, deadline_s=ANSWER_S, timeout_s=_TRY_S)


def _prepare(client: Gateway, wanted: Wanted) -> None:
    """Refuse what would fail later, and renew a token that would run out meanwhile: clients cannot do it at once."""
    me: dict[str, Any] = client.get("/v1/auth/me").data
    if wanted.hand_overs and me.get("role") not in ("admin", "security-admin"):
        raise NotAllowed(
            f"--hand-over needs role admin, you are {me.get('role')}", hint="log in as somebody who has it"
        )
    client.get("/v1/nodes")
    if float(me.get("expires_at", 0.0)) - time.time() < wanted.duration_s + _LEFT_S:
        client.refresh()


async def _check(first: Gateway, more: Sequence[Gateway], pool: ThreadPoolExecutor, wanted: Wanted) -> Seen:
    common = GatewaySender(first, pool)
    work = Workload(
        [GatewaySender(client, pool) for client in more],
        common,
        seed=wanted.seed,
        pause_s=max(_PAUSE_S, wanted.clients / _PER_SECOND),
        most=wanted.operations,
    )
    try:
        await work.begin()
    except NoAnswer as silence:
        raise silence.__cause__ or silence from None  # it names every host and its reason
    asked: list[int] = []
    said: list[str] = []
    with _interrupts(work.over) as interrupted:
        try:
            work.start()
            handing = asyncio.create_task(_hand_over(common, work, wanted, asked, said))
            await work.wait(wanted.duration_s)
            handing.cancel()
            await asyncio.gather(handing, return_exceptions=True)
            await work.stop()
        finally:
            await _remove(work)
    return Seen(
        colony=first.context.colony,
        clients=wanted.clients,
        began=work.began,
        ended=work.ended,
        history=work.history,
        accepted=work.accepted,
        undone=work.undone,
        asked=asked,
        hand_overs=said,
        interrupted=bool(interrupted),
    )


async def _hand_over(common: GatewaySender, work: Workload, wanted: Wanted, asked: list[int], said: list[str]) -> None:
    """Ask for the planned changes; what came of each is told in ``said``, the terms they end in ``asked``."""
    for number in range(1, wanted.hand_overs + 1):
        due = work.began + wanted.duration_s * number / (wanted.hand_overs + 1)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        at = time.monotonic() - work.began
        try:
            done = (await common.ask("POST", "/v1/queen/step-down")).document
        except (AwareError, NoAnswer) as error:
            said.append(f"{at:.2f} s: not done: {error}")
            continue
        asked.append(done["term"])
        heir = done.get("to")
        said.append(
            f"{at:.2f} s: {done['from']['name']} was asked to hand over to {heir['name'] if heir else 'an heir'}"
        )


async def _remove(work: Workload) -> None:
    try:
        await work.remove()
    except (AwareError, NoAnswer) as error:
        warn(f"what the check wrote is still there, one key, until the next check begins: {error}")


@contextlib.contextmanager
def _interrupts(over: asyncio.Event) -> Iterator[list[int]]:
    """The first Ctrl-C or SIGTERM sets ``over`` and is in the list; a second one ends the program at once."""
    loop, got = asyncio.get_running_loop(), list[int]()

    def stop(number: int) -> None:
        got.append(number)
        over.set()
        loop.remove_signal_handler(number)

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop, number)
    try:
        yield got
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
