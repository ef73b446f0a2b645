"""Which etcd is refused, and which is warned about."""

from __future__ import annotations

import pytest

from aware_agent.store.errors import UnsupportedEtcd
from aware_agent.store.version import gate, parse_version


@pytest.mark.parametrize("version", ["3.5.0", "3.5.1", "3.5.5"])
def test_releases_that_corrupt_data_are_for_tests_only(version: str) -> None:
    with pytest.raises(UnsupportedEtcd, match=version) as error:
        gate(version, production=True)
    assert error.value.exit_code == 15
    (warning,) = gate(version, production=False)
    assert version in warning


@pytest.mark.parametrize("production", [True, False])
@pytest.mark.parametrize("version", ["3.5.6", "3.5.12", "3.4.23", "3.4.30"])
def test_releases_that_miss_fixes_are_warned_about(version: str, production: bool) -> None:
    assert len(gate(version, production)) == 1


@pytest.mark.parametrize("version", ["3.5.13", "3.5.30", "3.4.31", "3.6.0", "3.6.0-rc.1", "v3.7.2", "4.0.0"])
def test_good_releases_pass_without_a_word(version: str) -> None:
    assert gate(version, production=True) == []


@pytest.mark.parametrize("version", ["2.3.8", "3.3.27", "", "none", "3.5"])
def test_what_cannot_work_is_refused_even_for_tests(version: str) -> None:
    with pytest.raises(UnsupportedEtcd):
        gate(version, production=False)


def test_versions_compare_as_numbers() -> None:
    assert parse_version("3.5.9") < parse_version("3.5.13") < parse_version("3.10.0")
