"""Joining against real TLS gateways on loopback, honest ones and others."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from security_support import COLONY, Authority, Reply, free_port, server_context, tls_server

from aware_agent import daemon
from aware_agent.agent.join import Joined, Newcomer, join
from aware_agent.agent.settings import load_settings
from aware_agent.agent.state import StateCorrupted, StateDir
from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.discovery.errors import ClockSkew, NoColonyFound
from aware_agent.discovery.seek import Found
from aware_agent.security import pki
from aware_agent.security.joining import (
    CaPinMismatch,
    JoinAnswer,
    JoinFailed,
    JoinRequest,
    NameTaken,
    Secrets,
    parse_join_request,
)
from aware_agent.security.records import CouncilAccess
from aware_agent.security.sealing import seal_for
from aware_agent.security.token import (
    RANDOM_BYTES,
    JoinToken,
    TokenRecord,
    TokenRefused,
    beacon_key,
    check_token,
    make_token,
    verifier,
)

SECRET = b"colony secret of thirty-two byte"
NEWCOMER = Newcomer(colony=COLONY, name="demo-2", address="127.0.0.1", url="https://127.0.0.1:20102")
HOME = Authority.make()
COUNCIL_CA = pki.create_council_ca(COLONY, time.time())
Ways = Callable[[], AsyncIterator[Found]]


class Queen:
    """The other side of a join: real checks and a real signature; ``before`` may answer first."""

    def __init__(self, authority: Authority, before: list[Reply] | None = None) -> None:
        self.authority = authority
        self.before = before or []
        self.seen: list[JoinRequest] = []
        self.uses_left: int | None = None

    def __call__(self, method: str, path: str, body: bytes) -> Reply:
        if (method, path) == ("GET", "/v1/ca"):
            return Reply(200, self.authority.ca.certificate)
        if (method, path) != ("POST", "/v1/join"):
            return Reply(404)
        if self.before:
            return self.before.pop(0)
        try:
            return self.answer(parse_join_request(body))
        except AwareError as error:
            return problem(error.status, error.code, error.message, error.hint)

    def answer(self, request: JoinRequest) -> Reply:
        token = self.authority.token
        record = TokenRecord(
            id=token.id,
            verifier=verifier(token),
            beacon_key=beacon_key(token),
            created_at=0.0,
            created_by="admin",
            uses_left=self.uses_left,
        )
        now = time.time()
        check_token(record, request.token_id, request.secret, name=request.name, now=now)
        self.seen.append(request)
        sans = pki.node_sans(COLONY, request.name, [request.address], eligible=True)
        csr = request.csr.encode()
        certificate = pki.sign_csr(self.authority.ca, csr, node_id=request.node_id, sans=sans, now=now)
        council = CouncilAccess(
            certificate=pki.sign_csr(COUNCIL_CA, csr, node_id=request.node_id, sans=sans, now=now),
            ca=COUNCIL_CA.certificate,
        )
        return Reply(200, msgspec.json.encode(self.grant(request, certificate, council)))

    def grant(
        self, request: JoinRequest, certificate: bytes, council: CouncilAccess | None = None, **changes: Any
    ) -> JoinAnswer:
        answer = JoinAnswer(
            certificate=certificate.decode(),
            ca=self.authority.ca.certificate.decode(),
            sealed=seal_for(
                request.box_key,
                msgspec.json.encode(Secrets(colony_secret=SECRET, whole=council is not None, council=council)),
                purpose="join",
                colony=COLONY,
                node_id=request.node_id,
            ),
            etcd=("127.0.0.1:2379",),
            joined_at=1234.5,
        )
        return msgspec.structs.replace(answer, **changes)


def problem(status: int, code: str, detail: str = "", hint: str = "", **headers: str) -> Reply:
    body = json.dumps({"code": code, "detail": detail, "hint": hint, "status": status}).encode()
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def layers(*urls: str, queen_url: str = "") -> Ways:
    async def ways() -> AsyncIterator[Found]:
        yield Found(urls=urls, origin="seed", queen_url=queen_url)

    return ways


async def enter(state: Path, ways: Ways, token: JoinToken = HOME.token, **options: Any) -> Joined:
    options = {"deadline_s": 20.0, **options}
    return await join(options.pop("newcomer", NEWCOMER), StateDir(state), token, ways, **options)


async def refused(
    kind: type[AwareError], state: Path, ways: Ways, token: JoinToken = HOME.token, **options: Any
) -> str:
    """The one line the join ends with; no harm was done, and no secret is in it."""
    with pytest.raises(kind) as caught:
        await enter(state, ways, token, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert token.secret not in text
    kept = StateDir(state)
    assert kept.load() is None, "a failed join leaves no membership"
    assert {path.name for path in state.iterdir()} <= {"node.json", "node.key"}
    return text


@contextlib.contextmanager
def queen(before: list[Reply] | None = None, authority: Authority = HOME) -> Iterator[tuple[str, Queen]]:
    handler = Queen(authority, before)
    with tls_server(authority.server, handler) as url:
        yield url, handler


async def test_a_newcomer_gets_certificate_secret_and_endpoints(tmp_path: Path) -> None:
    with queen() as (url, mother):
        joined = await enter(tmp_path, layers(url))
    state, (request,) = joined.state, mother.seen
    assert joined.origin == "seed"
    assert StateDir(tmp_path).load() == state
    assert state.membership.secret == SECRET
    assert state.membership.etcd == ("127.0.0.1:2379",)
    assert state.membership.joined_at == 1234.5
    assert (request.node_id, request.name, request.url) == (state.identity.id, "demo-2", NEWCOMER.url)
    pki.check_certificate(state.certificate, key=state.key, ca=state.ca, common_name=state.identity.id)
    assert state.council is not None
    council = state.council
    pki.check_certificate(council.certificate, key=state.key, ca=council.ca, common_name=state.identity.id)
    assert "PRIVATE" not in request.csr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ca.crt", "colony.json", "council-ca.crt", "council.crt", "node.crt", "node.json", "node.key",
    ]  # fmt: skip


async def test_a_wrong_token_is_refused_with_exit_code_12(tmp_path: Path) -> None:
    wrong = make_token(HOME.token.ca_pin, os.urandom(RANDOM_BYTES))
    with queen() as (url, mother):
        assert "unknown or wrong" in await refused(TokenRefused, tmp_path, layers(url), wrong)
    assert mother.seen == []
    assert TokenRefused.exit_code == 12


async def test_a_used_up_token_says_so(tmp_path: Path) -> None:
    with queen() as (url, mother):
        mother.uses_left = 0
        assert "used up" in await refused(TokenRefused, tmp_path, layers(url))


async def test_a_wrong_pin_shows_the_token_to_nobody(tmp_path: Path) -> None:
    other = Authority.make()
    with queen() as (url, mother):
        text = await refused(CaPinMismatch, tmp_path, layers(url), other.token)
    assert "another pin" in text
    assert url in text
    assert mother.seen == []
    assert CaPinMismatch.exit_code == 13


async def test_somebody_in_between_who_relays_the_genuine_ca_gets_no_token(tmp_path: Path) -> None:
    """The first connection proves nothing: the CA is public. The second one must be signed by it."""
    bodies: list[bytes] = []

    def relay(method: str, path: str, body: bytes) -> Reply:
        bodies.append(body)
        return Reply(200, HOME.ca.certificate)

    with tls_server(Authority.make().server, relay) as url:
        text = await refused(CaPinMismatch, tmp_path, layers(url))
    assert "did not sign" in text
    assert bodies == [b""], "only the public CA was asked for"


async def test_a_member_of_the_same_ca_under_another_colony_name_is_refused(tmp_path: Path) -> None:
    with queen() as (url, mother):
        newcomer = NEWCOMER._replace(colony="demi")
        text = await refused(CaPinMismatch, tmp_path, layers(url), newcomer=newcomer)
    assert "not of the council of colony 'demi'" in text
    assert mother.seen == []


async def test_a_worker_redirects_to_the_queen(tmp_path: Path) -> None:
    with queen() as (queen_url, mother):
        away = Reply(307, headers={"location": f"{queen_url}/v1/join"})
        with queen([away]) as (worker_url, worker):
            joined = await enter(tmp_path, layers(worker_url))
    assert joined.state.membership.secret == SECRET
    assert (len(worker.seen), len(mother.seen)) == (0, 1)


@pytest.mark.parametrize("port", ["", ":notaport"])
async def test_a_redirect_to_nowhere_or_in_the_clear_sends_no_token(tmp_path: Path, port: str) -> None:
    plain = f"http://127.0.0.1:{free_port()}/v1/join" if not port else f"https://127.0.0.1{port}/v1/join"
    with queen([Reply(307, headers={"location": plain})] * 99) as (url, _):
        text = await refused(JoinFailed, tmp_path, layers(url), deadline_s=0.8)
    assert "not an" in text


async def test_a_redirect_out_of_the_colony_sends_no_token(tmp_path: Path) -> None:
    with queen(authority=Authority.make()) as (outside, stranger):
        away = Reply(307, headers={"location": f"{outside}/v1/join"})
        with queen([away] * 9) as (url, _):
            assert outside in await refused(CaPinMismatch, tmp_path, layers(url))
    assert stranger.seen == []


async def test_redirects_in_a_circle_end(tmp_path: Path) -> None:
    with queen([Reply(307, headers={"location": "/v1/join"})] * 999) as (url, _):
        assert "circle" in await refused(JoinFailed, tmp_path, layers(url), deadline_s=3.0)


async def test_waits_for_a_queen_as_long_as_it_is_told(tmp_path: Path) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    busy = [problem(503, "no-queen", "no queen", retry_after=value) for value in ("2", "99999", "soon")]
    with queen(busy) as (url, mother):
        joined = await enter(tmp_path, layers(url), sleep=sleep)
    assert joined.state.identity.id == mother.seen[0].node_id
    assert pauses == [2.0, 5.0, 0.5]


async def test_gives_up_at_the_deadline_with_the_last_reason(tmp_path: Path) -> None:
    busy = [problem(503, "no-queen", "the colony has no queen at this moment")] * 999
    with queen(busy) as (url, _):
        text = await refused(JoinFailed, tmp_path, layers(url), deadline_s=1.2)
    assert "no queen at this moment" in text
    assert JoinFailed.exit_code == 14


async def test_tries_the_next_address_and_the_next_layer(tmp_path: Path) -> None:
    stranger = Authority.make()
    with queen() as (url, _), queen(authority=stranger) as (strange_url, outside):
        asked: list[str] = []

        async def ways() -> AsyncIterator[Found]:
            asked.append("seed")
            yield Found(urls=(f"https://127.0.0.1:{free_port()}", strange_url), origin="seed")
            asked.append("broadcast")
            yield Found(urls=(url,), origin="broadcast", queen_url=url)
            asked.append("never")

        joined = await enter(tmp_path, ways)
    assert joined.origin == "broadcast"
    assert asked == ["seed", "broadcast"]
    assert outside.seen == []


async def test_nobody_there_is_no_colony_found(tmp_path: Path) -> None:
    async def nowhere() -> AsyncIterator[Found]:
        return
        yield

    text = await refused(NoColonyFound, tmp_path, nowhere, deadline_s=0.6)
    assert "no node of the colony answered" in text


async def test_a_taken_name_is_exit_code_19(tmp_path: Path) -> None:
    with queen([problem(409, "name-taken", "another node is called 'demo-2'", "choose another")]) as (url, _):
        text = await refused(NameTaken, tmp_path, layers(url))
    assert text == "another node is called 'demo-2' (choose another)"
    assert NameTaken.exit_code == 19


async def test_a_guessed_name_that_is_taken_gives_way_to_the_whole_host_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "db.west")
    file, state = tmp_path / "agent.toml", StateDir(tmp_path / "state")
    taken = problem(409, "name-taken", "the name 'db' belongs to another node")
    with queen([taken]) as (url, mother):
        discovery = f'[discovery]\nseeds = ["{url}"]\nbroadcast = false\n'
        file.write_text(f'colony = "{COLONY}"\nstate_dir = "{state.path}"\naddress = "127.0.0.1"\n{discovery}')
        state.prepare()
        assert await daemon._join(load_settings(file, {}), state, str(HOME.token)) == "seed"
        assert [request.name for request in mother.seen] == ["db-west"]
        assert load_settings(file, {}).name == "db-west", "that is its name from now on"
        mother.before.append(taken)
        other = StateDir(tmp_path / "other")
        other.prepare()
        said = load_settings(file, {"AWARE_NAME": "db", "AWARE_STATE_DIR": str(other.path)})
        with pytest.raises(NameTaken):
            await daemon._join(said, other, str(HOME.token))
    assert len(mother.seen) == 1, "a name that was said stays refused"


async def test_any_other_refusal_is_final_and_says_why(tmp_path: Path) -> None:
    with queen([problem(422, "csr-refused", "the request\r\n\x1b[1mis damaged")]) as (url, _):
        text = await refused(JoinFailed, tmp_path, layers(url))
    assert "refused the join: the request [1mis damaged" in text


@pytest.mark.parametrize("seconds", [-3600, 3600, -40, 40])
async def test_a_wrong_clock_is_found_before_the_token_is_shown(tmp_path: Path, seconds: int) -> None:
    """Seeds answer no beacon; the date of the first answer tells."""
    with queen() as (url, mother):
        text = await refused(ClockSkew, tmp_path, layers(url), wall=lambda: time.time() + seconds)
    assert ("ahead of" if seconds > 0 else "behind") in text
    assert mother.seen == []
    assert ClockSkew.exit_code == 16


async def test_a_slightly_wrong_clock_is_no_hindrance(tmp_path: Path) -> None:
    with queen() as (url, _):
        assert (await enter(tmp_path, layers(url), wall=lambda: time.time() - 20)).origin == "seed"


async def test_an_expired_gateway_certificate_hints_at_the_clock(tmp_path: Path) -> None:
    old = Authority.make()
    pair = pki.issue(
        old.ca, old.server.key, common_name="x", sans=["council.demo.aware"], now=time.time() - 3 * 86400, days=1
    )
    with tls_server(pair, Queen(old), date=False) as url:
        text = await refused(JoinFailed, tmp_path, layers(url), old.token)
    assert "expired" in text
    assert "clock" in text


def forged_answers() -> dict[str, Callable[[Queen, JoinRequest], bytes]]:
    def signed(mother: Queen, request: JoinRequest, **changes: Any) -> bytes:
        options: dict[str, Any] = {"node_id": request.node_id, "sans": ["x"], "now": time.time(), **changes}
        return pki.sign_csr(options.pop("ca", mother.authority.ca), options.pop("csr", request.csr.encode()), **options)

    encode = msgspec.json.encode
    stranger = pki.create_ca(COLONY, time.time())
    return {
        "no JSON": lambda mother, request: b"<html>",
        "no fields": lambda mother, request: b"{}",
        "no certificate": lambda mother, request: encode(mother.grant(request, b"rubbish")),
        "another node": lambda mother, request: encode(
            mother.grant(request, signed(mother, request, node_id="0" * 26))
        ),
        "another key": lambda mother, request: encode(
            mother.grant(request, signed(mother, request, csr=pki.make_csr(pki.make_key(), "x", "x")))
        ),
        "another CA": lambda mother, request: encode(mother.grant(request, signed(mother, request, ca=stranger))),
        "another bundle": lambda mother, request: encode(
            mother.grant(request, signed(mother, request), ca=stranger.certificate.decode())
        ),
        "no endpoints": lambda mother, request: encode(mother.grant(request, signed(mother, request), etcd=())),
    }


@pytest.mark.parametrize("kind", forged_answers())
async def test_an_answer_that_does_not_fit_is_not_stored(tmp_path: Path, kind: str) -> None:
    forge = forged_answers()[kind]

    class Odd(Queen):
        def answer(self, request: JoinRequest) -> Reply:
            return Reply(200, forge(self, request))

    with tls_server(HOME.server, Odd(HOME)) as url:
        assert "with something else" in await refused(JoinFailed, tmp_path, layers(url))


@pytest.mark.parametrize("forged", ["another key", "another node", "another CA"])
async def test_a_certificate_for_etcd_that_does_not_fit_is_not_stored(tmp_path: Path, forged: str) -> None:
    class Odd(Queen):
        def grant(
            self, request: JoinRequest, certificate: bytes, council: CouncilAccess | None = None, **changes: Any
        ) -> JoinAnswer:
            csr = pki.make_csr(pki.make_key(), "x", "x") if forged == "another key" else request.csr.encode()
            node_id = "0" * 26 if forged == "another node" else request.node_id
            ca = self.authority.ca if forged == "another CA" else COUNCIL_CA
            shown = pki.sign_csr(ca, csr, node_id=node_id, sans=[], now=time.time())
            odd = CouncilAccess(certificate=shown, ca=COUNCIL_CA.certificate)
            return super().grant(request, certificate, odd, **changes)

    with tls_server(HOME.server, Odd(HOME)) as url:
        assert "for etcd does not fit" in await refused(JoinFailed, tmp_path, layers(url))


async def test_a_flood_is_cut_off(tmp_path: Path) -> None:
    with tls_server(HOME.server, lambda *_: Reply(200, b"x" * 5_000_000)) as url:
        assert "more than 65536 bytes" in await refused(JoinFailed, tmp_path, layers(url), deadline_s=0.8)


@contextlib.contextmanager
def dripping(first: bytes, drip: bytes, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that says ``first``, then a little every now and then, far longer than any deadline here."""
    listener = socket.create_server(("127.0.0.1", free_port()))
    stop = threading.Event()
    open_connections: list[socket.socket] = []

    def serve() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                open_connections.append(connection)
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

    def talk(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if context:
                connection = context.wrap_socket(connection, server_side=True)
                open_connections.append(connection)
            connection.sendall(first)
            while not stop.wait(0.05):
                connection.sendall(drip)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in open_connections:
            connection.close()


# A TLS record header that promises 16 KiB of handshake, then one byte of it at a time.
@pytest.mark.parametrize(
    ("first", "drip"), [(b"", b""), (b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb", b"\0"), (b"HTTP/1.1 200 OK\r\n", b"x")]
)
async def test_a_silent_slow_or_plain_server_is_left_in_time(tmp_path: Path, first: bytes, drip: bytes) -> None:
    with dripping(first, drip) as url:
        assert url in await refused(JoinFailed, tmp_path, layers(url), deadline_s=0.8)


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"])
async def test_an_answer_that_never_ends_is_cut_off(tmp_path: Path, first: bytes) -> None:
    """Each byte arrives in time, all of them never: only a limit on the whole exchange helps."""
    (tmp_path / "tls").mkdir()
    context = server_context(HOME.server, tmp_path / "tls")
    with dripping(first, b"x", context) as url:
        assert url in await refused(JoinFailed, tmp_path / "state", layers(url), deadline_s=0.8)


async def test_an_answer_cut_short_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    """The CA without its end would look like a wrong pin, which is an accusation."""
    short = HOME.ca.certificate[:-40]
    cut = Reply(200, short, {"content-length": str(len(HOME.ca.certificate))})
    with tls_server(HOME.server, lambda *_: cut) as url:
        assert url in await refused(JoinFailed, tmp_path, layers(url), deadline_s=0.8)


async def test_a_repeated_join_is_the_same_node_with_the_same_key(tmp_path: Path) -> None:
    with queen() as (url, mother):
        first = await enter(tmp_path, layers(url))
        StateDir(tmp_path).membership_path.unlink()  # killed right before the commit
        second = await enter(tmp_path, layers(url))
    assert (first.state.identity, first.state.key) == (second.state.identity, second.state.key)
    assert len({pki.csr_pin(request.csr.encode()) for request in mother.seen}) == 1


async def test_a_damaged_key_is_named_before_anybody_is_asked(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.prepare()
    state.save_key(b"rubbish")
    with queen() as (url, mother), pytest.raises(StateCorrupted, match=r"node\.key is damaged"):
        await enter(tmp_path, layers(url))
    assert mother.seen == []


async def test_a_bad_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        await enter(tmp_path / "state", layers("https://127.0.0.1:1"), newcomer=NEWCOMER._replace(name="Demo 2"))
    assert not (tmp_path / "state").exists()
