"""Secrets of the colony: what is taken, how the queen keeps it, who is given it, and that nobody is shown it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from queen_support import Queen, refused

from aware_agent.colony.audit import AuditLine
from aware_agent.colony.errors import InvalidInput, NotFound
from aware_agent.colony.operation import Operation
from aware_agent.colony.quota import TooManyRecords
from aware_agent.queen import commands as do
from aware_agent.queen.once import KeptRecord
from aware_agent.queen.secrets import SecretBook, SecretMissing, resealed, stale_secrets
from aware_agent.queen.writer import RevisionChanged
from aware_agent.security.colony_secret import (
    MAX_SECRETS,
    CloudSecret,
    SecretRecord,
    SecretValue,
    TextSecret,
    about,
    check_secret,
    to_mask,
)
from aware_agent.security.sealed import SealBroken, colony_sealer
from tests.memory_colony import SECRET

APPLICATION: dict[str, Any] = {
    "auth_type": "v3applicationcredential",
    "auth": {
        "auth_url": "https://keystone.example/v3",
        "application_credential_id": "21dced0fd20347869b93710d2b98aae0",
        "application_credential_secret": "cl0ud-pa55",
    },
    "region_name": "RegionOne",
    "identity_api_version": 3,
    "compute_endpoint_override": "https://nova.example/v2.1",
}
PASSWORD: dict[str, Any] = {
    "auth": {"auth_url": "https://keystone.example/v3", "username": "a", "password": "cl0ud-pa55", "project_name": "p"}
}
LAB = CloudSecret(cloud=APPLICATION)
USES_LAB = Operation(name="grow", playbook="/p.yml", file="f", uses=("lab",))
NEW = bytes(range(32))


def put(name: str = "lab", value: SecretValue = LAB, **more: Any) -> do.PutSecret:
    return do.PutSecret(name=name, value=value, **more)


def kept(queen: Queen, name: str = "lab") -> SecretRecord | None:
    return queen.colony.reader.one(f"secrets/{name}", SecretRecord)


@pytest.fixture
def queen() -> Queen:
    return Queen()


def cloud(**changes: Any) -> CloudSecret:
    return CloudSecret(cloud={**APPLICATION, **changes})


def auth(**changes: Any) -> CloudSecret:
    return cloud(auth={**APPLICATION["auth"], **changes})


def test_clouds_by_password_and_by_application_credential_are_taken() -> None:
    for value in (LAB, CloudSecret(cloud=PASSWORD), TextSecret(text="t3xt")):
        check_secret("lab-1", value)
    assert about(LAB) == "v3applicationcredential at https://keystone.example/v3, region RegionOne"
    assert about(CloudSecret(cloud=PASSWORD)) == "password at https://keystone.example/v3, project p"
    assert about(TextSecret(text="t3xt")) == ""
    assert to_mask(LAB) == ("cl0ud-pa55",)


@pytest.mark.parametrize(
    ("value", "field", "hint"),
    [
        (TextSecret(text="abc"), "text", "4 to 4096"),
        (TextSecret(text="a" * 4097), "text", "4 to 4096"),
        (TextSecret(text="    "), "text", "4 to 4096"),
        (CloudSecret(cloud={}), "cloud.auth", ""),
        (cloud(cert="/etc/key.pem"), "cloud.cert", "no files"),
        (cloud(profile="https://vendor.example"), "cloud.profile", "no files"),
        (cloud(verify=False), "cloud.verify", "always verified"),
        (cloud(cacert="/etc/ca.crt"), "cloud.cacert", "as ca"),
        (cloud(auth_type="v3token"), "cloud.auth_type", "v3applicationcredential"),
        (cloud(auth_type="password"), "cloud.auth.password", "auth_type is password"),
        (cloud(region_name="a\nb"), "cloud.region_name", ""),
        (cloud(compute_endpoint_override="ftp://x"), "cloud.compute_endpoint_override", ""),
        (auth(token="abcd"), "cloud.auth.token", ""),
        (auth(auth_url="https://u:p@keystone.example"), "cloud.auth.auth_url", ""),
        (auth(auth_url="http://keystone.example"), "cloud.auth.auth_url", "plain_http"),
        (auth(application_credential_secret="abc"), "cloud.auth.application_credential_secret", "4 to 4096"),
        (auth(application_credential_id=""), "cloud.auth.application_credential_id", ""),
        (auth(password="another"), "cloud.auth.password", ""),
        (msgspec.structs.replace(LAB, ca="no PEM"), "ca", ""),
    ],
)
def test_what_no_job_could_use_is_refused_with_its_field(value: SecretValue, field: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_secret("lab", value)
    assert caught.value.field == field
    assert hint in (caught.value.hint or "")
    assert "cl0ud-pa55" not in str(caught.value)


def test_a_cloud_without_tls_has_to_be_wanted() -> None:
    plain = auth(auth_url="http://10.231.0.2:5000/v3")
    check_secret("lab", msgspec.structs.replace(plain, plain_http=True))
    with pytest.raises(InvalidInput):
        check_secret("lab", plain)


@pytest.mark.parametrize("name", ["", "Lab", "a/b", "-a", "a" * 41])
async def test_a_name_that_is_none(queen: Queen, name: str) -> None:
    assert "no name of a secret" in await refused(queen, put(name), InvalidInput)


async def test_it_is_kept_sealed_and_told_without_its_value(queen: Queen) -> None:
    assert (await queen.run(put())).changed
    record = kept(queen)
    assert record is not None
    assert (record.kind, record.changed_by) == ("openstack", "ada")
    everything = b"".join(kv.key + kv.value for kv in queen.colony.projection.items())
    assert b"cl0ud-pa55" not in everything
    assert queen.told() == ["secret.changed"]
    assert queen.events()[0].message == "ada set secret lab (openstack)", "at which cloud it is good is for admins"
    assert "keystone" not in str(queen.events())
    assert record.about == "v3applicationcredential at https://keystone.example/v3, region RegionOne"
    assert "cl0ud" not in repr(put()) + repr(LAB) + repr(TextSecret(text="cl0ud"))


async def test_the_same_value_again_changes_nothing_and_another_one_does(queen: Queen) -> None:
    first = await queen.run(put())
    again = await queen.run(put())
    assert (again.changed, again.revision) == (False, first.revision)
    other = auth(application_credential_secret="an0ther-pa55")
    with pytest.raises(RevisionChanged):
        await queen.run(put(value=other, if_revision=first.revision - 1))
    assert (await queen.run(put(value=other, if_revision=first.revision))).changed
    assert [event.message.split(" secret")[0] for event in queen.events()] == ["ada set", "ada changed"]


async def test_one_that_is_removed_is_gone(queen: Queen) -> None:
    await queen.run(put())
    await queen.run(do.DeleteSecret(name="lab"))
    assert kept(queen) is None
    await refused(queen, do.DeleteSecret(name="lab"), NotFound)


async def test_there_are_so_many(queen: Queen) -> None:
    for number in range(MAX_SECRETS):
        await queen.run(put(f"s{number}", TextSecret(text="t3xt")))
    await refused(queen, put("one-more"), TooManyRecords)
    assert (await queen.run(put("s0"))).changed


async def test_an_operation_is_given_what_it_names_and_nothing_else(queen: Queen) -> None:
    book = SecretBook(queen.colony.reader, colony_sealer(SECRET))
    with pytest.raises(SecretMissing, match="aware secret set lab"):
        book.require(USES_LAB)
    await queen.run(put())
    await queen.run(put("other", TextSecret(text="t3xt")))
    assert [(one.name, one.value) for one in book.opened(USES_LAB)] == [("lab", LAB)]
    with pytest.raises(SecretMissing, match="cannot be opened"):
        SecretBook(queen.colony.reader, colony_sealer(NEW)).opened(USES_LAB)


async def test_it_is_sealed_anew_with_another_colony_secret(queen: Queen) -> None:
    await queen.run(put())
    key = queen.colony.keys.key("secrets", "lab")
    assert not list(stale_secrets(queen.colony.reader, SECRET))
    [(name, record)] = stale_secrets(queen.colony.reader, NEW)
    fresh = resealed(record, key, colony_sealer(NEW, SECRET))
    assert name == "lab"
    assert fresh is not None
    assert msgspec.json.decode(colony_sealer(NEW).open(fresh.sealed, key), type=SecretValue) == LAB
    with pytest.raises(SealBroken):
        colony_sealer(SECRET).open(fresh.sealed, key)
    assert resealed(record, key, colony_sealer(NEW)) is None


async def test_the_audit_log_tells_who_and_which_and_no_more(queen: Queen) -> None:
    await queen.run(put())
    lines = queen.colony.reader.many("audit/", AuditLine).values()
    [line] = [line for line in lines if line.action == "put-secret"]
    assert (line.actor, line.subject) == ("ada", "lab")
    assert not queen.colony.reader.many("idempotency/", KeptRecord)
