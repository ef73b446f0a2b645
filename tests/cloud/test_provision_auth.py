"""openstack_cluster and a real keystone: every way to log in that it offers, and what is said when one fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("openstack")

from provisioning import MARKS, Project, here, result_of

pytestmark = MARKS
__all__ = ["here"]
Entry = dict[str, Any]


def password_by_ids(here: Project) -> Entry:
    auth = here.cloud["auth"]
    known = {key: auth[key] for key in ("auth_url", "password", "user_domain_id")}
    named = here.connection.identity.get("/users", params={"name": auth["username"]})
    user = here.connection.current_user_id or named
    return {"auth_type": "v3password", "auth": {**known, "user_id": user, "project_id": here.id}}


def password_with_domain_names(here: Project) -> Entry:
    auth = here.cloud["auth"]
    known = {key: auth[key] for key in ("auth_url", "username", "password", "project_name")}
    return {
        "auth_type": "v3password",
        "auth": {**known, "user_domain_name": "Default", "project_domain_name": "Default"},
    }


def application_credential(here: Project) -> Entry:
    made = here.connection.identity.create_application_credential(user=here.connection.current_user_id, name="one")
    auth = {
        "auth_url": here.cloud["auth"]["auth_url"],
        "application_credential_id": made.id,
        "application_credential_secret": made.secret,
    }
    return {"auth_type": "v3applicationcredential", "auth": auth}


def application_credential_by_name(here: Project) -> Entry:
    made = here.connection.identity.create_application_credential(user=here.connection.current_user_id, name="two")
    auth = {
        "auth_url": here.cloud["auth"]["auth_url"],
        "application_credential_name": "two",
        "application_credential_secret": made.secret,
        "username": here.cloud["auth"]["username"],
        "user_domain_id": "default",
    }
    return {"auth_type": "v3applicationcredential", "auth": auth}


def token(here: Project) -> Entry:
    auth = {"auth_url": here.cloud["auth"]["auth_url"], "token": here.connection.auth_token, "project_id": here.id}
    return {"auth_type": "v3token", "auth": auth}


def plain(here: Project) -> Entry:
    return {"auth": dict(here.cloud["auth"])}


WAYS = [
    plain,
    password_by_ids,
    password_with_domain_names,
    application_credential,
    application_credential_by_name,
    token,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_clouds_yaml(here: Project, way: Callable[[Project], Entry], tmp_path: Path) -> None:
    entry = {**way(here), "region_name": "RegionOne"}
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(yaml.safe_dump({"clouds": {"mine": entry}}))
    options = {**here.options(1, _ansible_check_mode=True), "cloud": "mine"}
    result = result_of(here.start(options, environment={**bare(), "OS_CLIENT_CONFIG_FILE": str(clouds)}))
    assert not result.get("failed"), result["msg"]
    assert "create server bee-1: spare" in result["plan"]


def test_an_application_credential_makes_a_whole_colony(here: Project) -> None:
    before = here.cloud
    here.cloud = {**application_credential_of(here, "three"), "region_name": "RegionOne"}
    try:
        here.good(2)
        here.check(2)
        here.good(state="absent")
        here.empty()
    finally:
        here.cloud = before


def application_credential_of(here: Project, name: str) -> Entry:
    made = here.connection.identity.create_application_credential(user=here.connection.current_user_id, name=name)
    auth = {"application_credential_id": made.id, "application_credential_secret": made.secret}
    auth["auth_url"] = here.cloud["auth"]["auth_url"]
    return {"auth_type": "v3applicationcredential", "auth": auth}


def test_options_of_the_task(here: Project) -> None:
    entry = password_with_domain_names(here)
    options = {**here.options(1, _ansible_check_mode=True), **entry, "region_name": "RegionOne"}
    del options["cloud"]
    result = result_of(here.start(options, environment=bare()))
    assert not result.get("failed"), result["msg"]


def test_variables(here: Project) -> None:
    entry = application_credential_of(here, "four")
    variables = {f"OS_{key.upper()}": value for key, value in entry["auth"].items()}
    options = here.options(1, _ansible_check_mode=True)
    del options["cloud"]
    environment = {**bare(), **variables, "OS_AUTH_TYPE": entry["auth_type"], "OS_REGION_NAME": "RegionOne"}
    result = result_of(here.start(options, environment=environment))
    assert not result.get("failed"), result["msg"]


def test_a_secret_that_is_wrong_is_not_shown(here: Project) -> None:
    entry = application_credential_of(here, "five")
    entry["auth"]["application_credential_secret"] = "not-this-one"
    result = here.run(1, cloud=entry)
    assert "the cloud refused the credentials" in result["msg"]
    assert "not-this-one" not in str(result)


def test_a_token_that_was_revoked(here: Project) -> None:
    entry = token(here)
    # The connection logs in anew for what comes later.
    answer = here.connection.identity.delete("/auth/tokens", headers={"X-Subject-Token": entry["auth"]["token"]})
    assert answer.status_code == 204
    here.connection.session.invalidate()
    result = here.run(1, cloud=entry)
    assert "the cloud refused the credentials" in result["msg"]
    assert entry["auth"]["token"] not in str(result)


def test_a_cloud_nobody_described(here: Project) -> None:
    result = here.run(1, cloud="nosuch")
    assert result["failed"]
    assert "nosuch" in result["msg"]
    assert "\n" not in result["msg"]


def test_a_project_without_a_role(here: Project) -> None:
    auth = {**here.cloud["auth"], "project_name": "admin"}
    result = here.run(1, cloud={**here.cloud, "auth": auth})
    assert "the cloud refused the credentials" in result["msg"]


def bare() -> dict[str, str]:
    """The environment without what tells of another cloud."""
    return {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
