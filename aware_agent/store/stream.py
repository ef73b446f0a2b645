"""A two-way stream to etcd, with one kind of failure and a way to end it from outside.

Nobody waits here on gRPC's word alone: a call that is cancelled before it is connected never wakes who writes to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import ExitStack
from typing import Any

import grpc
import grpc.aio

from aware_agent.store.auth import AuthenticationFailed, Metadata
from aware_agent.store.calls import being_cancelled
from aware_agent.store.failures import Failure, StreamBroken, Verdict
from aware_agent.store.requests import EtcdRequests
from aware_agent.store.rpc import Method

_EOF: Any = grpc.aio.EOF  # type: ignore[attr-defined]  # grpc-stubs does not know it
# Far longer than one attempt to connect may take: only what would wait for good is ended by it.
WRITE_S = 10.0
_REPLACED = "the connection made room for one with newer credentials"


class Stream:
    """One stream, as async context manager. Reads and writes raise :class:`StreamBroken`."""

    def __init__(self, client: EtcdRequests, method: Method) -> None:
        self._client = client
        self._method = method
        self._stack = ExitStack()
        self._metadata: Metadata | None = None
        self._call: Any = None
        self._aborted = ""
        self._reading: set[asyncio.Timeout] = set()
        self._writing: set[asyncio.Timeout] = set()

    async def __aenter__(self) -> Stream:
        """Opens at the current endpoint. :raises StreamBroken: no token could be had; StoreError: closed."""
        self._client.ring.ensure_open()
        self._line = self._stack.enter_context(self._client.ring.borrow())
        try:
            self._metadata = await self._client.tokens.metadata(self._line, self._client.timeout_s)
            self._call = self._line.stream(self._method)(metadata=self._metadata)
            # However it ends: a channel that is closed cancels its calls, too.
            self._call.add_done_callback(lambda _: _wake(self._writing))
        except AuthenticationFailed as failed:
            failure = self._client.note(self._line, None, failed.code, failed.details, sent=False)
            self._stack.close()
            raise StreamBroken(failure) from None
        except BaseException:
            self._stack.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends the stream on both sides."""
        if self._call is not None:
            self._call.cancel()
        self._stack.close()

    @property
    def endpoint(self) -> str:
        """Where it goes to."""
        return self._line.endpoint

    async def read(self) -> Any:
        """The next message."""
        message = await self._unless_broken(self._call.read(), self._reading, None)
        if message is _EOF:
            raise await self._broken(None)
        return message

    async def write(self, message: Any) -> None:
        """Sends a message; returns when gRPC has taken it. What it does not take in ``WRITE_S`` aborts the stream."""
        await self._unless_broken(self._call.write(message), self._writing, WRITE_S)

    def abort(self, reason: str) -> None:
        """Nobody answers: whoever reads or writes gets :class:`StreamBroken`, and the connection is not reused."""
        if not self._aborted:
            self._aborted = reason
            self._client.ring.report(self._line, frozen=True)
            self._call.cancel()
            _wake(self._reading | self._writing)

    def forget_token(self) -> None:
        """etcd said inside the stream that it does not like the token."""
        self._client.tokens.forget(self._metadata)

    async def _unless_broken(self, step: Awaitable[Any], waiting: set[asyncio.Timeout], limit_s: float | None) -> Any:
        """What ``step`` gives. In ``waiting`` it can be woken for as long as it takes."""
        limit = asyncio.timeout(0.0 if self._aborted else limit_s)
        try:
            async with limit:
                waiting.add(limit)
                try:
                    return await step
                finally:
                    waiting.discard(limit)
        except TimeoutError:
            if not self._call.done():
                self.abort(f"{self.endpoint} took no message for {WRITE_S:.0f} s")
            raise await self._broken(None) from None
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.CancelledError) as error:
            raise await self._broken(error) from None

    async def _broken(self, error: BaseException | None) -> BaseException:
        # "Cancelled" is also what gRPC says when the call was, by abort or because the channel was closed.
        if isinstance(error, asyncio.CancelledError) and being_cancelled():
            return error
        if self._aborted:
            return StreamBroken(Failure(verdict=Verdict.UNKNOWN, details=self._aborted, frozen=True))
        if self._line.replaced:
            return StreamBroken(Failure(verdict=Verdict.UNKNOWN, details=_REPLACED, planned=True))
        code, details = "UNAVAILABLE", "the stream ended"
        if isinstance(error, grpc.aio.AioRpcError):
            code, details = error.code().name, error.details() or ""
        elif self._call.done() and (status := await self._call.code()) is not grpc.StatusCode.OK:
            code, details = status.name, await self._call.details()
        return StreamBroken(self._client.note(self._line, self._metadata, code, details))


def _wake(waiting: set[asyncio.Timeout]) -> None:
    """Who waits in there gets TimeoutError."""
    for limit in waiting:
        if not limit.expired():
            limit.reschedule(0.0)
