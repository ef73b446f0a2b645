"""To whom the command line shows a credential: which name TLS has to prove, and whom to ask when it does not."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from pathlib import Path

import httpx

from aware_agent.cli.context import Context
from aware_agent.cli.errors import ContextError, Unreachable
from aware_agent.cli.reasons import listed
from aware_agent.colony.council_document import COUNCIL_PATH, MAX_DOCUMENT_BYTES, parse_council
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.names import council_host
from aware_agent.colony.urls import origin
from aware_agent.security.files import PUBLIC_MODE, write_atomic
from aware_agent.security.keyring import fingerprint
from aware_agent.security.regular import open_regular, read_regular

AWARE_CA = "AWARE colony CA"  # organisation of every colony's CA
_PIN = re.compile(r"[A-Za-z0-9_-]{43}")
_OTHER_NAME, _OTHER_ADDRESS = 62, 64  # OpenSSL: X509_V_ERR_HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH


class Verifier:
    """What a context says about trust. ``name`` is empty without a colony's CA: then the name in the URL counts."""

    def __init__(self, context: Context) -> None:
        """Raises :class:`ContextError` when the CA file cannot be used."""
        self._context = context
        self.tls = _trust(context)
        self.name = _council_name(context.colony, self.tls) if context.ca_file else ""

    def bind(self, request: httpx.Request) -> None:
        """Let ``request`` go to nobody who does not prove the name."""
        if self.name:
            request.extensions["sni_hostname"] = self.name

    def stranger(self) -> ssl.SSLContext:
        """Believes whoever has a certificate of the CAs, whatever its name: for asking without any credential."""
        trust = _trust(self._context)
        trust.check_hostname = not self.name  # without a colony's CA the name is all there is
        return trust

    def refused(self, error: BaseException) -> bool:
        """Whether ``error`` is that the other side is of the colony, but not of its council."""
        cause: BaseException | None = error
        for _ in range(8):  # httpx wraps httpcore, which wraps ssl
            if not self.name or cause is None:
                return False
            if isinstance(cause, ssl.SSLCertVerificationError):
                return cause.verify_code in (_OTHER_NAME, _OTHER_ADDRESS)
            cause = cause.__cause__ or cause.__context__
        return False

    def behind(self, mark: str) -> Path | None:
        """The file that has to be made anew when the colony's CAs are those of ``mark``; None when there is none.

        A file that also holds other CAs than this colony's is somebody's own, and stays as it is.
        """
        path = self._context.ca_file
        if not self.name or path is None or not mark or fingerprint(read_regular(path)) == mark:
            return None
        return path if _only_colony(ssl.create_default_context(cafile=str(path))) else None

    def believe(self, path: Path, bundle: bytes) -> None:
        """Believe ``bundle`` (PEM), which came from a member that was verified, and keep it in ``path``.

        Raises InvalidInput for what are no CAs of a colony, OSError when the file cannot be written.
        """
        try:
            loaded = ssl.create_default_context(cadata=bundle.decode("ascii"))
        except (ssl.SSLError, ValueError) as error:
            raise InvalidInput("the queen sent something else than CA certificates") from error
        if not _only_colony(loaded):
            raise InvalidInput("the queen sent certificates that are no CAs of a colony")
        write_atomic(path, bundle, PUBLIC_MODE)
        self.tls.load_verify_locations(cadata=bundle.decode("ascii"))  # the next connection needs it already

    def council_at(self, host: str, timeout: httpx.Timeout) -> tuple[str, ...]:
        """Whom the worker at ``host`` names. It is shown no credential, and what it says proves nothing.

        Raises httpx.TransportError.
        """
        body = bytearray()
        with (
            httpx.Client(verify=self.stranger(), trust_env=False, follow_redirects=False, timeout=timeout) as http,
            http.stream("GET", host + COUNCIL_PATH) as response,
        ):
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > MAX_DOCUMENT_BYTES:
                    break
        document = parse_council(bytes(body)) if response.is_success else None
        return document.urls if document else ()


def _only_colony(trust: ssl.SSLContext) -> bool:
    """Whether it believes CAs of a colony and nothing else."""
    names = [dict(part[0] for part in each.get("subject", ())) for each in trust.get_ca_certs()]  # type: ignore[misc]
    return bool(names) and all(name.get("organizationName") == AWARE_CA for name in names)


def _council_name(colony: str, trust: ssl.SSLContext) -> str:
    """The name a certificate must have; "" when the CA is no colony's.

    A colony's CA bears its name, so endpoints and a CA file are enough to know it.
    """
    named = colony_of(trust)
    return council_host(colony or named) if named else ""


def colony_of(trust: ssl.SSLContext) -> str:
    """The colony whose CA is believed; "" when none is."""
    for authority in trust.get_ca_certs():
        subject = dict(part[0] for part in authority.get("subject", ()))  # type: ignore[misc]
        if subject.get("organizationName") == AWARE_CA:
            return str(subject.get("commonName", ""))
    return ""


def believing(bundle: bytes) -> ssl.SSLContext:
    """What believes ``bundle``, PEM. Raises InvalidInput for what are no certificates."""
    try:
        return ssl.create_default_context(cadata=bundle.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise InvalidInput("the CA file holds no PEM certificates", field="ca-file") from error


def fetch_pinned(endpoints: Sequence[str], pin: str, timeout_s: float) -> bytes:
    """The CA certificate (PEM) whose key has ``pin``, from the first endpoint that has it.

    It is public, and nothing is believed but the comparison. Raises InvalidInput, Unreachable.
    """
    from aware_agent.agent import https
    from aware_agent.security.pki import find_pinned

    if not _PIN.fullmatch(pin):
        raise InvalidInput("that is no CA pin", field="ca-pin", hint="43 letters, digits, - and _: aware context show")
    reasons: dict[str, str] = {}
    for url in endpoints:
        base = origin(url)
        if not base:
            raise InvalidInput(f"{url.rpartition('@')[2]!r} is not https://host:port", field="endpoint")
        try:
            reply = https.exchange(
                "GET",
                base + "/v1/ca",
                context=https.anonymous_context(),
                server_name="",
                timeout_s=timeout_s,
                limit=MAX_DOCUMENT_BYTES,
            )
        except (https.Unreachable, https.Untrusted) as error:
            reasons[base] = str(error)
            continue
        found = find_pinned(reply.body, pin) if reply.status == 200 else None
        if found is not None:
            return found
        reasons[base] = "its CA has another pin" if reply.status == 200 else f"it answered {reply.status}"
    raise Unreachable(
        f"no endpoint showed a CA with this pin: {listed(reasons)}",
        hint="of another colony, or is somebody in between?",
    )


def _trust(context: Context) -> ssl.SSLContext:
    named = None if context.ca_file is None else str(context.ca_file)
    try:
        if context.ca_file is not None:
            open_regular(context.ca_file).close()  # OpenSSL would wait for a pipe
        return ssl.create_default_context(cafile=named)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror if error.strerror and not isinstance(error, ssl.SSLError) else "not a PEM certificate"
        raise ContextError(f"cannot use CA file {named}: {reason}", hint=f"see {context.origin}") from error
