"""``X-Aware-Min-Revision``: a read that is not to be answered from a picture older than what the client saw already.

Every member answers reads from its own copy, which may be a moment behind. Who has just written, or read elsewhere,
sends the ``X-Aware-Revision`` or the revision it was told.
"""

from __future__ import annotations

from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.colony.numbers import whole
from aware_agent.gateway.asgi import Scope
from aware_agent.gateway.context import GatewayContext
from aware_agent.gateway.errors import RevisionAhead
from aware_agent.store.errors import StoreUnreachable

HEADER = b"x-aware-min-revision"
_READS = ("GET", "HEAD")


class Behind(AwareError):
    """This member's copy has not reached the revision in time. ``retry_after`` in seconds."""

    code = "behind"
    exit_code = 7
    status = 503
    retry_after = 1

    def __init__(self, wanted: int, present: int) -> None:
        super().__init__(
            f"this member has read the colony up to revision {present}, not yet up to {wanted}",
            hint="ask again in a moment, or another member",
        )


async def catch_up(context: GatewayContext, scope: Scope) -> None:
    """Return when this copy is as new as a read asks for.

    Raises :class:`Behind` after a bounded time, InvalidInput for what is no revision, RevisionAhead for one that etcd
    itself has not reached.
    """
    if scope["method"] not in _READS:
        return
    text = next((value for name, value in scope["headers"] if name == HEADER), None)
    if text is None:
        return
    try:
        wanted = whole(text.decode("latin-1"))
    except ValueError:
        raise InvalidInput("X-Aware-Min-Revision is not a revision", field="X-Aware-Min-Revision") from None
    if not await context.has_been(wanted):
        raise RevisionAhead(wanted)
    try:
        await context.wait_revision(wanted)
    except StoreUnreachable:
        raise Behind(wanted, context.projection.revision) from None
