"""Lists ranges as of one revision, in pages, so that a large colony does not come in one message."""

from __future__ import annotations

from collections.abc import Sequence

from aware_agent.store.model import KeyValue
from aware_agent.store.protocol import KeyRange, Store

PAGE = 2000


async def list_ranges(
    client: Store, ranges: Sequence[KeyRange], *, page: int = 0
) -> tuple[int, list[dict[bytes, KeyValue]]]:
    """The revision, and the keys of each range at exactly that revision. ``page``: keys per request (0: PAGE).

    :raises Compacted: the revision was compacted between two pages: start again.
    """
    revision = 0
    listed: list[dict[bytes, KeyValue]] = []
    for start, end in ranges:
        found: dict[bytes, KeyValue] = {}
        after = start
        while True:
            result = await client.range(after, end, revision=revision, limit=page or PAGE)
            revision = revision or result.revision
            found.update((kv.key, kv) for kv in result.kvs)
            if not result.more:
                break
            after = result.kvs[-1].key + b"\0"
        listed.append(found)
    return revision, listed
