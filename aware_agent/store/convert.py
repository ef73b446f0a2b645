"""From etcd's messages to the store's value types."""

from __future__ import annotations

from typing import Any

from aware_agent.store.model import DeleteResult, KeyValue, OpResult, PutResult, RangeResult


def key_value(kv: Any) -> KeyValue:
    """One key of an answer or event."""
    return KeyValue(
        key=kv.key,
        value=kv.value,
        create_revision=kv.create_revision,
        mod_revision=kv.mod_revision,
        version=kv.version,
        lease=kv.lease,
    )


def range_result(answer: Any, revision: int = 0) -> RangeResult:
    """A read; inside a transaction the header is empty, so ``revision`` comes from outside."""
    return RangeResult(
        kvs=tuple(key_value(kv) for kv in answer.kvs),
        revision=revision or answer.header.revision,
        more=answer.more,
    )


def op_result(response: Any, revision: int) -> OpResult:
    """One operation's answer inside a transaction."""
    which = response.WhichOneof("response")
    if which == "response_range":
        return range_result(response.response_range, revision)
    if which == "response_put":
        return PutResult(revision=revision)
    return DeleteResult(deleted=response.response_delete_range.deleted)
