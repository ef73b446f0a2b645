"""The one judge of a gateway's address."""

from __future__ import annotations

import pytest

from aware_agent.colony.urls import gateway_url, host_of, origin


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Node-1.Example/", "https://node-1.example:443"),
        ("https://[2001:DB8::1]:8443/v1?x", "https://[2001:db8::1]:8443"),
        ("https://127.0.0.1:443", "https://127.0.0.1:443"),
        ("http://a", ""),
        ("https://u@a", ""),
        ("https://a:99999", ""),
        ("https://a:0", ""),
        ("https://999.1.1.1:1", ""),
        ("https://a..b:1", ""),
        ("https://..:1", ""),
        ("https://" + "x" * 70 + ":1", ""),
        ("https://[::1", ""),
        ("https://node_1.example.:1", "https://node_1.example.:1"),
        ("https://a\\@b", ""),
        ("https://", ""),
        ("https://a b", ""),
        ("", ""),
    ],
)
def test_one_spelling_of_a_host(url: str, expected: str) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    "url",
    ["https://h:1/path", "https://h:1?x", "https://h:1#x", "http://127.0.0.1:1", "https://" + "a." * 200 + "a", "h:1"],
)
def test_a_base_url_is_nothing_more(url: str) -> None:
    assert gateway_url(url) == ""


def test_a_base_url_and_its_host() -> None:
    assert gateway_url("https://[FD00::1]:8443/") == "https://[fd00::1]:8443"
    assert gateway_url("https://h") == "https://h:443"
    assert (host_of("https://[fd00::1]:8443"), host_of("https://a:1"), host_of("http://a:1")) == ("fd00::1", "a", "")
