"""Which etcd releases may carry a colony."""

from __future__ import annotations

import re

from aware_agent.store.errors import UnsupportedEtcd

Version = tuple[int, int, int]

_CORRUPTING: tuple[Version, Version] = ((3, 5, 0), (3, 5, 6))  # first bad, first good
_GOOD_35: Version = (3, 5, 13)
_GOOD_34: Version = (3, 4, 31)
_OLDEST: Version = (3, 4, 0)


def parse_version(text: str) -> Version:
    """``"3.5.16"`` or ``"3.6.0-rc.1"`` to numbers. :raises UnsupportedEtcd: not a version."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
    if match is None:
        raise UnsupportedEtcd(f"etcd says its version is {text!r}", hint="install etcd 3.5.16 or newer")
    return int(match[1]), int(match[2]), int(match[3])


def gate(version: str, production: bool) -> list[str]:
    """Warnings about this etcd release. :raises UnsupportedEtcd: production must not use it, or nobody can."""
    number = parse_version(version)
    if number < _OLDEST:
        raise UnsupportedEtcd(f"etcd {version} is too old", hint="install etcd 3.5.16 or newer")
    first_bad, first_good = _CORRUPTING
    if first_bad <= number < first_good:
        if production:
            raise UnsupportedEtcd(
                f"etcd {version} can corrupt its data when it is killed", hint="install etcd 3.5.16 or newer"
            )
        return [f"etcd {version} can corrupt its data when it is killed: use it for tests only"]
    if number < _GOOD_34:
        return [f"etcd {version} misses fixes of leases and watches: use 3.4.31 or newer, better 3.5.16"]
    if (3, 5, 0) <= number < _GOOD_35:
        return [f"etcd {version} misses fixes of leases and watches: use 3.5.13 or newer"]
    return []
