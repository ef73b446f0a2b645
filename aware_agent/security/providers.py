"""Identity providers: who else may say who somebody is, and what the colony makes of it. No I/O.

A provider says who comes and what he belongs to; the rules here say which role that is worth. Where none matches there
is no way in. A user who comes by one is another kind of user than those with a password: the name has a colon, which no
local name can have, and is made of the provider's name and its own, unchanging name of the user (the subject).
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.reach import Reach, refusal
from aware_agent.security.derive import derive
from aware_agent.security.roles import HUMAN_ROLES, Role, allows
from aware_agent.security.sealed import Sealer, seal_key_id

KIND = "identity-providers"
REACH = Reach(inside=True)  # an admin says where a provider is, and most are in networks of his own
MAX_PROVIDERS = 16
MAX_RULES = 64
MAX_VALUES = 64
MAX_TEXT = 512
MAX_CA = 64 * 1024
SESSION_S = (300.0, 7 * 86400.0)
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
_PLAIN = re.compile(r"[A-Za-z0-9._@=-]{1,64}")
_EMAIL = "email"
_SUBJECT = "sub"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whoever has one of ``values`` in ``claim`` gets ``role``.

    A claim is a text or a list of texts; ``a.b`` is ``b`` inside of ``a``. Values are compared letter by letter; only
    of ``sub`` a value that ends with ``*`` is the beginning. ``email`` counts only where the provider says that it
    verified it.
    """

    role: Role
    values: tuple[str, ...]
    claim: str = "groups"


class OidcProvider(msgspec.Struct, frozen=True, kw_only=True, tag="oidc", tag_field="kind"):
    """An OpenID Connect provider. Its metadata are at ``<issuer>/.well-known/openid-configuration``."""

    issuer: str
    client_id: str = ""  # for logins with a browser; empty: there are none
    client_secret: bytes = b""  # sealed; empty: a public client
    public_url: str = ""  # https://host[:port] where browsers reach any member: the callback is below it
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    audiences: tuple[str, ...] = ()  # of tokens that programs exchange; empty: none is taken
    hosts: tuple[str, ...] = ()  # beside the issuer's, where its other endpoints are: host or host:port
    ca: str = ""  # PEM; empty: the authorities of the system
    name_claim: str = "preferred_username"  # shown beside the user's name, decides nothing
    rules: tuple[Rule, ...] = ()
    session_s: float = 8 * 3600.0  # so long a session lasts at most: then the provider is asked again

    def __repr__(self) -> str:
        """Without the secret."""
        return f"OidcProvider({self.issuer!r})"


class KeystoneProvider(msgspec.Struct, frozen=True, kw_only=True, tag="keystone", tag_field="kind"):
    """OpenStack's identity service. Rules may ask for ``grants``: ``ROLE@PROJECT-DOMAIN/PROJECT``."""

    url: str  # https://host:port/v3
    ca: str = ""
    rules: tuple[Rule, ...] = ()
    session_s: float = 8 * 3600.0


Provider = OidcProvider | KeystoneProvider


class ProviderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``identity-providers/<name>``."""

    provider: Provider
    changed_at: float  # Unix seconds
    changed_by: str


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a provider named, and what the rules make of it."""

    subject: str
    role: Role
    display: str = ""


def provider_sealer(*secrets: bytes) -> Sealer:
    """Seals client secrets with a key derived for that alone: gateways are given it, and never the colony secret."""
    return Sealer(dict(provider_keys(*secrets)), seal_key_id(secrets[0]))


def provider_keys(*secrets: bytes) -> tuple[tuple[str, bytes], ...]:
    """Id and key of each secret's, the one that seals first."""
    return tuple((seal_key_id(secret), derive(secret, "provider-seal")) for secret in secrets)


def user_name(provider: str, subject: str) -> str:
    """What a user is called here: for each provider and subject another name, and never a local user's."""
    if _PLAIN.fullmatch(subject):
        return f"{provider}:{subject}"
    # "~" is in no plain subject, so that nobody is named as another one's hash.
    return f"{provider}:~{hashlib.sha256(subject.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def role_of(rules: tuple[Rule, ...], claims: Mapping[str, Any]) -> Role | None:
    """The highest role that a rule gives; None when none does."""
    best: Role | None = None
    for rule in rules:
        if _matches(rule, claims) and rule.role in HUMAN_ROLES and (best is None or allows(rule.role, best)):
            best = rule.role
    return best


def _matches(rule: Rule, claims: Mapping[str, Any]) -> bool:
    if rule.claim == _EMAIL and claims.get("email_verified") is not True:
        return False
    found = _texts(_look_up(claims, rule.claim))
    if rule.claim == _SUBJECT:
        return any(text == value or _begins(text, value) for text in found for value in rule.values)
    return not found.isdisjoint(rule.values)


def _begins(text: str, pattern: str) -> bool:
    return pattern.endswith("*") and text.startswith(pattern[:-1])


def _look_up(claims: Mapping[str, Any], claim: str) -> Any:
    """A claim may have a dot in its name (an URL has); else it leads inside."""
    if claim in claims:
        return claims[claim]
    found: Any = claims
    for part in claim.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _texts(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    return {each for each in value if isinstance(each, str)} if isinstance(value, list) else set()


def check_provider(name: str, provider: Provider) -> None:
    """Raise :class:`InvalidInput` that names the field, for what could not work or would let in too many."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:64]!r} cannot be the name of an identity provider",
            field="name",
            hint="lower-case letters, digits and - inside, from a letter on, at most 32",
        )
    _check_texts(provider)
    _require(
        SESSION_S[0] <= provider.session_s <= SESSION_S[1], "session_s", "is out of range", "300 to 604800 seconds"
    )
    _check_rules(provider.rules)
    if isinstance(provider, KeystoneProvider):
        _require(is_url(provider.url), "url", "is not the address of a Keystone", "https://host:5000/v3")
        _check_place(provider.url, "url")
        return
    _require(is_url(provider.issuer), "issuer", "is not an address", "https://host/path, as in the provider's metadata")
    _check_place(provider.issuer, "issuer")
    _require("openid" in provider.scopes or not provider.client_id, "scopes", "lack openid", "openid, profile, email")
    _require(bool(provider.client_id) == bool(provider.public_url), "public_url", "goes with client_id", "set both")
    _require(bool(provider.client_id or provider.audiences), "client_id", "is needed, or audiences", "docs/login.md")
    _require(
        not provider.public_url or (is_url(provider.public_url) and not urlsplit(provider.public_url).path),
        "public_url",
        "is not where browsers find the gateway",
        "https://host or https://host:port, nothing behind it",
    )


def _check_place(url: str, field: str) -> None:
    """Refuse at once what :mod:`aware_agent.outgoing` never calls; what a name means, it looks at with each call."""
    host = urlsplit(url).hostname or ""
    why = refusal(host, REACH) if is_address(host) else ""
    _require(not why, field, f"is never asked: {why}", "the address of the provider itself")


def _check_rules(rules: tuple[Rule, ...]) -> None:
    _require(
        1 <= len(rules) <= MAX_RULES, "rules", "are none or too many", f"1 to {MAX_RULES}; without one nobody gets in"
    )
    for rule in rules:
        _require(rule.role in HUMAN_ROLES, "rules.role", "is no role of people", ", ".join(HUMAN_ROLES))
        _require(1 <= len(rule.values) <= MAX_VALUES, "rules.values", "are none or too many", f"1 to {MAX_VALUES}")
        _require(
            not (rule.claim == _SUBJECT and "*" in rule.values), "rules.values", "lets everybody in", "name a beginning"
        )


def _check_texts(provider: Provider) -> None:
    for field, value in msgspec.to_builtins(provider).items():
        texts = value if isinstance(value, list | tuple) else [value]
        if field == "rules":
            texts = [text for rule in value for text in (rule["claim"], *rule["values"])]
        if field in ("ca", "client_secret"):
            _require(len(value) <= MAX_CA, field, "is too long")
            continue
        _require(len(texts) <= MAX_RULES * (MAX_VALUES + 1), field, "are too many")
        for text in texts:
            fits = not isinstance(text, str) or (text.isprintable() and len(text) <= MAX_TEXT)
            _require(fits, field, f"is not printable text of at most {MAX_TEXT} characters")
            _require(text != "" or field in ("client_id", "public_url"), field, "has an empty text")


def is_url(text: str) -> bool:
    """Whether credentials may go there: https, or http to this very machine."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or parts.query or parts.fragment or not text.isprintable() or " " in text:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_address(host: str) -> bool:
    """Whether ``host`` is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether ``host`` is an address of this machine; a name proves nothing."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _require(condition: bool, field: str, problem: str, hint: str = "") -> None:
    if not condition:
        raise InvalidInput(f"{field} {problem}", field=field, hint=hint)
