"""What a newcomer and a queen say to each other, checked on arrival, and how a join can fail."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from aware_agent.colony.addresses import is_host_address
from aware_agent.colony.decoding import UNDECODABLE, from_json, json_to_show
from aware_agent.colony.errors import AwareError, InvalidInput, one_line
from aware_agent.colony.ids import ULID
from aware_agent.colony.names import Kind, check_name
from aware_agent.colony.urls import gateway_url
from aware_agent.security.records import CouncilAccess
from aware_agent.security.sealing import KEY_BYTES, MAX_SEALED_BYTES, Opener, Purpose
from aware_agent.security.signing import MAX_SIGNATURE_BYTES

JOIN_PATH = "/v1/join"
CA_PATH = "/v1/ca"
JOIN_CONTEXT = b"aware-join/1\0"
# A request is a CSR (about 500 bytes) and names; an answer two certificates. More is not a join.
MAX_REQUEST_BYTES = 16 * 1024
MAX_ANSWER_BYTES = 64 * 1024
MAX_CSR_CHARACTERS = 8 * 1024
MIN_SECRET_BYTES = 16
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


class ThroughBalancer(AwareError):
    """A join or renewal came through a load balancer, whose word for an address is not enough for a certificate."""

    code = "through-balancer"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "this connection came through a load balancer: nobody can see whose address it is",
            hint="go to a member of the council itself; GET /v1/council names them",
        )


class KeyDenied(AwareError):
    """A node with this key was removed from the colony; nothing was changed."""

    code = "key-denied"
    exit_code = 20
    status = 403


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
    csr: str  # PEM; its names are not looked at
    node_id: str  # ULID
    name: str
    address: str  # IP address; a hint, see colony.addresses
    url: str  # base URL of the newcomer's gateway
    box_key: bytes  # X25519; secrets come back encrypted for it
    signature: bytes = b""  # with the node's key, over everything else

    def __repr__(self) -> str:
        """Safe to log."""
        return f"JoinRequest(token_id={self.token_id!r}, node_id={self.node_id!r}, name={self.name!r})"


class JoinAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to an accepted join. Unknown fields are ignored: the queen may be newer."""

    certificate: str  # PEM, CN = node id
    ca: str  # PEM bundle
    sealed: bytes  # Secrets, for the key the request carried; base64 on the wire
    etcd: tuple[str, ...] = ()  # endpoints host:port; a worker has no business there
    channels: tuple[str, ...] = ()  # where council members take channels, host:port
    joined_at: float  # Unix seconds on the queen's clock
    addresses: tuple[str, ...] = ()  # in the certificate
    generation: int = 1  # of the secret
    signed_by: int = 1  # generation of the CA that signed
    issued_at: float = 0.0  # Unix seconds on the queen's clock


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What only the node that asked may read of the answer."""

    colony_secret: bytes
    others: dict[int, bytes] = {}  # other generations of it that are believed as well
    whole: bool = False  # False: instead of the secret only what beacons need of it
    council: CouncilAccess | None = None  # with it the node gets to etcd; exactly who holds the secret has it

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Secrets(whole={self.whole!r})"


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
    check_name(Kind.NODE, request.name)
    require(is_host_address(request.address), "address", "is not an IP address other nodes can reach")
    check_signed(request.box_key, request.signature)
    require(gateway_url(request.url) != "", "url", "is not https://host:port")
    require(len(request.csr) <= MAX_CSR_CHARACTERS, "csr", "is too long")
    require(max(len(request.colony), len(request.token_id), len(request.secret)) <= 128, "token_id", "is too long")
    return request


def parse_join_answer(raw: bytes) -> JoinAnswer:
    """Decode and check the queen's answer. Raises :class:`InvalidInput`."""
    answer = decode_checked(raw, JoinAnswer, "join answer")
    require(0 < len(answer.sealed) <= MAX_SEALED_BYTES, "sealed", "has the wrong length")
    named = (*answer.etcd, *answer.channels)  # a worker is told of channels alone
    require(bool(named) and all(named), "etcd", "names no endpoint")
    return answer


def parse_problem(raw: bytes) -> Problem:
    """What can be made of an error body; an empty problem when it is none of ours."""
    try:
        problem: Problem = json_to_show(raw, Problem)
    except UNDECODABLE:
        return Problem()
    return Problem(**{name: one_line(text) for name, text in msgspec.structs.asdict(problem).items()})


def check_signed(box_key: bytes, signature: bytes) -> None:
    """Check the shape of what a signed request carries. Raises InvalidInput."""
    require(len(box_key) == KEY_BYTES, "box_key", "has the wrong length")
    require(len(signature) <= MAX_SIGNATURE_BYTES, "signature", "is too long")


def open_secrets(sealed: bytes, opener: Opener, *, purpose: Purpose, colony: str, node_id: str) -> Secrets:
    """What an answer holds for us alone. Raises NotForUs, InvalidInput."""
    raw = opener.open(sealed, purpose=purpose, colony=colony, node_id=node_id)
    secrets = decode_checked(raw, Secrets, "join answer")
    each = (secrets.colony_secret, *secrets.others.values())
    require(all(len(secret) >= MIN_SECRET_BYTES for secret in each), "colony_secret", "is too short")
    require(secrets.whole == (secrets.council is not None), "council", "does not fit the secret it comes with")
    return secrets


def decode_checked(raw: bytes, kind: type[T], what: str) -> T:
    """Decode strictly. Raises :class:`InvalidInput` that names the field, never a value of it."""
    try:
        return from_json(raw, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        raise InvalidInput(f"{what}: {message}", field=path.strip("`").removeprefix("$.")) from error
    except UNDECODABLE as error:
        raise InvalidInput(f"{what} is not JSON") from error


def require(condition: bool, field: str, complaint: str) -> None:
    """Raise :class:`InvalidInput` about ``field`` unless ``condition``."""
    if not condition:
        raise InvalidInput(f"join: {field} {complaint}", field=field)
