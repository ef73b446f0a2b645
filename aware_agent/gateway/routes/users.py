"""``/v1/users``: who may log in, with which role."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from aware_agent.colony.errors import InvalidInput, NotFound
from aware_agent.colony.names import Kind, check_name
from aware_agent.gateway.documents import Change, UserBody, UserDocument, UsersDocument
from aware_agent.gateway.paging import Paged, cut
from aware_agent.gateway.routing import Here, Who, answer, endpoint, listing, read
from aware_agent.queen.commands import DeleteUser, PutUser
from aware_agent.security.password import hash_password
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import HUMAN_ROLES

router = APIRouter(tags=["users"])


@endpoint(router, "GET", "/v1/users", answer=UsersDocument, lists=("users", UserDocument))
async def list_users(gateway: Here, page: Paged) -> Response:
    """All users, by name."""
    users = [_document(user) for _, user in sorted(gateway.authority.users().items())]
    found, following = cut(page, users, lambda user: user.name, str, ("users",))
    document = UsersDocument(revision=gateway.context.projection.revision, users=found, next=following)
    return listing(gateway, page, document, "users", UserDocument)


@endpoint(router, "GET", "/v1/users/{name}", answer=UserDocument)
async def read_user(gateway: Here, name: str) -> Response:
    """One user."""
    user = gateway.authority.user(name)
    if user is None:
        raise NotFound(f"there is no user {name[:80]!r}")
    return answer(gateway, _document(user))


@endpoint(router, "PUT", "/v1/users/{name}", body=UserBody, answer=Change)
async def put_user(request: Request, gateway: Here, who: Who, name: str) -> Response:
    """Create a user, or change role or password of one. Unless ``keep_sessions``, a change ends the user's sessions;
    kept or not, a lower role bounds tokens given out before at once."""
    check_name(Kind.USER, name)  # hashing a password for nobody would cost as much as for somebody
    body = await read(request, UserBody)
    if body.role not in HUMAN_ROLES:
        raise InvalidInput("nodes are no users", field="role", hint=", ".join(HUMAN_ROLES))
    hashed = None
    if body.password is not None:
        await asyncio.to_thread(gateway.context.password_rules.check, body.password, name)
        hashed = await asyncio.to_thread(hash_password, body.password)
    command = PutUser(name=name, password_hash=hashed, role=body.role, keep_sessions=body.keep_sessions)
    written = await gateway.context.commands.run(command, actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


@endpoint(router, "DELETE", "/v1/users/{name}", answer=Change)
async def delete_user(gateway: Here, who: Who, name: str) -> Response:
    """Delete a user; its sessions end at once."""
    written = await gateway.context.commands.run(DeleteUser(name=name), actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


def _document(user: UserRecord) -> UserDocument:
    return UserDocument(name=user.name, role=user.role, provider=user.provider, display=user.display)
