"""One module of the collection as a process of its own, without a playbook: ``run_module.py NAME < options.json``."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))


def main() -> None:
    """Options on standard input, the result on standard output."""
    from ansible.module_utils.testing import patch_module_args

    name, options = sys.argv[1], json.load(sys.stdin)
    module = importlib.import_module(f"ansible_collections.aware.cluster.plugins.modules.{name}")
    with patch_module_args(options):
        module.main()


if __name__ == "__main__":
    main()
