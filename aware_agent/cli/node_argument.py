"""How commands name a node."""

from __future__ import annotations

from typing import Annotated

import typer

from aware_agent.cli.completing import complete_node
from aware_agent.cli.paths import at

NodeArgument = Annotated[
    str, typer.Argument(metavar="NODE", help="Name or id of the node.", autocompletion=complete_node)
]


def node_path(node: str, *rest: str) -> str:
    """``/v1/nodes/<node>[/rest]``. Raises InvalidInput."""
    return at("v1", "nodes", node, *rest)
