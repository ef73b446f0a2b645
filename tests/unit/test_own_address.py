"""The address an agent takes when none is said, in networks of the test's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_discovery_netns import INTO_NEW_NAMESPACE, why_not

from aware_agent.agent.settings import SettingsInvalid

GUESS = """
import sys
from pathlib import Path
from aware_agent.agent.settings import load_settings
file = Path(sys.argv[1], "agent.toml")
file.write_text(f'colony = "demo"\\nname = "n"\\nstate_dir = "{sys.argv[1]}"\\n')
print(load_settings(file, {}).address)
"""
LINK = "ip link set lo up; ip link add name d0 type veth peer name d1; ip link set d0 up; ip link set d1 up;"
IPV6 = LINK + "ip addr add 2001:db8:1::5/64 dev d0 nodad; ip route add default via 2001:db8:1::1 dev d0;"
BOTH = IPV6 + "ip addr add 192.0.2.5/24 dev d0; ip route add default via 192.0.2.1 dev d0;"


def guess(network: str, folder: str) -> subprocess.CompletedProcess[str]:
    script = f'{network} exec "$@"'
    python = [sys.executable, "-c", GUESS, folder]
    command = [*INTO_NEW_NAMESPACE, "sh", "-c", script, "sh", *python]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.netns
@pytest.mark.parametrize(("network", "address"), [(IPV6, "2001:db8:1::5"), (BOTH, "192.0.2.5")], ids=["ipv6", "both"])
def test_it_is_where_the_default_route_leads(tmp_path: Path, network: str, address: str) -> None:
    if reason := why_not():
        pytest.skip(reason)
    done = guess(network, str(tmp_path))
    assert done.stdout.strip() == address, done.stderr


@pytest.mark.netns
@pytest.mark.parametrize("network", ["", LINK], ids=["nothing is up", "no route"])
def test_without_a_route_there_is_none_and_least_of_all_loopback(tmp_path: Path, network: str) -> None:
    if reason := why_not():
        pytest.skip(reason)
    done = guess(network, str(tmp_path))
    assert done.returncode != 0
    assert done.stdout == ""
    assert "this host has no default route to guess its address from" in done.stderr
    assert SettingsInvalid.exit_code == 10
