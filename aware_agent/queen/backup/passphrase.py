"""The backup key: a file with a passphrase, kept apart from the colony it opens."""

from __future__ import annotations

import base64
import hmac
import secrets
from pathlib import Path

from aware_agent.colony.errors import InvalidInput
from aware_agent.queen.backup.format import check_passphrase
from aware_agent.security.files import read_secret, write_atomic

_BYTES = 32


def make_key_file(path: Path) -> None:
    """Write a random key to ``path`` (0600). Raises InvalidInput when something is there already."""
    if path.exists():
        raise InvalidInput(f"{path} exists already", hint="a lost key cannot be made again: choose another file")
    write_atomic(path, f"aware-backup-key.{secrets.token_urlsafe(_BYTES)}\n".encode())


def read_passphrase(path: str, colony_secret: bytes = b"") -> str:
    """The key in the file ``path``. Raises InvalidInput; StateUnusable when others may read the file.

    ``colony_secret``: refused as backup key. What opens a backup must not be the secret that lies on every node.
    """
    if not path:
        raise InvalidInput("no backup key is set", field="backup.key_file", hint="aware backup key FILE makes one")
    raw = read_secret(Path(path))
    if raw is None:
        raise InvalidInput(f"there is no backup key {path}", field="backup.key_file", hint="aware backup key makes one")
    try:
        text = check_passphrase(raw.decode().strip())
    except UnicodeDecodeError as error:
        raise InvalidInput(f"backup key {path} is not text", field="backup.key_file") from error
    forms = (base64.b64encode(colony_secret).decode(), colony_secret.hex())
    if colony_secret and any(hmac.compare_digest(text.encode(), form.encode()) for form in forms):
        raise InvalidInput("the backup key is the colony secret", hint="make one of its own: aware backup key FILE")
    return text
