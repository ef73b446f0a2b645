"""OpenStack's object store. Which cloud and as whom stands in a clouds.yaml, as for every OpenStack tool."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aware_agent.agent.settings import BackupSettings
from aware_agent.queen.backup.targets import PIECE, TargetFailed, required

_TIMEOUT_S = 60


class SwiftTarget:
    """Implements :class:`aware_agent.queen.backup.targets.Target`; large files become a static large object."""

    def __init__(self, settings: BackupSettings) -> None:
        required(settings, "swift_cloud", "swift_container")
        self._container = settings.swift_container
        self._prefix = settings.swift_prefix.strip("/") + "/" if settings.swift_prefix.strip("/") else ""
        self._where = f"swift://{settings.swift_cloud}/{self._container}/{self._prefix}"
        self._cloud = _connect(settings, self._where)

    def describe(self) -> str:
        """Cloud, container and prefix."""
        return self._where

    def names(self) -> list[str]:
        """All objects below the prefix."""
        with _errors(self._where):
            found = [item["name"] for item in self._cloud.list_objects(self._container, prefix=self._prefix)]
        return sorted(name.removeprefix(self._prefix) for name in found if "/" not in name.removeprefix(self._prefix))

    def put(self, name: str, source: Path) -> None:
        """Upload; segments, if any, before their manifest."""
        with _errors(self._where):
            if self._cloud.get_container(self._container) is None:
                raise TargetFailed(f"{self._where}: there is no such container", hint="create it first")
            self._cloud.create_object(
                self._container, self._prefix + name, filename=str(source), generate_checksums=False
            )

    def read(self, name: str) -> Iterator[bytes]:
        """The object in pieces."""
        with _errors(self._where):
            empty = True
            for piece in self._cloud.stream_object(self._container, self._prefix + name, resp_chunk_size=PIECE):
                empty = False
                yield piece
        if empty:  # the library says nothing when there is no such object
            raise TargetFailed(f"{self._where}: there is no {name}")

    def delete(self, name: str) -> None:
        """Delete it with its segments."""
        with _errors(self._where):
            self._cloud.delete_object(self._container, self._prefix + name)


def _connect(settings: BackupSettings, where: str) -> Any:
    try:
        from openstack.config import OpenStackConfig
        from openstack.connection import Connection
    except ImportError as error:
        raise TargetFailed(
            "Swift needs openstacksdk, which is not installed here", hint="pip install 'aware-agent[backup]'"
        ) from error
    if settings.swift_clouds_file:
        if not os.access(settings.swift_clouds_file, os.R_OK):
            raise TargetFailed(f"cannot read {settings.swift_clouds_file}", hint="it is owned by the agent, mode 0600")
        os.environ["OS_CLIENT_CONFIG_FILE"] = settings.swift_clouds_file  # this process does nothing else
    with _errors(where):
        region = OpenStackConfig().get_one(cloud=settings.swift_cloud, api_timeout=_TIMEOUT_S)
        return Connection(config=region)


@contextlib.contextmanager
def _errors(where: str) -> Iterator[None]:
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import SDKException
    from requests.exceptions import RequestException

    try:
        yield
    except (SDKException, ClientException, RequestException) as error:
        reason = " ".join(str(error).split())[:200]
        raise TargetFailed(f"{where} failed: {reason}", hint="check the clouds.yaml and the container") from None
