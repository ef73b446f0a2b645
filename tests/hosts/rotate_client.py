"""As ``upgrade_client.py``, but each round reads the context anew, as modules and the command line do.

During a rotation the context is kept in line by ``aware rotation sync``; nobody who reads it may notice anything.
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
    """Until end of file; prints what became of it as JSON."""
    seen: dict[str, Any] = {"writes": 0, "failed": [], "lost": [], "terms": []}
    number = 0
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        number += 1
        try:
            client = GatewayClient(connection_from({"context": context}))
            client.request("PATCH", f"/v1/nodes/{node}", body={"labels": {"written": str(number)}})
            seen["writes"] += 1
            shown = int(client.get(f"/v1/nodes/{node}")["labels"]["written"])
            if shown != number:
                seen["lost"].append([number, shown])
            seen["terms"].append(client.get("/v1/queen")["term"])
        except GatewayError as error:
            seen["failed"].append(str(error))
    seen["terms"] = sorted(set(seen["terms"]))
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
