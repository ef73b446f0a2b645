"""YAML in which no key is there twice: which one counts depends on who reads it, and nobody is told."""

from __future__ import annotations

from typing import Any

import yaml

from aware_agent.colony.errors import InvalidInput


class StrictLoader(yaml.SafeLoader):  # type: ignore[misc]
    """A SafeLoader that refuses a mapping with a key twice. Merged keys (``<<``) may be overridden."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Raises :class:`InvalidInput` that names the key and its line."""
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else None
            if name and name in seen:
                raise InvalidInput(
                    f"key {key.value!r:.80} is there twice, the second time in line {key.start_mark.line + 1}",
                    hint="only one of them would count",
                )
            seen.add(name)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found
