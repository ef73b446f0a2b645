"""etcd's own users and roles. A node's certificate carries its user's name as CN, so users need no password.

Every step may be repeated: what exists already is left as it is.
"""

from __future__ import annotations

from aware_agent.security.records import gateway_user
from aware_agent.store import rpc
from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError
from aware_agent.store.keys import Keys

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

    async def delete_role(self, name: str) -> None:
        """The role permits nothing any more, at once. One that does not exist is as good."""
        try:
            await self._do("RoleDelete", rpc.pb.AuthRoleDeleteRequest(role=name))
        except StoreError as error:
            if "role name not found" not in str(error):
                raise

    async def roles(self) -> list[str]:
        """Names of all roles."""
        return list((await self._client.call(rpc.auth_method("RoleList"), rpc.pb.AuthRoleListRequest())).roles)

    async def enable(self) -> None:
        """From now on nobody without a user and a permission reads or writes. ``root`` must have the role ``root``."""
        await self._do("AuthEnable", rpc.pb.AuthEnableRequest())

    async def _do(self, name: str, request: object) -> None:
        try:
            await self._client.call(rpc.auth_method(name), request)
        except StoreError as error:
            if "already exists" not in str(error):
                raise


class NodeAccess:
    """Nodes of one colony as etcd users. Each has a role of its own, named after the colony and the node."""

    def __init__(self, client: EtcdClient, keys: Keys) -> None:
        self._access = Access(client)
        self._keys = keys

    async def admit(self, node_id: str) -> None:
        """Let an eligible node in: it may reign, and needs what a queen does. Workers are no users of etcd."""
        role = self._role(node_id)
        await self._access.add_user(node_id)
        await self._access.add_role(role)
        await self._access.allow(role, *self._keys.everything(), write=True)
        await self._access.assign(node_id, role)
        await self._admit_gateway(gateway_user(node_id))

    async def dismiss(self, node_id: str) -> None:
        """Shut a node out, at once. What its certificate says does not matter any more."""
        await self._access.delete_user(gateway_user(node_id))
        await self._access.delete_user(node_id)
        await self._access.delete_role(self._role(node_id))

    async def known(self) -> set[str]:
        """Ids of the nodes that are let in."""
        prefix = self._role("")
        return {role.removeprefix(prefix) for role in await self._access.roles() if role.startswith(prefix)}

    async def _admit_gateway(self, user: str) -> None:
        """All gateways of a colony share one role: they read the colony's keys and write none."""
        role = f"aware-gateways/{self._keys.colony}"
        await self._access.add_user(user)
        await self._access.add_role(role)
        await self._access.allow(role, *self._keys.everything(), write=False)
        await self._access.assign(user, role)

    def _role(self, node_id: str) -> str:
        return f"aware/{self._keys.colony}/{node_id}"
