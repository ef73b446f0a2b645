"""How one gRPC call fails, in one form.

gRPC says "cancelled" in two ways: to the task that somebody cancelled, and to whoever waits for a call whose connection
was closed under it, by us for one with newer credentials or for good. Taken for the first, the second would end duties
without a word: only the first leaves here as ``CancelledError``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import grpc.aio

from aware_agent.store.failures import CLOSED_BEFORE

_CLOSED: type[Exception] = grpc.aio.UsageError
CLOSED_UNDER_IT = "the connection was closed under the request"


class CallFailed(Exception):
    """A call without an answer: name of gRPC's code, and what was said with it."""

    def __init__(self, code: str, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


@contextmanager
def one_call() -> Iterator[None]:
    """Around one call. :raises CallFailed: there is no answer; CancelledError: the task is cancelled."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise CallFailed(error.code().name, error.details() or "") from None
    except _CLOSED:
        raise CallFailed("UNAVAILABLE", CLOSED_BEFORE) from None
    except asyncio.CancelledError:
        if being_cancelled():
            raise
        raise CallFailed("CANCELLED", CLOSED_UNDER_IT) from None


def being_cancelled() -> bool:
    """Whether it is the current task that is cancelled, and not a call inside it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
