"""Between etcd's messages and the store's value types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aware_agent.store import ops
from aware_agent.store.model import DeleteResult, KeyValue, OpResult, PutResult, RangeResult
from aware_agent.store.rpc import pb

_TARGETS = {
    ops.Target.VERSION: (pb.Compare.VERSION, "version"),
    ops.Target.CREATED: (pb.Compare.CREATE, "create_revision"),
    ops.Target.MODIFIED: (pb.Compare.MOD, "mod_revision"),
    ops.Target.LEASE: (pb.Compare.LEASE, "lease"),
    ops.Target.VALUE: (pb.Compare.VALUE, "value"),
}


def compare_message(compare: ops.Compare) -> Any:
    """A compare as etcd takes it."""
    target, field = _TARGETS[compare.target]
    result = pb.Compare.GREATER if compare.greater else pb.Compare.EQUAL
    against = compare.value if compare.target is ops.Target.VALUE else compare.number
    return pb.Compare(key=compare.key, target=target, result=result, **{field: against})


def op_message(op: ops.Op) -> Any:
    """An operation as etcd takes it."""
    match op:
        case ops.Put(key, value, lease):
            return pb.RequestOp(request_put=pb.PutRequest(key=key, value=value, lease=lease))
        case ops.Delete(key, end):
            return pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key, range_end=end))
        case ops.Get(key):
            return pb.RequestOp(request_range=pb.RangeRequest(key=key))


def txn_message(compares: Sequence[ops.Compare], success: Sequence[ops.Op], failure: Sequence[ops.Op]) -> Any:
    """A transaction as etcd takes it."""
    return pb.TxnRequest(
        compare=[compare_message(one) for one in compares],
        success=[op_message(one) for one in success],
        failure=[op_message(one) for one in failure],
    )


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
