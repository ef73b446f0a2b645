"""Logging in by an identity provider: with a browser (RFC 8252), with a token in a file, or with one of OpenStack."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from aware_agent.cli.output import warn
from aware_agent.colony.errors import AwareError, InvalidInput

if TYPE_CHECKING:
    from aware_agent.cli.client import Gateway

WAIT_S = 300.0
_DONE = b"<!doctype html><title>AWARE</title><p>You can close this page and go back to the terminal.</p>"


class NoLogin(AwareError):
    """The browser did not come back, or not with a login."""

    code = "no-login"
    exit_code = 3


def exchange(client: Gateway, body: dict[str, str]) -> dict[str, Any]:
    """Trade what a provider gave for tokens, and keep them."""
    data = client.request("POST", "/v1/auth/exchange", body=body, authenticate=False).data
    client.keep_tokens(data)
    return dict(data)


def provider_of(client: Gateway, name: str, kind: str = "") -> dict[str, Any]:
    """The provider of that name, or with "" the only one of ``kind``. Raises :class:`InvalidInput`."""
    found = client.request("GET", "/v1/auth/providers", authenticate=False).data["providers"]
    fitting = [each for each in found if (not name or each["name"] == name) and kind in ("", each["kind"])]
    if len(fitting) == 1:
        return dict(fitting[0])
    names = ", ".join(each["name"] for each in found if kind in ("", each["kind"])) or "none"
    raise InvalidInput(f"which identity provider? the colony has: {names}", field="provider", hint="--provider NAME")


def by_browser(client: Gateway, name: str, *, open_browser: bool) -> dict[str, Any]:
    """Have the user log in there; the browser brings a code back to a port of this machine."""
    provider = provider_of(client, name)
    if not provider["login_url"]:
        raise InvalidInput(
            f"{name} takes no logins with a browser", hint="aware login --provider NAME --token-file FILE"
        )
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    with _Waiting(state) as waiting:
        asked = {"redirect_uri": waiting.url, "code_challenge": digest, "state": state}
        url = f"{provider['login_url']}?{urlencode(asked)}"
        warn(f"log in with a browser of this machine, within {WAIT_S / 60:.0f} minutes: {url}")
        if open_browser:
            import webbrowser

            webbrowser.open(url)
        code = waiting.code()
    return exchange(client, {"code": code, "code_verifier": verifier})


def by_keystone(client: Gateway, name: str, cloud: str | None) -> dict[str, Any]:
    """Show a token of the OpenStack that the environment or ``clouds.yaml`` names."""
    provider = provider_of(client, name, "keystone")
    try:
        import keystoneauth1.exceptions
        import openstack
        import openstack.exceptions
    except ImportError as error:
        raise InvalidInput("openstacksdk is not installed", hint="pip install 'aware-agent[openstack]'") from error
    try:
        token = str(openstack.connect(cloud=cloud).auth_token)
    except (keystoneauth1.exceptions.ClientException, openstack.exceptions.SDKException) as error:
        raise NoLogin(f"OpenStack gave no token: {type(error).__name__}", hint="openstack token issue") from error
    return exchange(client, {"provider": provider["name"], "token": token})


class _Waiting:
    """A server on a port of this machine that waits for the browser with our ``state``, and takes nothing else."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._found: dict[str, str] | None = None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 5.0

            def do_GET(self) -> None:
                taken = outer.take(self.path)
                self.send_response(200 if taken else 404)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-security-policy", "default-src 'none'")
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(_DONE if taken else b"")

            def log_message(self, *_: object) -> None:
                """Nothing: a request line holds a code."""

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> _Waiting:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where the browser is to come back."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def take(self, path: str) -> bool:
        """Whether this is the browser that was sent."""
        said = {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
        if not hmac.compare_digest(said.get("state", "").encode(), self._state.encode()):
            return False
        self._found = said
        return True

    def code(self) -> str:
        """What it brought. Raises :class:`NoLogin`."""
        end = time.monotonic() + WAIT_S
        while self._found is None and (left := end - time.monotonic()) > 0:
            self._server.timeout = min(left, 1.0)
            self._server.handle_request()
        if self._found is None:
            raise NoLogin(f"no browser came back within {WAIT_S:.0f} s")
        if "code" not in self._found:
            raise NoLogin(f"the provider let nobody in: {self._found.get('error', 'no reason given')[:64]}")
        return self._found["code"]
