"""An HTTP client that finds the queen by itself and keeps the token inside the colony.

It promises:

* every request goes over TLS verified with the colony's CA; proxies of the environment are not used;
* tokens and passwords are sent only to whom TLS proves to be of the colony's council; a worker that was given as
  endpoint is asked without any credential who that is;
* without a CA of the colony (the authorities of this system), only to *known* hosts: the context's endpoints and the
  members a gateway named last, redirects included;
* the CA file follows a rotation: when the queen, who was verified, says that others are believed now, they are
  fetched from her;
* broken connections and 503 are tried again, at every known host, until the deadline; after a 429 for too many
  requests as soon as ``Retry-After`` allows. A write carries an
  Idempotency-Key, so that one whose answer was lost is sent again and done once.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from aware_agent import __version__, tracing
from aware_agent.cli.context import TOKEN, Context
from aware_agent.cli.errors import ContextError, NotLoggedIn, OutcomeUnknown, Refused, Unreachable, from_problem
from aware_agent.cli.members import load_members, members_of, save_members
from aware_agent.cli.output import warn
from aware_agent.cli.reasons import is_stranger, listed, reason_of
from aware_agent.cli.suggest import did_you_mean, names_in
from aware_agent.cli.tracing import headers as trace_headers
from aware_agent.colony.decoding import UNDECODABLE, json_to_show
from aware_agent.colony.errors import AwareError, InvalidInput, NotFound
from aware_agent.colony.trace import SpanKind
from aware_agent.colony.urls import origin
from aware_agent.postponed import as_if_missing
from aware_agent.security.files import write_atomic
from aware_agent.security.keyring import fingerprint

with as_if_missing("httpx._main"):  # its own command line, which loads another library for arguments, and colours
    import httpx

from aware_agent.cli.verified import Verifier  # imports httpx as well

CA_PATH = "/v1/ca"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOPS = 3
_COUNCIL = 32  # addresses workers named; anybody may be a worker
_PAUSE_S = (0.05, 0.5)  # first and longest pause between rounds
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_PASSING = ("too-many-requests", "quota-spent")
QUIET_S = 30.0  # a stream without a byte for so long is broken


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A successful answer."""

    status: int
    data: Any
    node: str
    revision: str


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    path: str
    params: dict[str, str | list[str]]
    body: Any
    headers: dict[str, str]
    changes: bool  # something, so that its lost answer leaves open whether it was done
    authenticate: bool
    stream: bool = False


class _Trouble(NamedTuple):
    """Why a host gave no answer to go by; ``answered``: it answered at all, ``maybe``: it may have done it."""

    reason: str
    hint: str = ""
    answered: bool = True
    maybe: bool = False


class Gateway:
    """The gateway of one colony, whichever node serves it."""

    def __init__(self, context: Context, *, deadline_s: float = 10.0, timeout_s: float = 5.0) -> None:
        """``deadline_s`` bounds the search for the queen, ``timeout_s`` the wait for one answer."""
        self.context = context
        self.deadline_s = deadline_s
        timeout = httpx.Timeout(timeout_s, connect=min(1.0, timeout_s))
        self._timeout = timeout
        self._verifier = Verifier(context)
        named = {"user-agent": f"aware/{__version__}"}  # a list of sessions tells who logged in with what
        self._http = httpx.Client(
            verify=self._verifier.tls, trust_env=False, follow_redirects=False, timeout=timeout, headers=named
        )
        self._members = load_members(context.members_file)
        self._council: list[str] = []
        self._good = ""
        self._written = 0  # the newest revision a write of ours was told: reads are to be as new
        self._seen_mark = ""  # of the CAs, as the queen said last

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # -- verbs ---------------------------------------------------------------------------------------------

    def get(self, path: str, **params: Any) -> Answer:
        """Read ``path``; parameters that are ``None`` are left out, lists are repeated."""
        return self.request("GET", path, params=params)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: Any = None,
        if_match: int | None = None,
        authenticate: bool = True,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request to the queen and return its answer. Raises the error the answer stands for.

        A write is named by a key of its own, so it is sent until somebody answers and done once. When nobody does, and
        a host may have done it, that is :class:`OutcomeUnknown`. What is below /v1/auth/ may be done twice.
        """
        changes = method != "GET" and not path.startswith("/v1/auth/")
        headers = {**(headers or {}), **({} if if_match is None else {"If-Match": f'"{if_match}"'})}
        if changes:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        elif self._written and method == "GET":
            headers["X-Aware-Min-Revision"] = str(self._written)
        request = _Request(
            method=method,
            path=path,
            params=_query(params or {}),
            body=body,
            headers=headers,
            changes=changes,
            authenticate=authenticate,
        )
        response = self._answered(request)
        data = _decode(response)
        if not request.params:  # a filtered list names some members only
            self._remember(data)
        if changes and isinstance(data, dict) and isinstance(data.get("revision"), int):
            self._written = max(self._written, data["revision"])
        return Answer(
            status=response.status_code,
            data=data,
            node=response.headers.get("X-Aware-Node", ""),
            revision=response.headers.get("X-Aware-Revision", ""),
        )

    def ask(self, host: str, path: str, *, anyhow: bool = False) -> Any:
        """What ``host`` itself answers to a read of ``path``; ``anyhow``: whatever its status, for health pages.

        Nobody else is asked. Raises :class:`Unreachable` with the reason, or the error the answer stands for.
        """
        if not (self._verifier.name or host in self.known()):
            raise Unreachable(f"{host} is not a known member")
        request = _Request(
            method="GET", path=path, params={}, body=None, headers={}, changes=False, authenticate=not anyhow
        )
        try:
            response = self._send(host, request)
        except httpx.TransportError as error:
            raise Unreachable(reason_of(error)) from error
        data = _decode(response)
        if response.status_code in REDIRECTS:
            raise Refused("it does not answer for itself: is it a council member of this version?")
        if not (response.is_success or anyhow):
            raise from_problem(response.status_code, data)
        return data

    @contextmanager
    def stream(self, path: str, params: dict[str, Any], headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Open a stream at the queen. A break is raised as :class:`httpx.TransportError`."""
        request = _Request(
            method="GET",
            path=path,
            params=_query(params),
            body=None,
            headers=headers,
            changes=False,
            authenticate=True,
            stream=True,
        )
        response = self._answered(request)
        try:
            yield response
        finally:
            response.close()

    def known(self) -> list[str]:
        """Hosts the token may be sent to, the last one that answered first."""
        first = [self._good] if self._good else []
        order = dict.fromkeys([*first, *self.context.endpoints, *self._members, *self._council])
        return list(order)

    # -- finding the queen ---------------------------------------------------------------------------------

    def _answered(self, request: _Request) -> httpx.Response:
        response = self._patiently(request)
        if response.status_code == 401 and request.authenticate and self.refresh():
            response = self._patiently(request)
        if response.status_code == 401 and self.context.half_made:
            raise NotLoggedIn("the demo is only half made: nobody has logged in to it yet", hint="make demo")
        if not response.is_success:
            raise self._with_names(from_problem(response.status_code, _decode(response)), request)
        return response

    def _with_names(self, error: AwareError, request: _Request) -> AwareError:
        """What is not there, with what may have been meant: a list is read for it, when the colony gives one."""
        if not isinstance(error, NotFound):
            return error
        for named in names_in(request.path, request.body):
            try:
                found = self.get(named.path).data[named.field]
                near = did_you_mean(named.name, [str(one[named.key]) for one in found])
            except (AwareError, LookupError, TypeError):
                continue
            if near:
                return NotFound(error.message + near, hint=error.hint)
        return error

    def _patiently(self, request: _Request) -> httpx.Response:
        """An answer; one that asks to come again later is done as it says, if that is within the deadline."""
        end = time.monotonic() + self.deadline_s
        while True:
            response = self._search(request)
            wait = _told_to_wait(response)
            if not wait or time.monotonic() + wait > end:
                return response
            time.sleep(wait)

    def _search(self, request: _Request) -> httpx.Response:
        """Go round the known hosts until one gives an answer or the deadline is over."""
        end = time.monotonic() + self.deadline_s
        pause = _PAUSE_S[0]
        troubles: dict[str, _Trouble] = {}
        maybe: tuple[str, _Trouble] | None = None
        while True:
            asked = set[str]()
            while host := next((host for host in self.known() if host not in asked), ""):
                asked.add(host)
                outcome = self._visit(host, request)
                if isinstance(outcome, httpx.Response):
                    return outcome
                if request.changes and outcome.maybe:
                    maybe = host, outcome
                if outcome.answered or not (host in troubles and troubles[host].answered):
                    troubles[host] = outcome  # a time-out tells less than what a host said before
                if time.monotonic() > end:
                    break
            if time.monotonic() + pause > end:
                break
            time.sleep(pause)
            pause = min(pause * 2, _PAUSE_S[1])
        if maybe is not None:
            raise OutcomeUnknown(
                f"{maybe[0]} went away while it worked on this ({maybe[1].reason}), and nobody tells what became of it "
                f"within {self.deadline_s:g} s: it may or may not be done",
                hint="look at aware events, then repeat if needed",
            )
        raise self._unreachable(troubles)

    def _unreachable(self, troubles: dict[str, _Trouble]) -> Unreachable:
        """Every host with its reason; those that were not asked before the time was over say so."""
        colony = f" of colony {self.context.colony}" if self.context.colony else ""
        spoke = any(trouble.answered for trouble in troubles.values())
        what = f"the queen{colony} was not found" if spoke else f"no gateway{colony} answered"
        reasons = {host: troubles[host].reason if host in troubles else "not asked in time" for host in self.known()}
        hint = next((trouble.hint for trouble in troubles.values() if trouble.hint), "")
        return Unreachable(
            f"{what} within {self.deadline_s:g} s: {listed(reasons)}",
            hint=hint or f"endpoints are in {self.context.origin}",
        )

    def _visit(self, host: str, request: _Request) -> httpx.Response | _Trouble:
        """Ask one host and follow its redirects: an answer, or why there is none."""
        first, via = host, ""
        for _ in range(_HOPS + 1):
            try:
                response = self._send(host, request)
            except _NOT_SENT as error:
                learned = self._learn(host) if self._verifier.refused(error) else reason_of(error)
                return _Trouble(via + learned, hint=self._stale_ca(error), answered=host != first)
            except httpx.TransportError as error:
                return _Trouble(via + reason_of(error), answered=host != first, maybe=True)
            if response.status_code in REDIRECTS:
                target = origin(response.headers.get("Location", ""))
                if not target or not (self._verifier.name or target in self.known()):
                    return _Trouble(f"{via}it redirects to {target or 'nowhere'}, which is not a known member")
                host, via = target, f"it redirects to {target}: "
                continue
            if response.status_code == 503:
                problem = from_problem(503, _decode(response))
                maybe = isinstance(problem, OutcomeUnknown)
                return _Trouble(via + problem.message, hint=problem.hint, maybe=maybe)
            self._good = host
            self._follow_rotation(host, response)
            return response
        return _Trouble("too many redirects")

    def _learn(self, host: str) -> str:
        """Ask a worker who is of the council; says what it named."""
        try:
            urls = self._verifier.council_at(host, self._timeout)
        except httpx.TransportError as error:
            return reason_of(error)
        self._council = list(dict.fromkeys([*urls, *self._council]))[:_COUNCIL]
        return f"it is a worker and names {', '.join(urls) or 'nobody'} as council"

    def _stale_ca(self, error: BaseException) -> str:
        """What to do when a certificate is of a CA that is not believed."""
        if not self._verifier.name or not is_stranger(error):
            return ""
        file = self.context.ca_file
        return f"were its CAs rotated meanwhile? copy state/ca.crt of any of its nodes to {file}, then aware login"

    def _follow_rotation(self, host: str, response: httpx.Response) -> None:
        """Believe what the queen says is believed now: who she is was verified by a CA that is believed already."""
        mark = response.headers.get("X-Aware-CA", "")
        if response.headers.get("X-Aware-Role") != "queen" or mark == self._seen_mark:
            return
        self._seen_mark = mark
        try:
            file = self._verifier.behind(mark)
            if file is None:
                return
            request = self._http.build_request("GET", host + CA_PATH)
            self._verifier.bind(request)
            answer = self._http.send(request)
            if answer.is_success and fingerprint(answer.content) == mark:
                self._verifier.believe(file, answer.content)
        except (httpx.HTTPError, InvalidInput):
            self._seen_mark = ""  # the next answer says it again
        except OSError as error:
            warn(f"the CAs of the colony change, and {self.context.ca_file} cannot be written: {error.strerror}")

    def _send(self, host: str, request: _Request) -> httpx.Response:
        headers = dict(request.headers)
        token = self.context.token() if request.authenticate else ""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        content = None
        if request.body is not None:
            content = msgspec.json.encode(request.body)
            headers["Content-Type"] = "application/json"
        about = {"http.request.method": request.method, "server.address": host, "url.path": request.path}
        with tracing.span(request.method, SpanKind.CLIENT, about) as span:
            headers |= trace_headers()
            built = self._http.build_request(
                request.method, host + request.path, params=request.params, content=content, headers=headers
            )
            self._verifier.bind(built)
            if request.stream:
                built.extensions["timeout"] = {**built.extensions["timeout"], "read": QUIET_S}
            response = self._http.send(built, stream=True)
            span.set("http.response.status_code", response.status_code)
            if not (request.stream and response.is_success):
                response.read()
        return response

    # -- what it keeps -------------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Trade the refresh token for a new access token; false when that is not possible."""
        used, old = self.context.token(), self.context.refresh_token()
        if not old:
            return False
        try:
            answer = self.request("POST", "/v1/auth/refresh", body={"refresh_token": old}, authenticate=False)
        except (NotLoggedIn, Refused):
            # A refresh token is good for one use: another aware beside us may have just used it.
            return self.context.token() != used
        self.keep_tokens(answer.data)
        return True

    def check_keeps_tokens(self) -> None:
        """Raise :class:`ContextError` when there is no place for a new token, or it would not be used."""
        if self.context.given_token:
            raise ContextError(f"{TOKEN} is set and would win over what a login gets", hint=f"unset {TOKEN}")
        if self.context.token_file is None:
            raise ContextError(
                "there is no file to keep a token in", hint="set AWARE_TOKEN_FILE, or use --context FILE"
            )

    def login(self, username: str, password: str) -> Any:
        """Ask for tokens and keep them; returns the answer's document."""
        body = {"username": username, "password": password}
        # A token of before, run out or not, shows that we have been here: others' failures do not count for us then.
        known = self.context.token()
        headers = {"Authorization": f"Bearer {known}"} if known else {}
        answer = self.request("POST", "/v1/auth/token", body=body, authenticate=False, headers=headers)
        self.keep_tokens(answer.data)
        return answer.data

    def keep_tokens(self, data: Any) -> None:
        """Write the tokens of an answer of ``/v1/auth/token`` or ``/v1/auth/refresh``."""
        if not isinstance(data, dict) or not isinstance(data.get("access_token"), str):
            raise Refused("the gateway sent no access token")
        self.check_keeps_tokens()
        assert self.context.token_file is not None
        write_atomic(self.context.token_file, data["access_token"].encode() + b"\n")
        if isinstance(data.get("refresh_token"), str) and self.context.refresh_file:
            write_atomic(self.context.refresh_file, data["refresh_token"].encode() + b"\n")

    def _remember(self, data: Any) -> None:
        members = members_of(data)
        if members and members != self._members:
            self._members = members
            save_members(self.context.members_file, members)


def _told_to_wait(response: httpx.Response) -> float:
    """In how many seconds to ask again. 0 for a login that failed too often: what was wrong stays wrong."""
    if response.status_code != 429:
        return 0.0
    document = _decode(response)
    code = document.get("code") if isinstance(document, dict) else ""
    text = response.headers.get("Retry-After", "")
    return float(text) if code in _PASSING and text.isascii() and text.isdigit() and len(text) < 6 else 0.0


def _query(params: dict[str, Any]) -> dict[str, str | list[str]]:
    """Without what is not given; a list is a parameter that is repeated."""
    given = {key: value for key, value in params.items() if value is not None and value != []}
    return {key: [str(v) for v in value] if isinstance(value, list) else str(value) for key, value in given.items()}


def _decode(response: httpx.Response) -> Any:
    if not response.is_stream_consumed or not response.content:
        return None
    try:
        return json_to_show(response.content)
    except UNDECODABLE as error:
        if not response.is_success:
            return None
        raise Refused(f"{response.request.url} did not answer with JSON", hint="is this an AWARE gateway?") from error
