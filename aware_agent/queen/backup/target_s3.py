"""An S3-compatible object store: AWS, Ceph RADOS Gateway, Swift's s3api, MinIO and their like."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aware_agent.agent.settings import BackupSettings
from aware_agent.queen.backup.targets import PIECE, TargetFailed, required
from aware_agent.security.files import read_secret

_CONNECT_S, _READ_S, _TRIES = 10, 60, 4


class S3Target:
    """Implements :class:`aware_agent.queen.backup.targets.Target`; a put is visible only when it is whole."""

    def __init__(self, settings: BackupSettings) -> None:
        required(settings, "s3_bucket", "s3_access_key_file", "s3_secret_key_file")
        self._bucket = settings.s3_bucket
        self._prefix = settings.s3_prefix.strip("/") + "/" if settings.s3_prefix.strip("/") else ""
        self._client = _client(settings)

    def describe(self) -> str:
        """Bucket and prefix."""
        return f"s3://{self._bucket}/{self._prefix}"

    def names(self) -> list[str]:
        """All objects below the prefix."""
        with _errors(self.describe()):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            found = [item["Key"].removeprefix(self._prefix) for page in pages for item in page.get("Contents", [])]
        return sorted(name for name in found if "/" not in name)

    def put(self, name: str, source: Path) -> None:
        """Upload, in parts when it is large."""
        with _errors(self.describe()):
            self._client.upload_file(str(source), self._bucket, self._prefix + name)

    def read(self, name: str) -> Iterator[bytes]:
        """The object in pieces."""
        with _errors(self.describe()):
            body = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"]
            with contextlib.closing(body):
                while piece := body.read(PIECE):
                    yield piece

    def delete(self, name: str) -> None:
        """Delete it."""
        with _errors(self.describe()):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)


def _client(settings: BackupSettings) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise TargetFailed(
            "S3 needs boto3, which is not installed here", hint="pip install 'aware-agent[backup]'"
        ) from error
    config = Config(
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        retries={"max_attempts": _TRIES, "mode": "standard"},
        # Newer checksums are unknown to many compatible stores; what was stored is read back and compared anyway.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if settings.s3_endpoint else "auto"},
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=settings.s3_endpoint or None,
        region_name=settings.s3_region or "us-east-1",
        aws_access_key_id=secret_text(settings.s3_access_key_file),
        aws_secret_access_key=secret_text(settings.s3_secret_key_file),
        verify=settings.s3_ca_file or True,
        config=config,
    )


def secret_text(path: str) -> str:
    """The text of a secret file. Raises :class:`TargetFailed` when there is none, StateUnusable when it is open."""
    raw = read_secret(Path(path))
    if raw is None or not raw.strip():
        raise TargetFailed(f"there is no secret in {path}", hint="put it there with mode 0600, owned by the agent")
    return raw.decode(errors="replace").strip()


@contextlib.contextmanager
def _errors(where: str) -> Iterator[None]:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        reason = f"{said.get('Code', '')} {said.get('Message', '')}".strip()
        raise TargetFailed(f"{where} refused: {reason}", hint="check bucket, key files and rights") from None
    except (BotoCoreError, Boto3Error) as error:
        reason = " ".join(str(error).split())[:200]
        raise TargetFailed(f"{where} failed: {reason}", hint="check s3_endpoint and s3_ca_file") from None
