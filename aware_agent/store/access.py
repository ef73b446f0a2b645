"""etcd's own users and roles. A node's certificate carries its user's name as CN, so users need no password.

Every step may be repeated: what exists already is left as it is.
"""

from __future__ import annotations

from aware_agent.store import rpc
from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError

ROOT = "root"


class Access:
    """Administration, for the founder and the queen: needs the user ``root`` once :meth:`enable` was called."""

    def __init__(self, client: EtcdClient) -> None:
        self._client = client

    async def add_user(self, name: str, password: str = "") -> None:
        """A user; without ``password`` only a certificate with CN ``name`` is that user."""
        options = rpc.pb.AuthUserAddRequest(name=name, password=password)
        options.options.no_password = not password
        await self._do("UserAdd", options)

    async def delete_user(self, name: str) -> None:
        """The user can do nothing any more, at once. One that does not exist is as good."""
        try:
            await self._do("UserDelete", rpc.pb.AuthUserDeleteRequest(name=name))
        except StoreError as error:
            if "user name not found" not in str(error):
                raise

    async def add_role(self, name: str) -> None:
        """A role that permits nothing yet."""
        await self._do("RoleAdd", rpc.pb.AuthRoleAddRequest(name=name))

    async def allow(self, role: str, start: bytes, end: bytes, *, write: bool) -> None:
        """``role`` may read, and ``write``, the keys from ``start`` up to, without, ``end`` (empty: only ``start``)."""
        request = rpc.pb.AuthRoleGrantPermissionRequest(name=role)
        request.perm.key = start
        request.perm.range_end = end
        request.perm.permType = request.perm.READWRITE if write else request.perm.READ
        await self._do("RoleGrantPermission", request)

    async def assign(self, user: str, role: str) -> None:
        """``user`` has ``role``."""
        await self._do("UserGrantRole", rpc.pb.AuthUserGrantRoleRequest(user=user, role=role))

    async def enable(self) -> None:
        """From now on nobody without a user and a permission reads or writes. ``root`` must have the role ``root``."""
        await self._do("AuthEnable", rpc.pb.AuthEnableRequest())

    async def _do(self, name: str, request: object) -> None:
        try:
            await self._client.call(rpc.auth_method(name), request)
        except StoreError as error:
            if "already exists" not in str(error):
                raise
