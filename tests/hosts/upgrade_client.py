"""A client that writes and reads through the gateway until its standard input ends; prints what became of it as JSON.

Run in the lab's network: ``upgrade_client.py CONTEXT NODE``. Each write puts the next number into a label of the node
and is counted when it is acknowledged; each read must show at least the last number acknowledged before.
"""

from __future__ import annotations

import json
import select
import sys
from typing import Any

from ansible_collections.aware.cluster.plugins.module_utils._client import GatewayClient
from ansible_collections.aware.cluster.plugins.module_utils._context import connection_from
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import GatewayError


def main(context: str, node: str) -> None:
    """Until end of file."""
    connection = connection_from({"context": context})
    client = GatewayClient(connection)
    seen: dict[str, Any] = {"writes": 0, "reads": 0, "failed": [], "lost": [], "queens": {}}
    number = 0
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        try:
            number += 1
            client.request("PATCH", f"/v1/nodes/{node}", body={"labels": {"written": str(number)}})
            seen["writes"] += 1
            shown = int(client.get(f"/v1/nodes/{node}")["labels"]["written"])
            seen["reads"] += 1
            if shown < number:
                seen["lost"].append([number, shown])
            queen = client.get("/v1/queen")
            seen["queens"].setdefault(str(queen["term"]), []).append(queen["name"])
        except GatewayError as error:
            seen["failed"].append(str(error))
    seen["queens"] = {term: sorted(set(names)) for term, names in seen["queens"].items()}
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
