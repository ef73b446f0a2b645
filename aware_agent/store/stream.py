"""A two-way stream to etcd, with one kind of failure and a way to end it from outside."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

import grpc
import grpc.aio

from aware_agent.store.auth import AuthenticationFailed, Metadata
from aware_agent.store.failures import Failure, StreamBroken, Verdict
from aware_agent.store.requests import EtcdRequests, being_cancelled
from aware_agent.store.rpc import Method

_EOF: Any = grpc.aio.EOF  # type: ignore[attr-defined]  # grpc-stubs does not know it


class Stream:
    """One stream, as async context manager. Reads and writes raise :class:`StreamBroken`."""

    def __init__(self, client: EtcdRequests, method: Method) -> None:
        self._client = client
        self._method = method
        self._stack = ExitStack()
        self._metadata: Metadata | None = None
        self._call: Any = None
        self._aborted = ""

    async def __aenter__(self) -> Stream:
        """Opens at the current endpoint. :raises StreamBroken: no token could be had; StoreError: closed."""
        self._client.ring.ensure_open()
        self._line = self._stack.enter_context(self._client.ring.borrow())
        try:
            self._metadata = await self._client.tokens.metadata(self._line, self._client.timeout_s)
            self._call = self._line.stream(self._method)(metadata=self._metadata)
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
        try:
            message = await self._call.read()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.CancelledError) as error:
            raise await self._broken(error) from None
        if message is _EOF:
            raise await self._broken(None)
        return message

    async def write(self, message: Any) -> None:
        """Sends a message; returns when gRPC has taken it."""
        try:
            await self._call.write(message)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.CancelledError) as error:
            raise await self._broken(error) from None

    def abort(self, reason: str) -> None:
        """Nobody answers: whoever reads or writes gets :class:`StreamBroken`, and the connection is not reused."""
        if not self._aborted:
            self._aborted = reason
            self._client.ring.report(self._line, frozen=True)
            self._call.cancel()

    def forget_token(self) -> None:
        """etcd said inside the stream that it does not like the token."""
        self._client.tokens.forget(self._metadata)

    async def _broken(self, error: BaseException | None) -> BaseException:
        # "Cancelled" is also what gRPC says when the call was, by abort or because the channel was closed.
        if isinstance(error, asyncio.CancelledError) and being_cancelled():
            return error
        if self._aborted:
            return StreamBroken(Failure(verdict=Verdict.UNKNOWN, details=self._aborted, frozen=True))
        code, details = "UNAVAILABLE", "the stream ended"
        if isinstance(error, grpc.aio.AioRpcError):
            code, details = error.code().name, error.details() or ""
        elif self._call.done() and (status := await self._call.code()) is not grpc.StatusCode.OK:
            code, details = status.name, await self._call.details()
        return StreamBroken(self._client.note(self._line, self._metadata, code, details))
