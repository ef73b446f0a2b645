"""An HTTP client that finds the queen by itself and keeps the token inside the colony.

It promises:

* every request goes over TLS verified with the colony's CA; proxies of the environment are not used;
* the token is sent only to *known* hosts: the context's endpoints and the members a gateway named last;
* a redirect is followed only to a known host;
* broken connections and 503 are tried again, at every known host, until the deadline. A write that
  may have arrived is not sent twice unless sending it twice does no harm.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec

from aware_agent.cli.context import Context, origin
from aware_agent.cli.errors import ContextError, NotLoggedIn, OutcomeUnknown, Refused, Unreachable, from_problem
from aware_agent.colony.errors import AwareError
from aware_agent.security.files import write_atomic

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOPS = 3
_PAUSE_S = (0.05, 0.5)  # first and longest pause between rounds
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
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
    params: dict[str, str]
    body: Any
    headers: dict[str, str]
    repeatable: bool
    authenticate: bool
    stream: bool = False


class Gateway:
    """The gateway of one colony, whichever node serves it."""

    def __init__(self, context: Context, *, deadline_s: float = 10.0, timeout_s: float = 5.0) -> None:
        """``deadline_s`` bounds the search for the queen, ``timeout_s`` the wait for one answer."""
        self.context = context
        self.deadline_s = deadline_s
        timeout = httpx.Timeout(timeout_s, connect=min(1.0, timeout_s))
        self._http = httpx.Client(verify=_trust(context), trust_env=False, follow_redirects=False, timeout=timeout)
        self._members = _load_members(context)
        self._good = ""

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # -- verbs ---------------------------------------------------------------------------------------------

    def get(self, path: str, **params: Any) -> Answer:
        """Read ``path``; parameters that are ``None`` are left out."""
        return self.request("GET", path, params=params)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: Any = None,
        if_match: int | None = None,
        repeatable: bool | None = None,
        authenticate: bool = True,
    ) -> Answer:
        """Send a request to the queen and return its answer. Raises the error the answer stands for.

        ``repeatable`` says that doing it twice is the same as once; by default true for reads and for
        PUT and PATCH without ``if_match``.
        """
        if repeatable is None:
            repeatable = method == "GET" or (method in {"PUT", "PATCH"} and if_match is None)
        request = _Request(
            method=method,
            path=path,
            params={key: str(value) for key, value in (params or {}).items() if value is not None},
            body=body,
            headers={} if if_match is None else {"If-Match": f'"{if_match}"'},
            repeatable=repeatable,
            authenticate=authenticate,
        )
        response = self._answered(request)
        data = _decode(response)
        self._remember(data)
        return Answer(
            status=response.status_code,
            data=data,
            node=response.headers.get("X-Aware-Node", ""),
            revision=response.headers.get("X-Aware-Revision", ""),
        )

    @contextmanager
    def stream(self, path: str, params: dict[str, Any], headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Open a stream at the queen. A break is raised as :class:`httpx.TransportError`."""
        request = _Request(
            method="GET",
            path=path,
            params={key: str(value) for key, value in params.items() if value is not None},
            body=None,
            headers=headers,
            repeatable=True,
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
        order = dict.fromkeys(([self._good] if self._good else []) + list(self.context.endpoints) + self._members)
        return list(order)

    # -- finding the queen ---------------------------------------------------------------------------------

    def _answered(self, request: _Request) -> httpx.Response:
        response = self._search(request)
        if response.status_code == 401 and request.authenticate and self.refresh():
            response = self._search(request)
        if not response.is_success:
            raise from_problem(response.status_code, _decode(response))
        return response

    def _search(self, request: _Request) -> httpx.Response:
        """Go round the known hosts until one gives an answer or the deadline is over."""
        end = time.monotonic() + self.deadline_s
        pause = _PAUSE_S[0]
        trouble = ""
        while True:
            for host in self.known():
                outcome = self._visit(host, request)
                if isinstance(outcome, httpx.Response):
                    return outcome
                trouble = outcome
                if time.monotonic() > end:
                    break
            if time.monotonic() + pause > end:
                break
            time.sleep(pause)
            pause = min(pause * 2, _PAUSE_S[1])
        raise Unreachable(
            f"no gateway of colony {self.context.colony} answered within {self.deadline_s:g} s: {trouble}",
            hint=f"endpoints are in {self.context.path}",
        )

    def _visit(self, host: str, request: _Request) -> httpx.Response | str:
        """Ask one host and follow its redirects: an answer, or a sentence why there is none."""
        for _ in range(_HOPS + 1):
            try:
                response = self._send(host, request)
            except _NOT_SENT as error:
                return f"{host}: {_reason(error)}"
            except httpx.TransportError as error:
                if not request.repeatable:
                    raise OutcomeUnknown(
                        f"{host} went away while it worked on this: it may or may not be done",
                        hint="look at aware events, then repeat if needed",
                    ) from error
                return f"{host}: {_reason(error)}"
            if response.status_code in REDIRECTS:
                target = origin(response.headers.get("Location", ""))
                if target not in self.known():
                    return f"{host} redirects to {target or 'nowhere'}, which is not a known member"
                host = target
                continue
            if response.status_code == 503 and _worth_again(response, request):
                return f"{host}: {from_problem(503, _decode(response)).message}"
            self._good = host
            return response
        return f"{host}: too many redirects"

    def _send(self, host: str, request: _Request) -> httpx.Response:
        headers = dict(request.headers)
        token = self.context.token() if request.authenticate else ""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        content = None
        if request.body is not None:
            content = msgspec.json.encode(request.body)
            headers["Content-Type"] = "application/json"
        built = self._http.build_request(
            request.method, host + request.path, params=request.params, content=content, headers=headers
        )
        if request.stream:
            built.extensions["timeout"] = {**built.extensions["timeout"], "read": QUIET_S}
        response = self._http.send(built, stream=True)
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
            answer = self.request(
                "POST", "/v1/auth/refresh", body={"refresh_token": old}, authenticate=False, repeatable=True
            )
        except (NotLoggedIn, Refused):
            # A refresh token is good for one use: another aware beside us may have just used it.
            return self.context.token() != used
        self.keep_tokens(answer.data)
        return True

    def keep_tokens(self, data: Any) -> None:
        """Write the tokens of an answer of ``/v1/auth/token`` or ``/v1/auth/refresh``."""
        if not isinstance(data, dict) or not isinstance(data.get("access_token"), str):
            raise Refused("the gateway sent no access token")
        write_atomic(self.context.token_file, data["access_token"].encode() + b"\n")
        if isinstance(data.get("refresh_token"), str):
            write_atomic(self.context.refresh_file, data["refresh_token"].encode() + b"\n")

    def _remember(self, data: Any) -> None:
        members = _members_of(data)
        if not members or members == self._members:
            return
        self._members = members
        try:
            write_atomic(self.context.members_file, msgspec.json.encode(members))
        except AwareError:
            return  # a read-only context still works, it only forgets


def _trust(context: Context) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(context.ca_file))
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a PEM certificate"
        raise ContextError(f"cannot use CA file {context.ca_file}: {reason}", hint=f"see {context.path}") from error


def _load_members(context: Context) -> list[str]:
    try:
        found = msgspec.json.decode(context.members_file.read_bytes(), type=list[str])
    except (OSError, UnicodeDecodeError, msgspec.DecodeError):
        return []
    return [url for url in found if origin(url) == url]


def _members_of(data: Any) -> list[str]:
    """Origins of all members named by an inventory or nodes answer; empty for any other answer."""
    if not isinstance(data, dict):
        return []
    if isinstance(data.get("members"), list) and data.get("complete") is True:
        urls = data["members"]
    elif isinstance(data.get("nodes"), list):
        urls = [node.get("url") for node in data["nodes"] if isinstance(node, dict)]
    else:
        return []
    return sorted({host for url in urls if isinstance(url, str) and (host := origin(url))})


def _worth_again(response: httpx.Response, request: _Request) -> bool:
    """Whether a 503 may be tried again: always when repeating is harmless, else when surely nothing was done."""
    if request.repeatable:
        return True
    problem = _decode(response)
    return isinstance(problem, dict) and "code" in problem and problem.get("maybe_applied") is not True


def _decode(response: httpx.Response) -> Any:
    if not response.is_stream_consumed or not response.content:
        return None
    try:
        return msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if not response.is_success:
            return None
        raise Refused(f"{response.request.url} did not answer with JSON", hint="is this an AWARE gateway?") from error


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not signed by this colony's CA"
    return text.replace("[Errno 111] ", "")
