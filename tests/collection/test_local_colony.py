"""The roles with stand-ins for the programs: what is written, started, kept, stopped and removed.

The colony itself, with nothing stood in for, is met in tests/e2e.
"""

from __future__ import annotations

import json
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, TOKEN, FakeColony, FakeMember

AGENT = """#!/bin/sh
[ "$1" = check ] && exit 0
if [ -e founding.key ]; then
    cp "${0%/*}/ca.crt" state/ca.crt && echo '{}' >state/colony.json && rm founding.key
    case $PWD in *-1) (umask 077; echo secret >state/admin.password);; esac
fi
echo started
exec sleep 600
"""
AWARE = """#!/bin/sh
case "$1 $2" in
"colony key")
    for word; do case $word in --to-file=*) k=${word#*=};; esac; done
    (umask 077; echo key >"$k");;
"login "*)
    for word; do case $word in --context=*) c=${word#*=};; esac; done
    t=$(dirname "$c")/token
    [ -e "$t" ] && { echo '{"changed": false}'; exit; }
    (umask 077; echo access-token-of-a-test >"$t"); echo '{"changed": true}';;
esac
"""


def token(number: int, *, eligible: bool) -> dict[str, Any]:
    return {"id": f"{number:016x}", "expires_at": 9e9, "uses_left": None, "node_name": None, "eligible": eligible}


def token_text(number: int) -> str:
    return f"aware1.{number:016x}.{'s' * 43}.{'p' * 43}"


class Bench:
    """A spec, programs that stand in, and a member that answers for the queen."""

    def __init__(self, folder: Path, colony: FakeColony, ansible: Any) -> None:
        self.folder, self.colony, self.ansible = folder, colony, ansible
        self.queen: FakeMember = colony.member()
        self.state = folder / "state"
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "ca.crt").write_bytes(colony.ca.read_bytes())
        for name, text in (("aware", AWARE), ("aware-agent", AGENT)):
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)

    def spec(self, size: int, **more: Any) -> None:
        whole = {"plugin": "aware.cluster.spec", "colony": "demo", "size": size, "directory": "state", **more}
        (self.folder / "cluster.yml").write_text(
            "".join(f"{key}: {json.dumps(value)}\n" for key, value in whole.items())
        )
        cluster = {
            "status": "healthy",
            "queen": {"name": "demo-1"},
            "size": {"wanted": size, "ready": size},
            "castes": [],
        }
        seats = more.get("council", {}).get("size", 3 if size >= 3 else 1)
        members = [{"name": f"demo-{n}", "healthy": True, "learner": False} for n in range(1, seats + 1)]
        routes = {
            "GET /v1/cluster": [200, cluster],
            "GET /v1/council/members": [200, {"wanted": {"size": seats}, "members": members}],
            "GET /v1/spec": [200, {"revision": 1}],
            "PUT /v1/spec?dry_run=true": [200, {"changed": False}],
            "GET /v1/nodes/demo-4": [200, {"id": "ID4", "name": "demo-4"}],
            "DELETE /v1/nodes/ID4?force=true": [200, {}],
            "GET /v1/tokens": [200, {"tokens": [token(1, eligible=False), token(2, eligible=True)]}],
            "POST /v1/tokens": [201, {**token(1, eligible=False), "token": token_text(1)}],
        }
        self.queen.say(routes=routes)

    def play(self, name: str, *flags: str, endpoints: bool = True) -> Any:
        # The stand-in queen has a port of her own: tell the gateway modules.
        defaults: dict[str, Any] = {"local_colony_bin": str(self.bin)}
        if endpoints:
            defaults["local_colony_endpoints"] = [self.queen.url]
        inventory = self.folder / "cluster.yml"
        more = ("-e", json.dumps(defaults), *flags)
        return self.ansible(
            "ansible-playbook",
            "-i",
            inventory,
            ROOT / "playbooks" / f"{name}.yml",
            *more,
        )

    def pids(self) -> dict[str, int]:
        return {path.parent.name: int(path.read_text()) for path in self.state.glob("nodes/*/agent.pid")}


@pytest.fixture
def bench(tmp_path: Path, colony: FakeColony, ansible: Any) -> Iterator[Bench]:
    made = Bench(tmp_path, colony, ansible)
    yield made
    made.play("down")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_made_kept_grown_shrunk_and_removed(bench: Bench) -> None:
    bench.spec(4)
    first = bench.play("site")
    assert first.rc == 0, first.out + first.err
    before = bench.pids()
    assert set(before) == {"demo-1", "demo-2", "demo-3", "demo-4"}
    assert all(map(alive, before.values()))
    _check_files(bench)
    made = [json.loads(line[-1]) for line in bench.queen.requests() if line[:2] == ["POST", "/v1/tokens"]]
    assert [one["eligible"] for one in made] == [False, True]
    asked = [line[1] for line in bench.queen.requests()]
    assert "/v1/council/members" in asked, "with two of three voters none may be lost"
    (bench.state / "council-token").write_text(token_text(2))  # the stand-in gives all the same one
    again = bench.play("site")
    assert again.rc == 0, again.out
    assert again.out.count("changed=0") >= 4
    assert not re.search(r"changed=[1-9]", again.out)
    assert bench.pids() == before
    # When the council shall be smaller, nobody is started anew, and no member loses what it needs.
    bench.spec(4, council={"size": 1})
    smaller = bench.play("site")
    assert smaller.rc == 0, smaller.out + smaller.err
    assert bench.pids() == before
    _check_files(bench)
    bench.spec(3)
    shrunk = bench.play("site")
    assert shrunk.rc == 0, shrunk.out + shrunk.err
    assert not (bench.state / "nodes" / "demo-4").exists()
    assert not alive(before["demo-4"])
    assert ["DELETE", "/v1/nodes/ID4?force=true"] in [line[:2] for line in bench.queen.requests()]
    down = bench.play("down")
    assert down.rc == 0, down.out
    assert not bench.state.exists()
    assert not any(map(alive, before.values()))
    assert "changed=0" in bench.play("down").out


def _check_files(bench: Bench) -> None:
    ports = json.loads((bench.state / "ports.json").read_text())
    settings = tomllib.loads((bench.state / "nodes" / "demo-2" / "agent.toml").read_text())
    assert settings["colony"] == "demo"
    assert settings["name"] == "demo-2"
    assert settings["gateway"]["port"] == ports["gateway-demo-2"]
    assert settings["discovery"]["port"] == ports["discovery"]
    assert settings["token_file"] == str(bench.state / "council-token")
    assert settings["founding_key_file"] == str(bench.state / "nodes" / "demo-2" / "founding.key")
    assert settings["council"] == {
        "size": 3,
        "client_port": ports["etcd-client-demo-2"],
        "peer_port": ports["etcd-peer-demo-2"],
    }
    worker = tomllib.loads((bench.state / "nodes" / "demo-4" / "agent.toml").read_text())
    assert worker["token_file"] == str(bench.state / "join-token")
    assert "founding_key_file" not in worker
    assert not (bench.state / "founding.key").exists(), "worth as much as the CA, and of no more use"
    context = json.loads((bench.state / "context.json").read_text())
    assert context["token_file"] == "token"
    for name in (
        ".",
        "nodes/demo-1",
        "nodes/demo-1/agent.toml",
        "council-token",
        "token",
        "context.json",
        "nodes/demo-1/agent.log",
    ):
        assert stat.S_IMODE((bench.state / name).stat().st_mode) & 0o077 == 0, name


def test_check_mode_makes_nothing(bench: Bench) -> None:
    bench.spec(2)
    ran = bench.play("site", "--check", "--diff", endpoints=False)
    assert "/state/.local-colony" in ran.out
    assert ran.rc == 0, ran.out + ran.err
    assert not bench.state.exists()


def test_a_directory_with_something_else_is_not_taken_over(bench: Bench) -> None:
    bench.spec(2)
    bench.state.mkdir()
    (bench.state / "thesis.txt").write_text("years of work")
    ran = bench.play("site")
    assert ran.rc != 0
    assert "holds files that are no local colony" in ran.out + ran.err
    assert bench.play("down").rc == 0
    assert (bench.state / "thesis.txt").read_text() == "years of work"


def test_a_play_that_ends_half_way_takes_nobodys_seat_and_another_colony_is_refused(bench: Bench) -> None:
    """The spec wants one node by mistake, for the time of a play that ends early: all three are what they were."""
    bench.spec(3)
    assert bench.play("site").rc == 0
    (bench.state / "council-token").write_text(token_text(2))  # the stand-in gives all the same one
    before, note = bench.pids(), json.loads((bench.state / "council.json").read_text())
    assert note["nodes"] == ["demo-1", "demo-2", "demo-3"]
    bench.spec(1)
    (bench.state / "ports.json").rename(bench.state / "ports.kept")
    (bench.state / "ports.json").mkdir()
    assert bench.play("site").rc != 0
    assert json.loads((bench.state / "council.json").read_text()) == note
    (bench.state / "ports.json").rmdir()
    (bench.state / "ports.kept").rename(bench.state / "ports.json")
    bench.spec(3, colony="other")
    other = bench.play("site")
    assert other.rc != 0
    assert "holds colony demo, and the spec is for other; stop that one first" in other.out + other.err
    assert sorted(path.name for path in (bench.state / "nodes").iterdir()) == note["nodes"]
    bench.spec(3)
    again = bench.play("site")
    assert again.rc == 0, again.out + again.err
    assert not re.search(r"changed=[1-9]", again.out), again.out
    assert bench.pids() == before


def test_an_agent_that_ends_at_once_says_why(bench: Bench) -> None:
    bench.spec(2)
    (bench.bin / "aware-agent").write_text(
        '#!/bin/sh\n[ "$1" = check ] && exit 0\necho "gateway port 1 is in use" >&2\nexit 17\n'
    )
    ran = bench.play("site")
    assert ran.rc != 0
    assert "ended at once with code 17: gateway port 1 is in use" in ran.out + ran.err


@pytest.mark.parametrize(
    ("service", "state", "said"),
    [
        ("process", "installed", "is for aware_agent_service: systemd"),
        ("upstart", "started", "value of aware_agent_service"),
    ],
)
def test_agent_role_refuses_what_cannot_be(bench: Bench, service: str, state: str, said: str) -> None:
    role = {"role": "aware.cluster.agent", "aware_agent_service": service, "aware_agent_state": state}
    play = [{"hosts": "localhost", "gather_facts": False, "roles": [role]}]
    (bench.folder / "play.txt").write_text(json.dumps(play))
    ran = bench.ansible("ansible-playbook", bench.folder / "play.txt")
    assert ran.rc != 0
    assert said in ran.out + ran.err


def test_join_token_is_private_and_not_shown(bench: Bench) -> None:
    folder = bench.folder / "node"
    variables = {
        "aware_agent_service": "process",
        "aware_agent_colony": "demo",
        "aware_agent_directory": str(folder),
        "aware_agent_token": "aware1." + TOKEN,
        "aware_agent_command": str(bench.bin / "aware-agent"),
        "aware_agent_name": 'a"b\nc',
    }
    for state in ("started", "absent"):
        play = [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "roles": [{"role": "agent", **variables, "aware_agent_state": state}],
            }
        ]
        (bench.folder / "play.txt").write_text(json.dumps(play))
        ran = bench.ansible("ansible-playbook", "--diff", "-vvv", bench.folder / "play.txt")
        assert ran.rc == 0, ran.out + ran.err
        assert TOKEN not in ran.out + ran.err
        if state == "started":
            assert stat.S_IMODE((folder / "join-token").stat().st_mode) == 0o600
            assert tomllib.loads((folder / "agent.toml").read_text())["name"] == 'a"b\nc'
    assert not (folder / "agent.toml").exists()
    assert not (folder / "join-token").exists()
