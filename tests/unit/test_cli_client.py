"""The client follows the queen, repeats only what is safe, and keeps the token inside the colony."""

from __future__ import annotations

from pathlib import Path

import pytest

from aware_agent.cli.client import Gateway
from aware_agent.cli.context import load_context
from aware_agent.cli.errors import NotLoggedIn, OutcomeUnknown, TooMany, Unreachable
from aware_agent.colony.errors import Conflict
from tests.unit.cli_support import Ask, Authority, Colony, Reply, free_port, node, problem, queen_document


def client_of(demo: Colony, *endpoints: str, deadline_s: float = 5.0) -> Gateway:
    return Gateway(load_context(demo.context(*endpoints)), deadline_s=deadline_s, timeout_s=3.0)


def test_a_redirect_to_a_known_host_is_followed_with_the_token(demo: Colony) -> None:
    worker, queen = demo.gateway(), demo.gateway()
    worker.redirect_to = queen.url
    queen.say("GET /v1/events", {"events": []})
    with client_of(demo, worker.url, queen.url) as client:
        assert client.get("/v1/events", since=3, type=None).node == "demo-2"
    assert queen.asked[0].query == {"since": "3"}
    assert queen.asked[0].headers["Authorization"] == "Bearer good-token"


def test_the_host_that_answered_is_asked_first_next_time(demo: Colony) -> None:
    worker, queen = demo.gateway(), demo.gateway()
    worker.redirect_to = queen.url
    queen.say("GET /v1/queen", {})
    with client_of(demo, worker.url, queen.url) as client:
        client.get("/v1/queen")
        client.get("/v1/queen")
    assert len(worker.asked) == 1
    assert len(queen.asked) == 2


def test_a_redirect_to_who_is_not_of_the_council_carries_nothing(demo: Colony, tmp_path: Path) -> None:
    member, worker, stranger = demo.gateway(), demo.gateway(worker=True), demo.gateway(Authority(tmp_path / "other"))
    for other in (worker, stranger):
        other.say("GET /v1/queen", {})
        member.redirect_to = other.url
        with client_of(demo, member.url, deadline_s=0.2) as client, pytest.raises(Unreachable):
            client.get("/v1/queen")
        assert {ask.path for ask in other.asked} <= {"/v1/council"}
        assert all("Authorization" not in ask.headers for ask in other.asked)


def test_any_one_member_is_enough_and_a_worker_is_shown_no_credential(demo: Colony) -> None:
    worker, queen = demo.gateway(worker=True), demo.gateway()
    worker.say("GET /v1/council", {"colony": "demo", "term": 1, "queen": queen.url, "members": [queen.url]})
    queen.say("POST /v1/auth/token", {"access_token": "a"})
    queen.say("GET /v1/events", {"events": []})
    with client_of(demo, worker.url) as client:
        client.request("POST", "/v1/auth/token", body={"username": "ada", "password": "secret"}, authenticate=False)
        assert client.get("/v1/events").node == "demo-2"
    assert worker.paths() == ["GET /v1/council"]
    assert "Authorization" not in worker.asked[0].headers


def test_a_worker_that_names_itself_or_rubbish_gets_nothing(demo: Colony) -> None:
    worker = demo.gateway(worker=True)
    for named in ({"queen": worker.url, "members": [worker.url]}, {"members": ["x"] * 50}, {"queen": 1}, []):
        worker.say("GET /v1/council", {"colony": "demo", **named} if isinstance(named, dict) else named)
        with client_of(demo, worker.url, deadline_s=0.2) as client, pytest.raises(Unreachable, match="it is a worker"):
            client.get("/v1/queen")
    assert set(worker.paths()) == {"GET /v1/council"}


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:{port}", "//127.0.0.1:{port}", "https://user@127.0.0.1:{port}", "https://[", "x"]
)
def test_a_redirect_away_from_https_is_not_followed(demo: Colony, location: str) -> None:
    worker, queen = demo.gateway(), demo.gateway()
    worker.redirect_to = location.format(port=queen.url.rpartition(":")[2])
    with client_of(demo, worker.url, deadline_s=0.2) as client, pytest.raises(Unreachable):
        client.get("/v1/queen")
    assert queen.asked == []


def test_redirects_in_a_circle_end(demo: Colony) -> None:
    one, two = demo.gateway(), demo.gateway()
    one.redirect_to, two.redirect_to = two.url, one.url
    with client_of(demo, one.url, two.url, deadline_s=0.1) as client, pytest.raises(Unreachable, match="redirects"):
        client.get("/v1/queen")


def test_members_named_by_the_queen_are_known_from_then_on(demo: Colony) -> None:
    queen, newcomer = demo.gateway(), demo.gateway()
    queen.say("GET /v1/nodes", {"nodes": [node("demo-1", queen.url), node("demo-2", newcomer.url)]})
    newcomer.say("GET /v1/queen", queen_document(newcomer.url))
    with client_of(demo, queen.url) as client:
        client.get("/v1/nodes")
    queen.redirect_to = newcomer.url
    with client_of(demo, queen.url) as client:  # another process, later
        assert client.get("/v1/queen").data["name"] == "demo-1"
    assert demo.directory.joinpath("context.members.json").stat().st_mode & 0o777 == 0o600


def test_an_incomplete_inventory_does_not_change_who_is_known(demo: Colony) -> None:
    queen = demo.gateway()
    queen.say("GET /v1/inventory", {"complete": False, "members": ["https://192.0.2.1:1"]})
    with client_of(demo, queen.url) as client:
        client.get("/v1/inventory")
        assert client.known() == [queen.url]


def test_a_dead_endpoint_is_passed_over(demo: Colony) -> None:
    queen = demo.gateway()
    queen.say("GET /v1/queen", {"name": "demo-1"})
    with client_of(demo, f"https://127.0.0.1:{free_port()}", queen.url) as client:
        assert client.get("/v1/queen").data == {"name": "demo-1"}


def test_nobody_answers(demo: Colony) -> None:
    url = f"https://127.0.0.1:{free_port()}"
    with (
        client_of(demo, url, deadline_s=0.2) as client,
        pytest.raises(Unreachable, match="Connection refused") as caught,
    ):
        client.get("/v1/queen")
    assert caught.value.exit_code == 7


def test_no_queen_is_waited_for(demo: Colony) -> None:
    fake = demo.gateway()
    answers = iter([problem(503, "no-queen"), problem(503, "no-queen"), Reply({"done": True})])
    fake.routes["POST /v1/queen/step-down"] = lambda _: next(answers)
    with client_of(demo, fake.url) as client:
        assert client.request("POST", "/v1/queen/step-down").data == {"done": True}


def test_who_asks_too_much_waits_as_it_is_told(demo: Colony, monkeypatch: pytest.MonkeyPatch) -> None:
    queen, slept = demo.gateway(), list[float]()
    monkeypatch.setattr("aware_agent.cli.client.time.sleep", slept.append)
    later = problem(429, "too-many-requests")
    later.headers["Retry-After"] = "3"
    answers = iter([later, later, Reply({"done": True})])
    queen.routes["PUT /v1/spec"] = lambda _: next(answers)
    with client_of(demo, queen.url) as client:
        assert client.request("PUT", "/v1/spec", body={}).data == {"done": True}
    assert slept == [3.0, 3.0]
    assert len({ask.headers["Idempotency-Key"] for ask in queen.asked}) == 1


@pytest.mark.parametrize(("code", "wait"), [("too-many-requests", "60"), ("too-many-attempts", "1"), ("else", "x")])
def test_what_takes_too_long_or_stays_wrong_is_not_waited_for(demo: Colony, code: str, wait: str) -> None:
    queen = demo.gateway()
    refusal = problem(429, code)
    refusal.headers["Retry-After"] = wait
    queen.routes["GET /v1/queen"] = lambda _: refusal
    with client_of(demo, queen.url) as client, pytest.raises(TooMany):
        client.get("/v1/queen")
    assert len(queen.asked) == 1


@pytest.mark.parametrize("lost", [Reply(cut=True), problem(503, "store-unreachable", maybe_applied=True)])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/tokens"), ("PUT", "/v1/spec"), ("DELETE", "/v1/users/x")])
def test_a_write_whose_answer_is_lost_is_sent_again_under_its_key(
    demo: Colony, method: str, path: str, lost: Reply
) -> None:
    fake = demo.gateway()
    answers = iter([lost, Reply({"changed": True}), Reply({"changed": True})])
    fake.routes[f"{method} {path}"] = lambda _: next(answers)
    with client_of(demo, fake.url) as client:
        assert client.request(method, path, body={}, if_match=5).data == {"changed": True}
        client.request(method, path, body={})
    first, again, other = (request.headers["Idempotency-Key"] for request in fake.asked)
    assert first == again != other


@pytest.mark.parametrize("lost", [Reply(cut=True), problem(503, "store-unreachable", maybe_applied=True)])
def test_when_nobody_tells_what_became_of_a_write_that_is_said(demo: Colony, lost: Reply) -> None:
    fake = demo.gateway()
    fake.routes["POST /v1/tokens"] = lambda _: lost
    with client_of(demo, fake.url) as client, pytest.raises(OutcomeUnknown, match="may or may not be done"):
        client.request("POST", "/v1/tokens", body={})


def test_a_broken_connection_during_a_read_is_repeated(demo: Colony) -> None:
    fake = demo.gateway()
    answers = iter([Reply(cut=True), Reply(raw=b'{"na', cut=True), Reply({"name": "demo-1"})])
    fake.routes["GET /v1/queen"] = lambda _: next(answers)
    with client_of(demo, fake.url) as client:
        assert client.get("/v1/queen").data == {"name": "demo-1"}


def test_a_host_with_another_ca_never_sees_the_token(demo: Colony, tmp_path: Path) -> None:
    impostor = demo.gateway(Authority(tmp_path / "other"))
    impostor.say("GET /v1/queen", {})
    with (
        client_of(demo, impostor.url, deadline_s=0.2) as client,
        pytest.raises(Unreachable, match="not signed by this"),
    ):
        client.get("/v1/queen")
    assert impostor.asked == []


def test_proxies_of_the_environment_are_not_used(demo: Colony, monkeypatch: pytest.MonkeyPatch) -> None:
    queen = demo.gateway()
    queen.say("GET /v1/queen", {"name": "demo-1"})
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with client_of(demo, queen.url) as client:
        assert client.get("/v1/queen").data == {"name": "demo-1"}


def test_an_expired_token_is_refreshed_once(demo: Colony) -> None:
    queen = demo.gateway()
    demo.directory.joinpath("token.refresh").write_text("refresh-1\n")
    queen.routes["GET /v1/queen"] = lambda ask: (
        Reply({}) if ask.headers["Authorization"] == "Bearer new" else problem(401, "unauthenticated")
    )
    queen.say("POST /v1/auth/refresh", {"access_token": "new", "refresh_token": "refresh-2"})
    with client_of(demo, queen.url) as client:
        client.get("/v1/queen")
    assert queen.asked[1].body == {"refresh_token": "refresh-1"}
    assert "Authorization" not in queen.asked[1].headers
    assert demo.token_file.read_text() == "new\n"
    assert demo.token_file.stat().st_mode & 0o777 == 0o600
    assert demo.directory.joinpath("token.refresh").read_text() == "refresh-2\n"


def test_another_process_refreshed_first(demo: Colony) -> None:
    queen = demo.gateway()
    demo.directory.joinpath("token.refresh").write_text("used-up")

    def used_up(_: Ask) -> Reply:
        demo.token_file.write_text("new")  # by the other process
        return problem(401, "unauthenticated")

    queen.routes["POST /v1/auth/refresh"] = used_up
    queen.routes["GET /v1/queen"] = lambda ask: (
        Reply({}) if ask.headers["Authorization"] == "Bearer new" else problem(401, "unauthenticated")
    )
    with client_of(demo, queen.url) as client:
        client.get("/v1/queen")
    assert queen.paths() == ["GET /v1/queen", "POST /v1/auth/refresh", "GET /v1/queen"]


def test_without_a_refresh_token_a_refused_token_is_told(demo: Colony) -> None:
    queen = demo.gateway()
    queen.routes["GET /v1/queen"] = lambda _: problem(401, "unauthenticated", "the token has expired")
    with client_of(demo, queen.url) as client, pytest.raises(NotLoggedIn, match=r"expired \(aware login\)"):
        client.get("/v1/queen")


def test_if_match_and_conflict(demo: Colony) -> None:
    queen = demo.gateway()
    queen.routes["PUT /v1/spec"] = lambda _: problem(412, "precondition-failed", "changed since you read it")
    with client_of(demo, queen.url) as client, pytest.raises(Conflict, match="changed since"):
        client.request("PUT", "/v1/spec", body={"size": 1}, if_match=12)
    assert queen.asked[0].headers["If-Match"] == '"12"'
    assert queen.asked[0].body == {"size": 1}
