"""Attack: somebody guesses passwords, from one address or from many, of one user or of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from aware_agent.colony.rates import Rate
from aware_agent.gateway.app import GatewayApp, create_gateway
from aware_agent.gateway.errors import TooManyAttempts
from aware_agent.gateway.guesses import OF_STRANGERS, PER_SOURCE, PER_USER, Client, Guesses
from tests.gateway.memory import PASSWORD, MemoryContext

NAT, ELSEWHERE = "192.0.2.1", "198.51.100.9"
DAY_S = 86400.0


def tries(guesses: Guesses, clients: Iterator[Client], now: float, count: int) -> int:
    """How many of ``count`` wrong passwords are looked at."""
    looked = 0
    for client, _ in zip(clients, range(count), strict=False):
        try:
            guesses.begin(client, now)
        except TooManyAttempts:
            continue
        looked += 1
    return looked


def users_from(source: str) -> Iterator[Client]:
    return (Client(f"user-{number}", source) for number in range(1_000_000))


def sources_for(user: str) -> Iterator[Client]:
    return (Client(user, f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::") for number in range(1_000_000))


def everywhere() -> Iterator[Client]:
    return (
        Client(f"user-{number}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}") for number in range(2**23)
    )


@pytest.mark.parametrize(
    ("attack", "budget"),
    [(users_from(NAT), PER_SOURCE), (sources_for("ada"), PER_USER), (everywhere(), OF_STRANGERS)],
    ids=["one address sprays over all users", "a botnet tries one user", "a botnet tries everybody"],
)
def test_guessing_is_slow_from_wherever_it_comes(attack: Iterator[Client], budget: Rate) -> None:
    guesses, now, looked = Guesses(7), 1000.0, 0
    for _ in range(25):
        looked += tries(guesses, attack, now, 2000)
        now += 60.0
    assert looked <= budget.burst + 25 * 60 * budget.per_s + 1
    assert looked >= budget.burst / 2


def test_nobody_known_waits_while_a_botnet_tries_everybody() -> None:
    guesses = Guesses(7)
    tries(guesses, sources_for("ada"), 5.0, 5000)
    tries(guesses, everywhere(), 5.0, 5000)
    tries(guesses, users_from(NAT), 5.0, 5000)
    with pytest.raises(TooManyAttempts):
        guesses.begin(Client("ada", "203.0.113.5"), 5.0)
    guesses.begin(Client("ada", NAT, local=True), 5.0)()
    guesses.begin(Client("ada", "203.0.113.5", session="s"), 5.0)()


def test_behind_one_address_the_guesser_stops_at_his_own_counter_and_the_owner_is_let_in() -> None:
    """The guesser shares the owner's address, where the owner's session lives; the owner shows his old token."""
    guesses = Guesses(7)
    assert tries(guesses, (Client("ada", NAT, local=True) for _ in range(100)), 5.0, 100) <= 10
    guesses.begin(Client("ada", NAT, session="s", local=True), 5.0)()


def test_a_token_is_no_way_to_guess_on() -> None:
    guesses = Guesses(7)
    thief = (Client("ada", ELSEWHERE, session="stolen") for _ in range(10_000))
    assert tries(guesses, thief, 5.0, 10_000) <= 10


def test_logging_in_oneself_buys_no_further_guesses() -> None:
    guesses, looked = Guesses(7), Counter[str]()
    for number in range(500):
        try:
            guesses.begin(Client("mallory", NAT), 5.0)()
            looked["own"] += 1
        except TooManyAttempts:
            pass
        looked["guess"] += tries(guesses, iter([Client(f"user-{number}", NAT)]), 5.0, 1)
    assert looked["guess"] <= PER_SOURCE.burst


def test_right_passwords_cost_nothing() -> None:
    guesses = Guesses(7)
    for number in range(2000):
        guesses.begin(Client(f"user-{number % 300}", NAT), 5.0)()
    assert not guesses.refused


# At the gateway -------------------------------------------------------------------------------------------------------


@pytest.fixture
def app() -> GatewayApp:
    made = create_gateway(MemoryContext())
    made.gateway.guesses = Guesses(7, source=Rate(1 / 60, 3), user=Rate(1 / 60, 3))
    return made


def at(app: GatewayApp, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=(address, 1)), base_url="https://queen")


async def log_in(client: httpx.AsyncClient, name: str, password: str = PASSWORD, token: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return await client.post("/v1/auth/token", json={"username": name, "password": password}, headers=headers)


async def test_spraying_is_refused_and_who_has_a_session_there_logs_in(app: GatewayApp) -> None:
    async with at(app, NAT) as office:
        assert (await log_in(office, "ada")).status_code == 200
        codes = [(await log_in(office, f"user-{number}", "summer")).status_code for number in range(6)]
        assert codes == [401] * 3 + [429] * 3
        assert (await log_in(office, "vera")).status_code == 429, "unknown here until now, and so a stranger"
        assert (await log_in(office, "ada")).status_code == 200


async def test_one_user_tried_from_many_addresses_gets_in_with_an_old_token(app: GatewayApp) -> None:
    async with at(app, NAT) as home:
        old = (await log_in(home, "ada")).json()["access_token"]
        assert (await home.delete("/v1/sessions", headers={"authorization": f"Bearer {old}"})).status_code == 200
    for number in range(3):
        async with at(app, f"203.0.113.{number}") as bot:
            assert (await log_in(bot, "ada", "summer")).status_code == 401
    async with at(app, ELSEWHERE) as hotel:
        refused = await log_in(hotel, "ada")
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-attempts")
        assert int(refused.headers["retry-after"]) > 0
        assert (await hotel.get("/v1/cluster", headers={"authorization": f"Bearer {old}"})).status_code == 401
        assert (await log_in(hotel, "vera", token=old)).status_code == 200, "another's token is none of hers"
        assert (await log_in(hotel, "ada", token=old)).status_code == 200
        assert (await log_in(hotel, "ada", token=old[:-4] + "AAAA")).status_code == 200, "a session lives there now"
    async with at(app, "203.0.113.77") as bot:
        assert (await log_in(bot, "ada", token=old[:-4] + "AAAA")).status_code == 429, "a forged token shows nothing"
