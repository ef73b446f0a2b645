"""Calls out of a colony, against receivers and names that want to be called where nobody may."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from aware_agent.colony.reach import Reach
from aware_agent.gateway.identity.errors import ProviderUnreachable
from aware_agent.gateway.identity.requests import Requests
from aware_agent.outgoing import MAX_ANSWER, CallFailed, CallRefused, Outgoing, addresses
from tests.receiver import ENDLESS, HANG, RESET, Receiver
from tests.tls_support import server_pair

LOOPBACK = Reach(http_to_loopback=True)


async def _post(url: str, reach: Reach = LOOPBACK, **options: Any) -> Any:
    outgoing = Outgoing(url, reach, **options)
    try:
        return await outgoing.post(b"{}", {"content-type": "application/json"})
    finally:
        await outgoing.aclose()


async def test_a_receiver_is_called_and_its_answer_is_told() -> None:
    with Receiver(lambda _: 200).running() as receiver:
        answer = await _post(receiver.url)
        assert (answer.status, answer.body, answer.ok) == (200, b"thank you", True)
        assert receiver.calls[0].body == b"{}"
        assert receiver.calls[0].headers["host"] == f"127.0.0.1:{receiver.port}"


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with Receiver().running() as inside, Receiver(lambda _: 307).running() as receiver:
        receiver.headers = {"location": inside.url}
        answer = await _post(receiver.url)
        assert (answer.status, answer.ok) == (307, False)
        assert inside.calls == []


async def test_an_answer_without_end_is_cut() -> None:
    with Receiver(lambda _: ENDLESS).running() as receiver:
        assert len((await _post(receiver.url)).body) == MAX_ANSWER


async def test_who_does_not_answer_or_hangs_up_fails_in_time() -> None:
    with Receiver(lambda _: HANG).running() as receiver:
        with pytest.raises(CallFailed, match="no answer within"):
            await _post(receiver.url, timeout_s=0.5)
        receiver.behave = lambda _: RESET
        with pytest.raises(CallFailed):
            await _post(receiver.url)


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver(lambda _: 200).running() as receiver, Receiver(lambda _: 200).running() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await _post(receiver.url)).ok
        assert proxy.calls == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "127.1", "::ffff:127.0.0.1", "169.254.169.254"])
async def test_a_name_that_means_an_inner_address_is_refused(host: str) -> None:
    with pytest.raises(CallRefused):
        await addresses(host, 443, Reach())


class _Names:
    """Stands in for DNS of somebody hostile: each question may be answered in another way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._ask, raising=False)

    async def _ask(self, host: str, port: int, **_: Any) -> list[Any]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]


async def test_a_name_with_one_inner_address_among_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _Names(monkeypatch, ["1.1.1.1", "10.0.0.1"])
    with pytest.raises(CallRefused, match=r"10\.0\.0\.1"):
        await _post("https://rebind.example/", Reach())


async def test_the_connection_goes_to_the_address_that_was_judged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The name means something else the moment after it was judged; and the certificate is verified for the name."""
    ca, certificate, key = server_pair(tmp_path, "rebind.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    allowed = Reach(networks=("127.0.0.1/32",))
    with Receiver(lambda _: 200, tls=context).running() as receiver:
        names = _Names(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
        url = f"https://rebind.example:{receiver.port}/hook"
        assert (await _post(url, allowed, ca=ca.read_text())).ok
        assert names.asked == 1  # asked once: what was judged is what is called
        with pytest.raises(CallRefused, match=r"10\.0\.0\.1"):
            await _post(url, allowed, ca=ca.read_text())
        names.answers = [["127.0.0.1"]]
        with pytest.raises(CallFailed, match="certificate"):  # by the system's CAs it is nobody
            await _post(url, allowed)
        with pytest.raises(CallFailed, match="certificate"):  # and of another name it is not
            await _post(f"https://other.example:{receiver.port}/hook", allowed, ca=ca.read_text())
        assert len(receiver.calls) == 1


async def test_an_identity_provider_may_be_inside_and_no_metadata_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca, certificate, key = server_pair(tmp_path, "id.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Receiver(lambda _: 200, tls=context).running() as provider:
        names = _Names(monkeypatch, ["127.0.0.1"])
        url = f"https://id.example:{provider.port}/"
        requests = Requests(url, (), ca.read_text())
        with pytest.raises(ProviderUnreachable, match="JSON"):  # it was asked, and said what no provider says
            await requests.document("POST", url, form={"a": "b c"})
        asked = provider.calls[0]
        assert (asked.body, asked.headers["content-type"]) == (b"a=b+c", "application/x-www-form-urlencoded")
        await requests.close()
        names.answers = [["169.254.169.254"]]
        requests = Requests(url, (), ca.read_text())
        with pytest.raises(ProviderUnreachable, match="never asked") as refused:
            await requests.document("GET", url)
        assert "169.254" not in str(refused.value)
        await requests.close()
        with pytest.raises(ProviderUnreachable, match="changed meanwhile"):
            await requests.document("GET", url)
        assert len(provider.calls) == 1


def test_a_ca_that_is_none_is_refused() -> None:
    with pytest.raises(CallRefused, match="not a certificate"):
        Outgoing("https://hooks.example/", Reach(), ca="nonsense")
