"""Every console block of the pages is typed into a demo, and prints what the page shows.

Figures, names of nodes and blanks may differ. What a demo cannot do is named here, with the test that does it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.docs.pages_support import Code, everywhere
from tests.e2e.test_demo import ROOT, Checkout, checkout

__all__ = ["checkout"]

# A page's command, by its first words: where it is run instead, because it needs a cloud or a host with a service.
ELSEWHERE = {
    "openstack stack": "tests/cloud/test_heat_stack.py",
    "aware colony open": "tests/e2e/test_heat_colony.py",
    "ansible-playbook -i inventory playbooks/monitoring.yml": "tests/hosts/test_ops_monitoring.py",
    "ssh -L": "tests/hosts/test_ops_monitoring.py",
    # The agents of a demo run etcd: it has no material directory.
    "aware rotation start --material": "tests/hosts/test_rotate.py",
    "aware rotation status": "tests/hosts/test_rotate.py",
    "aware rotation sync --material": "tests/hosts/test_rotate.py",
    "aware rotation continue": "tests/hosts/test_rotate.py",
    "openssl x509 -req -in monitoring.csr": "tests/hosts/test_ops_monitoring.py",
}
# What stands for something of the reader's own.
YOURS = {
    r"--cacert ca\.crt\b": "--cacert .aware/ca.crt",
    r"^aware login\b": "aware login --password-file .aware/admin.password",
    r"-i inventories/static\b": "-i inventories/local",
}
PATIENCE_S = 900.0  # for one command on a busy machine
ORDER = ("README.md", "docs/api.md", "docs/monitoring.md", "docs/heat.md", "deploy/heat/README.md", "docs/trust.md")


def _blocks() -> list[Code]:
    found = [piece for piece in everywhere() if piece.language == "console"]
    assert {piece.page for piece in found} <= set(ORDER), "a page with console blocks that is not tried"
    return sorted(found, key=lambda piece: (ORDER.index(piece.page), piece.line))


def _steps(piece: Code) -> list[tuple[str, list[str]]]:
    """Commands of a block with the lines the page shows after each; what comes first is what ``make demo`` prints."""
    steps: list[tuple[str, list[str]]] = [("make demo", [])]
    for line in piece.text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif re.match(r"\s+\.\.\. restart etcd", line):
            continue  # on hosts a role does it
        elif line.strip():
            steps[-1][1].append(line)
    return [step for step in steps if step[0] != "make demo" or step[1]]


def _plain(text: str) -> str:
    """A line without what differs from run to run."""
    text = re.sub(r"\b[0-9A-HJKMNP-TV-Z]{26}\b|01J…", "ULID", text)
    return re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?", "0", text)).strip()


def _shows(line: str, printed: str) -> bool:
    """Whether a line of the page was printed; an ellipsis stands for anything."""
    pattern = ".*".join(re.escape(part) for part in re.split(r"…|\.\.\.", _plain(line)))
    return any(re.search(pattern, one) for one in map(_plain, printed.splitlines()))


def _elsewhere(command: str) -> str | None:
    return next((test for words, test in ELSEWHERE.items() if command.startswith(words)), None)


def _type(checkout: Checkout, command: str) -> str:
    """Run one line as a reader's shell would, where the block's earlier lines have run."""
    for pattern, mine in YOURS.items():
        command = re.sub(pattern, mine, command)
    if "demo-7" in command:  # a queen is not removed
        reigns = json.loads(checkout.must("aware", "queen", "show", "--json"))["name"]
        command = command.replace("demo-7", "demo-4" if reigns == "demo-5" else "demo-5")
    keep = "declare -p TOKEN URL >variables 2>/dev/null || true"
    script = f"set -eo pipefail; [ ! -f variables ] || . ./variables; {{ {command}\n}}; {keep}"
    done = checkout.run("bash", "-c", script, timeout=PATIENCE_S)
    assert done.returncode == 0, f"$ {command}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
    return done.stdout + done.stderr


@pytest.mark.e2e
@pytest.mark.skipif(
    not os.environ.get("AWARE_DOCS"), reason="types every console block into a demo, for minutes: AWARE_DOCS=1"
)
def test_the_pages_can_be_followed(checkout: Checkout) -> None:
    """One demo, all blocks in an order in which each finds what it needs."""
    (checkout.root / ".venv").symlink_to(Path(sys.prefix))
    demo = _type(checkout, "aware demo up")
    wrong: list[str] = []
    for piece in _blocks():
        for command, shown in _steps(piece):
            if test := _elsewhere(command):
                assert (ROOT / test).is_file(), test
                continue
            printed = demo if command == "make demo" else _type(checkout, command)
            wrong += [f"{piece.place} {line!r} in\n{printed[-1500:]}" for line in shown if not _shows(line, printed)]
            if "kill-queen" in command:  # what was removed stays away
                _type(checkout, "ansible-playbook playbooks/site.yml -i inventories/local")
    assert wrong == []


def test_what_a_demo_cannot_do_is_really_done_elsewhere() -> None:
    """Each exception is still on a page, and the test that stands for it plays that playbook or that template."""
    commands = [command for piece in _blocks() for command, _ in _steps(piece)]
    for words in ELSEWHERE:
        assert any(command.startswith(words) for command in commands), words
    assert "cluster.yaml" in (ROOT / ELSEWHERE["openstack stack"]).read_text()
    assert "monitoring.yml" in (ROOT / ELSEWHERE["ssh -L"]).read_text()


def test_every_page_with_console_blocks_is_followed_in_a_demo() -> None:
    """None of them consists of exceptions alone, or is empty because its blocks are not found any more."""
    typed = {piece.page for piece in _blocks() for command, _ in _steps(piece) if not _elsewhere(command)}
    assert typed == set(ORDER)
