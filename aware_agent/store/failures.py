"""What a gRPC failure means for the request that met it. A pure table, because the answers decide about lost writes."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from aware_agent.store.errors import Compacted, LeaseGone, MembershipRefused, StoreError, StoreRefused


class Verdict(Enum):
    """What the client does next."""

    AUTHENTICATE = "get a new token, then repeat: nothing was written"
    ELSEWHERE = "repeat at another endpoint: nothing was written"
    UNKNOWN = "the reply is lost: the request may have been applied"
    FINAL = "etcd said no: nothing was written, a repetition gets the same answer"


class Failure(Struct, frozen=True, kw_only=True):
    """A classified failure. ``frozen``: the connection itself may be dead without telling, do not use it again."""

    verdict: Verdict
    details: str
    endpoint: str = ""
    frozen: bool = False
    passing: bool = False  # users or roles were changed while it was under way
    planned: bool = False  # nothing failed: the connection made room for one with newer credentials
    error: StoreError | None = None


class StreamBroken(Exception):
    """A stream is over; open another one. ``failure`` says why; endpoint and token were dealt with."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.details)
        self.failure = failure


# The token is unknown, expired or older than a change of users; etcd checks it before it applies anything.
_OLD = "auth store is old"
_TOKEN = ("invalid auth token", _OLD, "user name is empty")
CLOSED_BEFORE = "the connection was closed before the request was sent"
# Said by etcd's front door, before the request is proposed to the cluster.
_UNSENT = (
    "failed to connect to all addresses",
    "connections to all backends failing",
    "too many requests",
    CLOSED_BEFORE,
)
_NO_LEADER = "etcdserver: no leader"
# Refusals to change members. etcd sends some with codes that otherwise mean "try again at once", which would not help:
# after a promotion it wants five seconds of undisturbed connections between all voters.
_MEMBERSHIP = (
    ("etcdserver: unhealthy cluster", "a member is not connected, or not for long enough", True),
    ("learner member which is in sync with leader", "the learner has not got all data yet", True),
    ("too many learner members in cluster", "another learner is there already", True),
    ("not enough started members", "a member has not started yet", True),
    ("etcdserver: not leader", "it does not lead", True),
    ("bad leader transferee", "the member cannot lead now", True),
    ("can only promote a learner member", "the member votes already", False),
    ("etcdserver: member not found", "it has no such member", False),
    ("Peer URLs already exists", "a member has this peer URL already", False),
    ("member ID already exist", "a member has this id already", False),
)
_TRANSIENT = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "CANCELLED", "ABORTED"}


def classify(code: str, details: str | None) -> Failure:
    """The meaning of a gRPC status, given by its code's name and its details."""
    text = " ".join((details or "").split())[:300]
    if code == "UNAUTHENTICATED" or any(part in text for part in _TOKEN):
        return Failure(verdict=Verdict.AUTHENTICATE, details=text, passing=_OLD in text)
    if code == "PERMISSION_DENIED" or "invalid user ID or password" in text:
        return _final(text, StoreRefused(f"etcd refused: {text}", hint="check the etcd user, role and certificate"))
    if any(part in text for part in _UNSENT) or text == _NO_LEADER:
        return Failure(verdict=Verdict.ELSEWHERE, details=text)
    for said, words, later in _MEMBERSHIP:
        if said in text:
            return _final(text, MembershipRefused(f"etcd: {words}", later=later))
    if code in _TRANSIENT:
        return Failure(verdict=Verdict.UNKNOWN, details=text or code, frozen=code == "DEADLINE_EXCEEDED")
    return _final(text, _answer(code, text))


# What people call it, by what gRPC, OpenSSL and etcd write about it.
_PLAIN = (
    ("Connection refused", "connection refused"),
    ("No route to host", "no route to the host"),
    ("Network is unreachable", "the network is unreachable"),
    ("Connection reset", "the connection was cut"),
    ("Socket closed", "the connection was cut"),
    ("DNS resolution failed", "its name is not known"),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not of this colony's CA, or has expired"),
    ("Ssl handshake failed", "no TLS, or TLS of somebody else"),
    ("tls:", "it refuses this node's certificate"),
    ("Deadline Exceeded", "no answer in time"),
    ("DEADLINE_EXCEEDED", "no answer in time"),
    ("Timeout", "no answer in time"),
    ("timed out", "no answer in time"),
    (_NO_LEADER, "it knows no leader"),
)


def plain(details: str) -> str:
    """The reason in ``details`` in a few words."""
    for written, words in _PLAIN:
        if written in details:
            return words
    return details[:120]


def _answer(code: str, text: str) -> StoreError:
    if code == "OUT_OF_RANGE" and "compacted" in text:
        return Compacted(0)
    if code == "NOT_FOUND" and "lease" in text:
        return LeaseGone(0)
    if "database space exceeded" in text:
        return StoreError("etcd's database is full", hint="compact and defragment it, or raise its quota")
    return StoreError(f"etcd: {text or code}")


def _final(text: str, error: StoreError) -> Failure:
    return Failure(verdict=Verdict.FINAL, details=text, error=error)
