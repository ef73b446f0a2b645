"""What an agent tells of itself: certificates' ends without a cryptography package, room on the disk."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from aware_agent.agent.certificate_fields import key_pin, not_after
from aware_agent.agent.metrics import node_families
from aware_agent.security import pki

NOW = 1_900_000_000.0


@pytest.mark.parametrize("days", [1, 90, 3650, 40 * 365])  # UTCTime until 2049, GeneralizedTime from 2050 on
def test_end_of_a_certificate_is_what_cryptography_reads(days: int) -> None:
    ca = pki.create_ca("demo", NOW, days=days)
    assert not_after(ca.certificate) == pki.facts(ca.certificate).not_after


def test_of_a_bundle_the_first_to_run_out_counts() -> None:
    short, long = (pki.create_ca("demo", NOW, days=days).certificate for days in (30, 60))
    assert not_after(long + short) == not_after(short) < not_after(long)


def test_what_is_no_certificate_is_refused() -> None:
    lines = pki.create_ca("demo", NOW).certificate.splitlines(keepends=True)
    for damaged in (
        b"",
        b"text",
        b"".join([lines[0], lines[1], lines[-1]]),
        b"".join([lines[0], b"MAA=\n", lines[-1]]),
    ):
        with pytest.raises(ValueError, match="certificate"):
            not_after(damaged)


def test_the_key_of_a_certificate_is_the_one_the_colony_knows() -> None:
    key = pki.make_key()
    ca = pki.create_ca("demo", NOW)
    pair = pki.issue(ca, key, common_name="n", sans=["127.0.0.1"], now=NOW)
    der = ssl.PEM_cert_to_DER_cert(pair.certificate.decode())
    assert key_pin(der) == pki.key_pin(key)
    for damaged in (b"", der[:40], der[:200], b"\x30\x03abc"):
        with pytest.raises(ValueError, match="damaged"):
            key_pin(damaged)


def _samples(state_dir: Path) -> dict[str, float]:
    found = node_families(
        term=0,
        colony_term=7,
        ready=True,
        uptime_s=1.0,
        revision=9,
        stale_s=0.0,
        beacons={},
        certificates={"node": NOW},
        state_dir=state_dir,
        channels={"open": 2},
        held={"open": 7, "silent": 1},
    )
    families = list(found)
    channels = next(family for family in families if family.name == "aware_channels")
    assert sorted(value for _, value in channels.samples) == [1.0, 2.0, 7.0]
    return {family.name: value for family in families for _, value in family.samples}


def test_a_disk_that_does_not_answer_is_left_out(tmp_path: Path) -> None:
    here, gone = _samples(tmp_path), _samples(tmp_path / "missing")
    assert here["aware_state_disk_size_bytes"] >= here["aware_state_disk_free_bytes"] >= 0
    assert set(here) - set(gone) == {"aware_state_disk_size_bytes", "aware_state_disk_free_bytes"}
    assert gone["aware_certificate_expiry_timestamp_seconds"] == NOW
    assert gone["aware_colony_term"] == 7
