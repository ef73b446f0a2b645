"""``/v1/sessions``: who is logged in, and ending that."""

from __future__ import annotations

from fastapi import APIRouter, Response

from aware_agent.colony.errors import NotFound
from aware_agent.colony.session import Session, ends_at
from aware_agent.colony.spec import Policies
from aware_agent.gateway.documents import Change, SessionDocument, SessionsDocument
from aware_agent.gateway.paging import Paged, cut
from aware_agent.gateway.routing import Here, Who, answer, endpoint, listing
from aware_agent.gateway.state import Gateway
from aware_agent.queen.commands import EndSession, EndSessions
from aware_agent.queen.writer import Written
from aware_agent.security.judging import may, permit
from aware_agent.security.jwt import Principal

router = APIRouter(tags=["sessions"])


@endpoint(router, "GET", "/v1/sessions", answer=SessionsDocument, lists=("sessions", SessionDocument))
async def list_sessions(gateway: Here, who: Who, page: Paged) -> Response:
    """Your own sessions; for an admin those of everybody."""
    spec = gateway.context.reader.data().spec
    lifetime_s = (spec.policies if spec else Policies()).session_lifetime_s
    found = [(key, session) for key, session in gateway.authority.sessions().items() if _may(who, session.user, "read")]
    found.sort(key=lambda item: (-item[1].begun_at, item[0]))
    documents = [_document(key, session, who, lifetime_s) for key, session in found]
    shown, following = cut(page, documents, lambda one: (-one.begun_at, one.id), tuple[float, str], ("sessions",))
    document = SessionsDocument(revision=gateway.context.projection.revision, sessions=shown, next=following)
    return listing(gateway, page, document, "sessions", SessionDocument)


@endpoint(router, "DELETE", "/v1/sessions/{session_id}", answer=Change)
async def end_session(gateway: Here, who: Who, session_id: str) -> Response:
    """End one session: your own, or for an admin anybody's."""
    session = gateway.authority.session(session_id)
    if session is None or not _may(who, session.user, "end"):  # nobody learns which ids others have
        raise NotFound("there is no such session", hint="list them: aware sessions list, or GET /v1/sessions")
    written = await gateway.context.commands.run(EndSession(session=session_id), actor=who.name)
    return _change(gateway, written)


@endpoint(router, "DELETE", "/v1/sessions", answer=Change)
async def end_everybodys(gateway: Here, who: Who) -> Response:
    """Log everybody out, whoever asks for it too."""
    return _change(gateway, await gateway.context.commands.run(EndSessions(user=None), actor=who.name))


@endpoint(router, "DELETE", "/v1/users/{name}/sessions", answer=Change)
async def end_a_users(gateway: Here, who: Who, name: str) -> Response:
    """Log one user out everywhere: yourself, or for an admin anybody."""
    if not _may(who, name, "end"):
        permit(who, "sessions:end-all")
    return _change(gateway, await gateway.context.commands.run(EndSessions(user=name), actor=who.name))


def _may(who: Principal, user: str, verb: str) -> bool:
    return may(who, f"sessions:{verb}" if user == who.name else f"sessions:{verb}-all")


def _change(gateway: Gateway, written: Written) -> Response:
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


def _document(key: str, session: Session, who: Principal, lifetime_s: float) -> SessionDocument:
    return SessionDocument(
        id=key,
        user=session.user,
        begun_at=session.begun_at,
        refreshed_at=session.refreshed_at,
        ends_at=ends_at(session, lifetime_s),
        source=session.source,
        client=session.client,
        current=key == who.session,
    )
