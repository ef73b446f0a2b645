"""The request that is being answered: its id, and who asks by what right. Commands and refusals take it from here.

The id comes from the client (``X-Request-Id``) when it is a usable one, else it is made. It is in the answer, in every
log line about the request, goes with a command to the queen and stands in the audit log. Light: workers import this.
"""

from __future__ import annotations

import itertools
import os
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from aware_agent.colony.audit import MAX_TEXT, Asker, Kind
from aware_agent.gateway.asgi import Scope, client_of
from aware_agent.security.grant import Grant

if TYPE_CHECKING:
    from aware_agent.security.jwt import Principal

HEADER = b"x-request-id"
_USABLE = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,64}")
_PLACE = "aware.request"  # in the ASGI scope
_PREFIX = os.urandom(4).hex().encode()
_COUNT = itertools.count(1)


class Asking:
    """One request. What is known of who asks grows while it is answered."""

    def __init__(self, request: str = "", source: str = "", method: str = "", path: str = "") -> None:
        self.request, self.source, self.method, self.path = request, source, method, path
        self.route = ""  # the template of the path, once it is known
        self.actor = self.role = self.credential = ""
        self.kind = Kind.ANONYMOUS
        self.principal: Principal | None = None  # of a token that was verified
        self.subject = ""  # what a refusal is about, where the path does not say it
        self.code = ""  # of the problem it is answered with
        self.status = 0  # of the answer, once it has begun

    def know(self, principal: Principal) -> None:
        """A token was verified."""
        self.principal = principal
        self.actor, self.role = principal.name, str(principal.role)
        self.kind = Kind.SERVICE if principal.program else Kind.USER
        self.credential = f"session:{principal.session}" if principal.session else f"token:{principal.jti}"

    def shown(self, actor: str, credential: str, kind: Kind = Kind.USER) -> None:
        """Something else that speaks for somebody was verified: a signed URL, a join token, a password."""
        self.actor, self.credential, self.kind = actor, credential, kind

    def asker(self, member: str, source: str = "") -> Asker:
        """For a command that ``member`` sends on."""
        route = f"{self.method} {self.route or self.path}"
        return Asker(
            kind=self.kind,
            role=self.role,
            source=(source or self.source)[:MAX_TEXT],
            credential=self.credential[:MAX_TEXT],
            request=self.request,
            route=route[:MAX_TEXT] if self.method else "",
            member=member,
        )


_ASKING: ContextVar[Asking] = ContextVar("asking")


def asking() -> Asking:
    """The request that the present task answers; outside of any an empty one, which is the task's from then on."""
    found = _ASKING.get(None)
    if found is None:
        answer_to(found := Asking())
    return found


def grant_for(actor: str) -> Grant | None:
    """The right with which ``actor`` asks; None when the request proves itself by what it carries."""
    who = asking().principal
    if who is None or who.name != actor:
        return None
    token = who.jti if who.program else ""
    return Grant(role=who.role, account=who.user_id, scopes=who.scopes, token=token)


def answer_to(asked: Asking) -> None:
    """This task answers that request."""
    _ASKING.set(asked)


def usable(said: bytes | None) -> bytes:
    """The id that a client gave, if it is one; else a new one."""
    return said if said and _USABLE.fullmatch(said) else b"%s-%x" % (_PREFIX, next(_COUNT))


def request_id(scope: Scope) -> bytes:
    """The id of a request: the client's, when it is one; else a new one. The same however often it is asked."""
    known: Any = scope.get(_PLACE)
    if known is None:
        said = next((value for name, value in scope.get("headers", ()) if name == HEADER), None)
        known = scope[_PLACE] = usable(said)
    return bytes(known)


def begin(scope: Scope) -> Asking:
    """What is known of a request before anybody looked at it."""
    return Asking(request_id(scope).decode(), client_of(scope), scope.get("method", "WS"), scope["path"])
