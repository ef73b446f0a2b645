"""Secrets that people give the colony, for the processes of jobs: texts, and credentials of a cloud. No I/O.

What is given is sealed by the queen and never shown again; a job's process gets what its operation names. A cloud is
an entry of OpenStack's ``clouds.yaml`` that says everything itself: it names no files and no profiles, so that it means
the same on every member, and only passwords and application credentials are taken: tokens are over in hours.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.operation import SECRET_LENGTH, is_secret_name
from aware_agent.security.providers import is_url

KIND = "secrets"
MAX_SECRETS = 64
MAX_TEXT = 512  # characters of a value that is no secret
MAX_CA = 64 * 1024
MAX_MEMBERS = 48
_MASKED = ("password", "application_credential_secret")
_AUTH = frozenset(
    {
        "auth_url", "username", "user_id", "password", "project_name", "project_id", "trust_id", "system_scope",
        "user_domain_name", "user_domain_id", "project_domain_name", "project_domain_id", "domain_name", "domain_id",
        "default_domain_name", "default_domain_id",
        "application_credential_id", "application_credential_name", "application_credential_secret",
    }
)  # fmt: skip
_PASSWORD, _APPLICATION = ("password", "v3password"), ("v3applicationcredential",)
_PLAIN = frozenset({"auth", "auth_type", "region_name", "interface", "identity_api_version"})
_OF_SERVICES = re.compile(r"[a-z][a-z_]{0,40}_(api_version|endpoint_override)\Z")


class TextSecret(msgspec.Struct, frozen=True, kw_only=True, tag="text", tag_field="kind"):
    """A text; a job finds it in a file."""

    text: str

    def __repr__(self) -> str:
        """Without the text."""
        return "TextSecret()"


class CloudSecret(msgspec.Struct, frozen=True, kw_only=True, tag="openstack", tag_field="kind"):
    """An entry of ``clouds.yaml``; a job finds the cloud under the name of the secret.

    ``ca``: PEM of who vouches for the cloud; empty: the authorities of the system. ``plain_http``: it may be spoken to
    without TLS, so that everybody on the way reads its credentials.
    """

    cloud: dict[str, Any]
    ca: str = ""
    plain_http: bool = False

    def __repr__(self) -> str:
        """Without credentials."""
        return "CloudSecret()"


SecretValue = TextSecret | CloudSecret


class NamedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as a job's process is given it."""

    name: str
    value: SecretValue

    def __repr__(self) -> str:
        """Without the value."""
        return f"NamedSecret({self.name!r})"


class SecretRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``secrets/<name>``. ``sealed``: a :data:`SecretValue` as JSON; ``about``: what may be shown of it."""

    kind: str
    about: str
    sealed: bytes
    changed_at: float  # Unix seconds
    changed_by: str


def check_secret(name: str, value: SecretValue) -> None:
    """Raise :class:`InvalidInput` for a name that is none, and for what no job could use. Never shows a secret."""
    if not is_secret_name(name):
        raise InvalidInput(
            f"{name[:60]!r} is no name of a secret",
            field="name",
            hint="a letter, then at most 39 of a-z, 0-9 and -",
        )
    if isinstance(value, TextSecret):
        _check_length(value.text, "text")
        if "\0" in value.text:
            raise InvalidInput("text holds a zero byte", field="text")
        return
    _check_cloud(value)


def about(value: SecretValue) -> str:
    """What may be shown of a secret."""
    if isinstance(value, TextSecret):
        return ""
    auth = value.cloud["auth"]
    project = auth.get("project_name") or auth.get("project_id") or ""
    region = value.cloud.get("region_name", "")
    said = f"{_type_of(value.cloud)} at {auth['auth_url']}"
    return said + (f", project {project}" if project else "") + (f", region {region}" if region else "")


def to_mask(value: SecretValue) -> tuple[str, ...]:
    """The texts that no log may show."""
    if isinstance(value, TextSecret):
        return (value.text,)
    return tuple(str(value.cloud["auth"][name]) for name in _MASKED if name in value.cloud["auth"])


def _type_of(cloud: dict[str, Any]) -> str:
    found: str = cloud.get("auth_type", "password")
    return found


def _check_cloud(value: CloudSecret) -> None:
    cloud = value.cloud
    _require(len(cloud) <= MAX_MEMBERS, "cloud", "has too many members")
    for name in sorted(cloud):
        known = name in _PLAIN or _OF_SERVICES.match(name)
        _require(bool(known), f"cloud.{name[:60]}", "is nothing that a secret may say", _advice(name))
        if name != "auth":
            _check_text(cloud[name], f"cloud.{name}")
    auth = cloud.get("auth")
    if not isinstance(auth, dict):
        raise InvalidInput(
            "cloud.auth is missing", field="cloud.auth", hint="an entry of clouds.yaml, see docs/jobs.md"
        )
    for name in sorted(auth):
        _require(name in _AUTH, f"cloud.auth.{name[:60]}", "is nothing that a secret may say")
        if name not in _MASKED:
            _check_text(auth[name], f"cloud.auth.{name}")
    _check_credentials(_type_of(cloud), auth)
    urls = {"cloud.auth.auth_url": str(auth.get("auth_url", ""))}
    urls |= {f"cloud.{name}": str(text) for name, text in cloud.items() if name.endswith("_endpoint_override")}
    for field, url in urls.items():
        _check_url(field, url, value.plain_http)
    _require(len(value.ca) <= MAX_CA, "ca", "is too long")
    _require(not value.ca or "-----BEGIN CERTIFICATE-----" in value.ca, "ca", "is no PEM of certificates")


def _check_credentials(kind: str, auth: dict[str, Any]) -> None:
    if kind in _PASSWORD:
        needed, who = "password", ("username", "user_id")
    elif kind in _APPLICATION:
        needed, who = "application_credential_secret", ("application_credential_id", "application_credential_name")
    else:
        kinds = ", ".join((*_APPLICATION, *_PASSWORD))
        raise InvalidInput(
            f"cloud.auth_type {kind[:60]!r} is none that lasts", field="cloud.auth_type", hint=f"one of {kinds}"
        )
    _require(isinstance(auth.get(needed), str), f"cloud.auth.{needed}", "is missing", f"auth_type is {kind}")
    _check_length(auth[needed], f"cloud.auth.{needed}")
    _require(any(auth.get(name) for name in who), f"cloud.auth.{who[0]}", "is missing", f"or {who[1]}")
    foreign = next((name for name in _MASKED if name != needed and name in auth), "")
    _require(not foreign, f"cloud.auth.{foreign}", f"is nothing that auth_type {kind} has")


def _check_url(field: str, url: str, plain_http: bool) -> None:
    fits = is_url(url) or (plain_http and is_url(f"https{url.removeprefix('http')}") and url.startswith("http://"))
    hint = "plain_http: true, if its credentials may be read on the way" if url.startswith("http://") else ""
    _require(fits, field, "is no https:// URL", hint)


def _check_text(value: object, field: str) -> None:
    fits = isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()
    # A version is a number to YAML.
    fits = fits or (isinstance(value, int | float) and not isinstance(value, bool) and field.endswith("_version"))
    _require(fits, field, f"is not printable text of 1 to {MAX_TEXT} characters")


def _check_length(text: str, field: str) -> None:
    if not SECRET_LENGTH[0] <= len(text.strip()) <= len(text) <= SECRET_LENGTH[1]:
        raise InvalidInput(
            f"{field} has a length that cannot be masked in logs",
            field=field,
            hint="{} to {} characters".format(*SECRET_LENGTH),
        )


def _advice(name: str) -> str:
    if name in ("cacert", "verify"):
        return "certificates are always verified; give the authority's as ca"
    return "no files, profiles and settings: what it says has to mean the same on every member"


def _require(condition: bool, field: str, problem: str, hint: str = "") -> None:
    if not condition:
        raise InvalidInput(f"{field} {problem}", field=field, hint=hint)
