"""The token of a user with password. Nodes with a certificate need none: etcd takes the CN as the user."""

from __future__ import annotations

import asyncio

from aware_agent.store import rpc
from aware_agent.store.calls import CallFailed, one_call
from aware_agent.store.connections import Credentials, EtcdConnection

Metadata = tuple[tuple[str, str], ...]

# A member that has lost its leader answers at once instead of staying silent.
_HAS_LEADER: Metadata = (("hasleader", "true"),)


def without_leader_check(metadata: Metadata) -> Metadata:
    """For requests that a member without a quorum shall answer too."""
    return tuple(pair for pair in metadata if pair[0] != "hasleader")


# bcrypt on a busy server is slow, and a login that is given up and repeated makes it slower.
_LOGIN_FACTOR = 3


class AuthenticationFailed(Exception):
    """Carries the status of the authentication, so that it is not taken for the request's own."""

    def __init__(self, code: str, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


class Tokens:
    """Gets a token when needed, once for all requests that wait for it (etcd spends about 50 ms on bcrypt)."""

    def __init__(self, credentials: Credentials) -> None:
        self._user = credentials.user
        self._password = credentials.password
        self._metadata: Metadata | None = None
        self._lock = asyncio.Lock()

    @property
    def by_password(self) -> bool:
        """Whether a new token could help at all."""
        return bool(self._user)

    async def metadata(self, line: EtcdConnection, timeout_s: float) -> Metadata:
        """What every request carries. ``timeout_s``: of a plain request; a login gets three times that.

        :raises AuthenticationFailed: etcd was not reached or refused us."""
        if not self._user:
            return _HAS_LEADER
        if self._metadata is None:
            async with self._lock:
                if self._metadata is None:
                    self._metadata = await self._authenticate(line, timeout_s)
        return self._metadata

    def forget(self, metadata: Metadata | None = None) -> None:
        """Drops the token; given the metadata that failed, only when no newer one is there."""
        if metadata is None or metadata is self._metadata:
            self._metadata = None

    async def _authenticate(self, line: EtcdConnection, timeout_s: float) -> Metadata:
        request = rpc.pb.AuthenticateRequest(name=self._user, password=self._password)
        try:
            with one_call():
                answer = await line.unary(rpc.AUTHENTICATE)(request, timeout=max(0.05, timeout_s) * _LOGIN_FACTOR)
        except CallFailed as failed:
            if "authentication is not enabled" in failed.details:
                return (*_HAS_LEADER,)  # asked again as soon as a request is turned away for want of a token
            raise AuthenticationFailed(failed.code, failed.details) from None
        return (*_HAS_LEADER, ("token", answer.token))
