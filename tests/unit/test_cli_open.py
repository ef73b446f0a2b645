"""``aware colony open`` at a gateway that rotates: ended anywhere, out of time, run again, run by two people."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from aware_agent.cli import rotation_follow
from aware_agent.cli.app import app
from aware_agent.cli.client import Gateway
from aware_agent.cli.context import load_context
from aware_agent.colony.rotation import Abort, Continue, Look, Phase, Start, Trust, decide
from aware_agent.security.founding_key import make_founding_key
from aware_agent.security.keyring import fingerprint
from tests.unit.cli_support import COLONY, Ask, Authority, FakeGateway, Reply, problem

WORTH = "the founding key is still worth as much as the colony's CAs: "
BEGAN = "new CAs and a new secret go to all nodes, so that the founding key is worthless"


class Killed(BaseException):
    """What the command ends with when it is killed: nothing of it runs any more."""


class Founded:
    """A colony with CAs of the founding key. All nodes keep pace: a rotation is complete whenever somebody looks."""

    def __init__(self, root: Path) -> None:
        self.root, self.trust = root, Trust()
        self.key_file = root / "founding.key"
        key = make_founding_key(COLONY, os.urandom(32))
        self.key_file.write_text(key.text())
        self.authorities = {1: Authority(root / "first", key=key.ca_key()), 2: Authority(root / "second")}
        self.queen = FakeGateway(self.authorities[1])
        self.password, self.good, self.orders = "", "", [""]
        self.votes, self.frozen = 1, False
        for route, answer in {
            "PUT /v1/users/admin": self._set_password,
            "POST /v1/auth/token": self._login,
            "GET /v1/council/members": self._council,
            "GET /v1/rotation": self._rotation,
            "POST /v1/rotation": self._order,
        }.items():
            self.queen.routes[route] = self._as_queen(answer)
        self.queen.routes["GET /v1/ca"] = lambda _: Reply(raw=self.bundle)

    @property
    def bundle(self) -> bytes:
        numbers = (self.trust.generation, self.trust.other)
        return b"".join(self.authorities[n].ca_file.read_bytes() for n in numbers if n)

    def pass_time(self) -> None:
        """What the keeper does by itself."""
        for _ in range(5):
            self.take(Look(complete=True))

    def take(self, event: Start | Continue | Abort | Look) -> None:
        before, self.trust = self.trust, decide(self.trust, event, 0.0).trust
        if self.trust.generation != before.generation:
            self.good = ""  # no token of the secret before is good any more
            self.queen.certify(self.authorities[self.trust.generation])

    def open(self, who: str, *more: str) -> Result:
        arguments = ["--key-file", str(self.key_file), "--endpoint", self.queen.url]
        arguments += ["--context", str(self.root / who / "context.json"), *more]
        return CliRunner().invoke(app, ["colony", "open", *arguments], env={"AWARE_DEBUG": ""})

    def believed_by(self, who: str) -> bytes:
        return (self.root / who / "ca.crt").read_bytes()

    def _as_queen(self, route: Callable[[Ask], Reply]) -> Callable[[Ask], Reply]:
        def answer(ask: Ask) -> Reply:
            reply = route(ask)
            reply.headers |= {"X-Aware-Role": "queen", "X-Aware-CA": fingerprint(self.bundle)}
            return reply

        return answer

    def _set_password(self, ask: Ask) -> Reply:
        if self.trust.generation != 1:
            return problem(401, "unauthenticated", "this token is not valid")
        self.password, self.good = ask.body["password"], ""  # sessions end with the password before
        return Reply({"changed": True})

    def _login(self, ask: Ask) -> Reply:
        if ask.body["password"] != self.password:
            return problem(401, "unauthenticated", "user name or password is wrong")
        self.good = f"token-{len(self.queen.asked)}"
        return Reply({"access_token": self.good})

    def _council(self, _: Ask) -> Reply:
        members = [{"healthy": True, "learner": False}] * self.votes
        return Reply({"wanted": {"size": 1}, "members": members})

    def _rotation(self, ask: Ask) -> Reply:
        if not self.good or ask.headers.get("Authorization") != f"Bearer {self.good}":
            return problem(401, "unauthenticated", "this token is not valid")
        if not self.frozen:
            self.take(Look(complete=True))
        trust = self.trust
        nodes = [{"name": "f1", "standing": "waiting" if self.frozen else "ready"}]
        data: dict[str, Any] = {"phase": trust.phase, "generation": trust.generation, "other": trust.other}
        data |= {"hold": trust.hold, "released": trust.released, "last": trust.last, "complete": not self.frozen}
        return Reply(data | {"nodes": nodes, "ca": self.bundle.decode()})

    def _order(self, ask: Ask) -> Reply:
        self.orders.append(ask.body["action"])
        self.take(Start("admin", hold=ask.body["hold"]) if ask.body["action"] == "start" else Continue())
        return Reply({"changed": True}, 202)


@pytest.fixture
def hive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Founded]:
    monkeypatch.setattr(rotation_follow, "LOOK_S", 0.01)
    usual = Gateway.__init__.__kwdefaults__ or {}
    monkeypatch.setattr(Gateway.__init__, "__kwdefaults__", usual | {"deadline_s": 0.5})
    made = Founded(tmp_path)
    try:
        yield made
    finally:
        made.queen.close()


def killed_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """The command ends when ``POST /v1/rotation`` was answered for the ``count``-th time, before it believes more."""
    left, follow = [count], Gateway._follow_rotation

    def kill(client: Gateway, host: str, response: httpx.Response) -> None:
        if (response.request.method, response.request.url.path) == ("POST", "/v1/rotation"):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
        follow(client, host, response)

    monkeypatch.setattr(Gateway, "_follow_rotation", kill)


def test_it_makes_the_key_worthless_and_says_so_again(hive: Founded) -> None:
    first = hive.open("anna")
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines()[-1] == f"the founding key is worthless now: delete {hive.key_file}"
    assert hive.believed_by("anna") == hive.authorities[2].ca_file.read_bytes()
    for _ in range(2):
        again = hive.open("anna")
        assert again.exit_code == 0, again.output
        assert again.stdout.splitlines()[-1] == f"the founding key is worthless already: delete {hive.key_file}"
    assert json.loads(hive.open("anna", "--no-rotate", "--json").stdout)["key_worthless"] is True
    assert hive.orders == ["", "start", "continue", "continue"]
    thief = hive.open("thief")
    assert thief.exit_code == 7, thief.output
    assert not (hive.root / "thief" / "context.json").exists()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_killed_when_an_order_was_answered_and_run_again(
    hive: Founded, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    with monkeypatch.context() as patched:
        killed_after(patched, count)
        with pytest.raises(Killed):
            hive.open("anna")
    hive.pass_time()
    assert hive.trust.phase is (Phase.DISTRIBUTING, Phase.SWITCHED, Phase.SETTLED)[count - 1]
    again = hive.open("anna")
    assert again.exit_code == 0, again.output
    assert hive.trust == Trust(generation=2, last=2, actor="admin")
    assert hive.believed_by("anna") == hive.authorities[2].ca_file.read_bytes()


def test_no_step_is_taken_before_the_context_believes_it(hive: Founded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gateway, "_follow_rotation", lambda *_: None)
    slow = hive.open("anna", "--wait", "1s")
    assert slow.exit_code == 5, slow.output
    assert f"{WORTH}the rotation is distributing, and {hive.root}/anna/ca.crt lacks its CAs (run this" in slow.stderr
    assert hive.orders == ["", "start"]


def test_one_that_does_not_hold_is_only_followed(hive: Founded) -> None:
    hive.take(Start("bert", hold=False))
    done = hive.open("anna")
    assert (done.exit_code, hive.orders) == (0, [""]), done.output


def test_the_context_written_in_mid_rotation_believes_both(hive: Founded) -> None:
    hive.take(Start("bert", hold=True))
    assert hive.open("anna", "--no-rotate").exit_code == 0
    assert hive.believed_by("anna") == hive.bundle
    hive.take(Continue())
    hive.pass_time()
    assert hive.trust.phase is Phase.SWITCHED
    assert hive.open("anna").exit_code == 0


@pytest.mark.parametrize("as_json", [False, True])
def test_out_of_time_is_no_success(hive: Founded, as_json: bool) -> None:
    hive.frozen = True
    late = hive.open("anna", "--wait", "1s", *(["--json"] if as_json else []))
    assert late.exit_code == 5
    why = "the rotation is distributing and waits for f1"
    assert late.stderr == f"error: {WORTH}{why} (run this again until it says that the key is worthless)\n"
    if as_json:
        told = json.loads(late.stdout)
        assert (told["key_worthless"], told["trouble"]) == (False, why)
    else:
        assert late.stdout.splitlines()[-1] == BEGAN
    hive.frozen = False
    assert hive.open("anna").exit_code == 0
    assert hive.orders.count("start") == 1


def test_a_council_that_is_not_full_is_waited_for(hive: Founded) -> None:
    hive.votes = 0
    late = hive.open("anna", "--wait", "1s")
    assert (late.exit_code, hive.orders) == (5, [""])
    assert "0 of 1 members of the council are there" in late.stderr


def test_left_out_on_purpose_is_told(hive: Founded) -> None:
    done = hive.open("anna", "--no-rotate")
    assert (done.exit_code, hive.orders) == (0, [""])
    assert done.stderr.endswith("it was left out; run this again without --no-rotate\n")


def test_an_abort_is_not_undone(hive: Founded, monkeypatch: pytest.MonkeyPatch) -> None:
    order = rotation_follow._First._order

    def aborting(first: rotation_follow._First, body: dict[str, Any]) -> None:
        order(first, body)
        hive.take(Abort())

    monkeypatch.setattr(rotation_follow._First, "_order", aborting)
    done = hive.open("anna")
    assert (done.exit_code, hive.orders) == (5, ["", "start"])
    assert f"{WORTH}the rotation was aborted" in done.stderr


def test_who_lost_a_race_is_told_that_there_was_one(hive: Founded, monkeypatch: pytest.MonkeyPatch) -> None:
    def berts(phase: str) -> None:
        if phase == "distributing" and hive.trust.phase is Phase.DISTRIBUTING:
            hive.password, hive.good = "bert's own", ""

    follow = rotation_follow.followed

    def raced(client: Gateway, limit_s: float, tell: Any, *more: Any) -> dict[str, Any]:
        def both(phase: str) -> None:
            tell(phase)
            berts(phase)

        return follow(client, limit_s, both, *more)

    monkeypatch.setattr(rotation_follow, "followed", raced)
    first = hive.open("anna")
    assert first.exit_code == 3, first.output
    assert first.stderr.startswith("error: somebody else set the password of admin meanwhile, by opening this colony")
    assert str(hive.root / "anna" / "admin.password") in first.stderr
    assert first.stderr.endswith("(ask who else has the founding key; with their password: aware login)\n")


def test_contexts_in_one_directory_have_files_of_their_own(hive: Founded) -> None:
    """Two colonies looked after from one place: the token of one is not overwritten by the other's."""
    place = hive.root / "contexts"
    assert hive.open("anna", "--context", str(place / "prod.json"), "--no-rotate").exit_code == 0
    made = {path.name for path in place.iterdir()} - {"prod.members.json"}
    assert made == {
        "prod.json",
        "prod.ca.crt",
        "prod.token",
        "prod.admin.password",
        "prod.founding-key-id",
    }
    assert load_context(place / "prod.json", {}).token() == hive.good


def test_a_password_that_was_changed_since_is_told(hive: Founded) -> None:
    assert hive.open("anna").exit_code == 0
    hive.password = "another one"
    again = hive.open("anna")
    assert again.exit_code == 3
    assert "somebody else set the password of admin" in again.stderr


def test_a_rotation_that_kept_the_cas_did_not_make_it_worthless(hive: Founded) -> None:
    assert hive.open("anna", "--no-rotate").exit_code == 0
    hive.authorities |= {2: hive.authorities[1], 3: hive.authorities[2]}
    hive.trust, hive.good = Trust(generation=2, last=2), ""
    looked = json.loads(hive.open("anna", "--no-rotate", "--json").stdout)
    assert (looked["key_worthless"], hive.orders) == (False, [""])
    done = hive.open("anna")
    assert done.exit_code == 0, done.output
    assert (hive.trust.generation, "worthless now" in done.stdout) == (3, True)


def test_another_key_is_not_taken_for_the_one_that_opened(hive: Founded) -> None:
    assert hive.open("anna").exit_code == 0
    before = hive.believed_by("anna")
    hive.key_file.write_text(make_founding_key(COLONY, os.urandom(32)).text())
    other = hive.open("anna")
    assert other.exit_code == 7, other.output
    assert "is not signed by this colony's CA" in other.stderr
    assert hive.believed_by("anna") == before


def test_the_time_that_was_given_is_all_it_takes(hive: Founded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody serves there: it says so with the time that was given, not with the usual one."""
    monkeypatch.setattr(Gateway.__init__, "__kwdefaults__", {"deadline_s": 10.0, "timeout_s": 5.0})
    hive.queen.close()
    late = hive.open("anna", "--wait", "1s")
    assert (late.exit_code, hive.orders) == (7, [""]), late.output
    assert "no gateway of colony" in late.stderr
    assert "within 1 s: " in late.stderr
