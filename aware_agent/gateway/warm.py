"""What the first write after an election would otherwise wait for: half a second of loading and building, done before.

FastAPI builds its routes and middleware with the first request, and tokens need packages that load with the first one.
A gateway counts as serving when that is behind it, and only who serves is an heir.
"""

from __future__ import annotations

from aware_agent.gateway.asgi import App, Message, Scope
from aware_agent.gateway.authority import Authority
from aware_agent.security.jwt import BARE_TTL_S
from aware_agent.security.roles import Role

_NOBODY = "warm-up"  # should a user have that name: the role of its token changes nothing
_PATH = "/v1/nodes/warm-up"


async def warm_up(app: App, authority: Authority) -> int:
    """Send a write through ``app`` that is refused for want of a role; returns the status of the refusal."""
    token = authority.signer.issue(_NOBODY, Role.VIEWER, now=authority.now(), ttl_s=BARE_TTL_S).token
    status = 0

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(_scope(token), receive, send)
    return status


def _scope(token: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "PATCH",
        "scheme": "https",
        "path": _PATH,
        "raw_path": _PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {token}".encode()), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
