"""The floor of provisioning: one request to Nova for n servers, and a look twice a second until all are ACTIVE.

``python -m bench.peers.nova COUNT < request.json`` does this and nothing else, in the cloud OS_CLOUD names. It is a
process of its own because what stands beside it is one, and pays for starting Python and loading the SDK as well.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

_LIMIT_S = 900.0
_PAUSE_S = 0.5
IMAGE, FLAVOR, NETWORK = "tiny", "m1.nano", "public"


def main() -> None:
    """Exit code 0 when all are ACTIVE; an exception otherwise."""
    warnings.simplefilter("ignore")
    import openstack

    ask(openstack.connect().compute, json.load(sys.stdin), int(sys.argv[1]))


def ask(compute: Any, body: dict[str, Any], count: int) -> None:
    """One request, then wait. Raises RuntimeError with what Nova says."""
    server = {**body, "min_count": count, "max_count": count}
    answer = compute.post("/servers", json={"server": server}, microversion="2.64")
    if answer.status_code != 202:
        raise RuntimeError(answer.text)
    _wait(compute, count)


def make(connection: Any, count: int) -> None:
    """Fake servers with the metadata that an inventory can be grouped by."""
    ask(connection.compute, {**request(connection, "bench"), "metadata": {"tier": "gold"}}, count)


def request(connection: Any, name: str) -> dict[str, Any]:
    """The least a server needs, by ids."""
    return {
        "name": name,
        "imageRef": connection.image.find_image(IMAGE).id,
        "flavorRef": connection.compute.find_flavor(FLAVOR).id,
        "networks": [{"uuid": connection.network.find_network(NETWORK).id}],
    }


def _wait(compute: Any, count: int) -> None:
    """The project has nothing else in it."""
    end = time.monotonic() + _LIMIT_S
    while True:
        servers = compute.get("/servers/detail", microversion="2.64").json()["servers"]
        states = [server["status"] for server in servers]
        if states.count("ACTIVE") == count:
            return
        if "ERROR" in states or time.monotonic() > end:
            raise RuntimeError(f"{count} servers were asked for, there are {states}")
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main()
