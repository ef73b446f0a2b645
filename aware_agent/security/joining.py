"""What a newcomer and a queen say to each other, checked on arrival, and how a join can fail."""

from __future__ import annotations

import ipaddress
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.colony.ids import ULID
from aware_agent.colony.spec import NAME

JOIN_PATH = "/v1/join"
CA_PATH = "/v1/ca"
# A request is a CSR (about 500 bytes) and names; an answer two certificates. More is not a join.
MAX_REQUEST_BYTES = 16 * 1024
MAX_ANSWER_BYTES = 64 * 1024
MAX_CSR_CHARACTERS = 8 * 1024
MAX_URL = 256
MIN_SECRET_BYTES = 16
# A node of this name would catch what Ansible means for the controller or for everybody.
RESERVED_NODE_NAMES = frozenset({"all", "localhost", "ungrouped"})
T = TypeVar("T")


class CaPinMismatch(AwareError):
    """The other side is not of the colony the token names; the token was not shown to it."""

    code = "ca-pin-mismatch"
    exit_code = 13
    status = 502


class NameTaken(AwareError):
    """Another node of the colony has this name (or this node id with another key); nothing was changed."""

    code = "name-taken"
    exit_code = 19
    status = 409


class JoinFailed(AwareError):
    """A colony was found, but it could not take this node in."""

    code = "join-failed"
    exit_code = 14
    status = 503


class JoinRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/join``."""

    colony: str
    token_id: str
    secret: str  # of the token; sent over verified TLS only
    csr: str  # PEM; proves possession of the key, its names are not looked at
    node_id: str  # ULID
    name: str
    address: str  # IP address
    url: str  # base URL of the newcomer's gateway
    candidate: bool = True  # whether it wants to be able to reign

    def __repr__(self) -> str:
        """Safe to log."""
        return f"JoinRequest(token_id={self.token_id!r}, node_id={self.node_id!r}, name={self.name!r})"


class JoinAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to an accepted join. Unknown fields are ignored: the queen may be newer."""

    certificate: str  # PEM, CN = node id
    ca: str  # PEM bundle
    colony_secret: bytes  # base64 on the wire
    etcd: tuple[str, ...]  # endpoints host:port
    joined_at: float  # Unix seconds on the queen's clock
    generation: int = 1  # of the secret
    others: dict[int, bytes] = {}  # other generations of it that are believed as well
    signed_by: int = 1  # generation of the CA that signed
    issued_at: float = 0.0  # Unix seconds on the queen's clock
    whole: bool = True  # False: instead of the secret only what beacons need of it

    def __repr__(self) -> str:
        """Without the secret."""
        return f"JoinAnswer(etcd={self.etcd!r}, joined_at={self.joined_at!r})"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a problem+json document (RFC 9457) a client of ours acts on."""

    code: str = ""
    title: str = ""
    detail: str = ""
    hint: str = ""


def parse_join_request(raw: bytes) -> JoinRequest:
    """Decode and check the body of a join. Raises :class:`InvalidInput` that names the field, never a value of it."""
    if len(raw) > MAX_REQUEST_BYTES:
        raise InvalidInput(f"a join request has at most {MAX_REQUEST_BYTES} bytes")
    request = decode_checked(raw, JoinRequest, "join request")
    require(ULID.fullmatch(request.node_id) is not None, "node_id", "is not a ULID")
    check_node_name(request.name)
    require(is_host_address(request.address), "address", "is not an IP address other nodes can reach")
    require(is_node_url(request.url), "url", "is not https://host:port")
    require(len(request.csr) <= MAX_CSR_CHARACTERS, "csr", "is too long")
    require(max(len(request.colony), len(request.token_id), len(request.secret)) <= 128, "token_id", "is too long")
    return request


def parse_join_answer(raw: bytes) -> JoinAnswer:
    """Decode and check the queen's answer. Raises :class:`InvalidInput`."""
    answer = decode_checked(raw, JoinAnswer, "join answer")
    secrets = (answer.colony_secret, *answer.others.values())
    require(all(len(secret) >= MIN_SECRET_BYTES for secret in secrets), "colony_secret", "is too short")
    require(bool(answer.etcd) and all(answer.etcd), "etcd", "names no endpoint")
    return answer


def parse_problem(raw: bytes) -> Problem:
    """What can be made of an error body; an empty problem when it is none of ours."""
    try:
        problem = msgspec.json.decode(raw, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Problem()
    return Problem(**{name: _one_line(text) for name, text in msgspec.structs.asdict(problem).items()})


def check_node_name(name: str) -> None:
    """Raise :class:`InvalidInput` unless ``name`` can be a host name, a certificate name and an inventory name."""
    require(
        NAME.fullmatch(name) is not None, "name", "is not a name of lower-case letters, digits and -, from a letter on"
    )
    require(name not in RESERVED_NODE_NAMES, "name", f"{name!r} means something else to Ansible")


def is_node_url(url: str) -> bool:
    """Whether ``url`` is ``https://host[:port]`` and nothing more; plain http only on a loopback address."""
    if len(url) > MAX_URL or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        return False
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc or not parts.hostname:
        return False
    return port_fits and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _one_line(text: str) -> str:
    """Fit for a log line and a terminal, whoever wrote it."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text[:500]).split())


def is_host_address(address: str) -> bool:
    """Whether ``address`` is an IP address a host can have."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (parsed.is_unspecified or parsed.is_multicast)


def decode_checked(raw: bytes, kind: type[T], what: str) -> T:
    """Decode strictly. Raises :class:`InvalidInput` that names the field, never a value of it."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        raise InvalidInput(f"{what}: {message}", field=path.strip("`").removeprefix("$.")) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{what} is not JSON") from error


def require(condition: bool, field: str, complaint: str) -> None:
    """Raise :class:`InvalidInput` about ``field`` unless ``condition``."""
    if not condition:
        raise InvalidInput(f"join: {field} {complaint}", field=field)
