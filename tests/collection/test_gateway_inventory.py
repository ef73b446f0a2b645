"""The inventory plugin against members that are processes: it follows, remembers, refuses and never lies."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import TOKEN, FakeColony, make_authority, make_document

NAMES = ["demo-1", "demo-2", "demo-3"]


def hostvars(inventory: dict[str, Any], name: str = "demo-1") -> dict[str, Any]:
    return inventory["_meta"]["hostvars"][name]


def plain(value: Any) -> Any:
    """Text as --list shows untrusted text."""
    return value["__ansible_unsafe"] if isinstance(value, dict) and "__ansible_unsafe" in value else value


def test_reads_hosts_groups_and_freshness(colony: FakeColony, ansible: Any) -> None:
    queen = colony.member()
    queen.give(make_document(NAMES))
    found = ansible("ansible-inventory", "-i", colony.inventory_file([queen.url]), "--list").json()
    assert set(found["_meta"]["hostvars"]) == set(NAMES)
    assert found["web"]["hosts"] == ["demo-2"]
    assert found["aware_queen"]["hosts"] == ["demo-1"]
    values = hostvars(found)
    assert values["aware_inventory_stale"] is False
    assert values["aware_inventory_revision"] == 10
    assert plain(values["ansible_host"]) == "127.0.0.1"


def test_worker_redirect_is_followed_to_a_listed_queen(colony: FakeColony, ansible: Any) -> None:
    worker, queen = colony.member(), colony.member()
    worker.say(role="worker", queen=queen.url)
    queen.give(make_document(NAMES))
    found = ansible("ansible-inventory", "-i", colony.inventory_file([worker.url, queen.url]), "--list").json()
    assert set(found["_meta"]["hostvars"]) == set(NAMES)
    assert [line[0] for line in queen.requests()] == ["GET"]


def test_a_token_goes_to_the_council_only(colony: FakeColony, ansible: Any) -> None:
    member, worker = colony.member(), colony.member(worker=True)
    stranger = colony.member(authority=make_authority())
    for other in (worker, stranger):
        member.say(role="worker", queen=other.url)
        other.give(make_document(NAMES), token="", council={"queen": other.url, "members": [other.url]})
        ran = ansible("ansible-inventory", "-i", colony.inventory_file([member.url, other.url]), "--list")
        assert ran.rc != 0
        assert {(line[1], line[2]) for line in other.requests()} <= {("/v1/council", False)}
    assert "it is a worker and names" in ran.err or "signed by" in ran.err


def test_any_one_member_is_enough_a_worker_too(colony: FakeColony, ansible: Any) -> None:
    worker, queen = colony.member(worker=True), colony.member()
    worker.say(council={"queen": queen.url, "members": [queen.url, "rubbish", worker.url]})
    queen.give(make_document(NAMES))
    found = ansible("ansible-inventory", "-i", colony.inventory_file([worker.url]), "--list").json()
    assert set(found["_meta"]["hostvars"]) == set(NAMES)
    assert {(line[1], line[2]) for line in worker.requests()} == {("/v1/council", False)}
    assert [(line[1], line[2]) for line in queen.requests()] == [("/v1/inventory", True)]


def test_members_learned_over_tls_are_asked_when_all_endpoints_are_gone(colony: FakeColony, ansible: Any) -> None:
    queen, heir = colony.member(), colony.member()
    document = make_document(NAMES, members=[queen.url, heir.url])
    queen.give(document)
    path = colony.inventory_file([queen.url])
    ansible("ansible-inventory", "-i", path, "--list").json()
    queen.kill()
    heir.give({**document, "revision": 11, "term": 8})
    found = ansible("ansible-inventory", "-i", path, "--list").json()
    assert hostvars(found)["aware_inventory_stale"] is False
    assert hostvars(found)["aware_inventory_revision"] == 11


def test_members_told_over_plain_http_are_not_learned(colony: FakeColony, ansible: Any) -> None:
    queen, other = colony.member(tls=False), colony.member()
    queen.give(make_document(NAMES, members=[other.url]))
    other.give(make_document(NAMES))
    path = colony.inventory_file([queen.url], ca_path=None)
    ansible("ansible-inventory", "-i", path, "--list").json()
    queen.kill()
    found = ansible("ansible-inventory", "-i", path, "--list").json()
    assert hostvars(found)["aware_inventory_stale"] is True
    assert other.requests() == []


def test_nobody_answers_and_nothing_is_remembered(colony: FakeColony, ansible: Any) -> None:
    queen = colony.member()
    queen.kill()
    ran = ansible("ansible-inventory", "-i", colony.inventory_file([queen.url]), "--list")
    assert ran.rc != 0
    assert ran.out.strip() == ""
    assert "no earlier answer is at hand" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("role", ["broken", "torn", "lost"])
def test_last_answer_is_served_with_a_warning(colony: FakeColony, ansible: Any, role: str) -> None:
    queen = colony.member()
    document = make_document(NAMES)
    queen.give(document)
    path = colony.inventory_file([queen.url])
    ansible("ansible-inventory", "-i", path, "--list").json()
    queen.give(
        {**document, "revision": 12, "hosts": {**document["hosts"], **make_document(["demo-9"])["hosts"]}}, role=role
    )
    ran = ansible("ansible-inventory", "-i", path, "--list")
    values = hostvars(ran.json())
    assert values["aware_inventory_stale"] is True
    assert values["aware_inventory_revision"] == 10
    assert values["aware_inventory_age_s"] >= 0
    assert "Using the last complete answer" in ran.err
    assert "demo-9" not in ran.out


@pytest.mark.parametrize("changes", [{"complete": False}, {"hosts": None}, {"groups": []}, {"revision": "x"}])
def test_partial_answer_is_no_answer(colony: FakeColony, ansible: Any, changes: dict[str, Any]) -> None:
    queen = colony.member()
    queen.give(make_document(NAMES, **changes), etag="")
    ran = ansible("ansible-inventory", "-i", colony.inventory_file([queen.url], deadline=3), "--list")
    assert ran.rc != 0
    assert ran.out.strip() == ""


def test_stale_error_fails(colony: FakeColony, ansible: Any) -> None:
    queen = colony.member()
    queen.give(make_document(NAMES))
    path = colony.inventory_file([queen.url], stale="error")
    ansible("ansible-inventory", "-i", path, "--list").json()
    queen.kill()
    assert ansible("ansible-inventory", "-i", path, "--list").rc != 0


def test_unchanged_answer_costs_no_body(colony: FakeColony, ansible: Any) -> None:
    queen = colony.member()
    queen.give(make_document(NAMES))
    path = colony.inventory_file([queen.url])
    first = ansible("ansible-inventory", "-i", path, "--list").json()
    second = ansible("ansible-inventory", "-i", path, "--list").json()
    assert first == second
    assert [line[3] for line in queen.requests()] == [None, '"10-3"']


@pytest.mark.parametrize(("revision", "term"), [(9, 3), (11, 2)])
def test_older_queen_is_refused(colony: FakeColony, ansible: Any, revision: int, term: int) -> None:
    queen = colony.member()
    queen.give(make_document(NAMES))
    path = colony.inventory_file([queen.url])
    ansible("ansible-inventory", "-i", path, "--list").json()
    queen.give(make_document(["old-1"], revision=revision, term=term))
    ran = ansible("ansible-inventory", "-i", path, "--list")
    assert "old-1" not in ran.out
    assert "older than term 3 revision 10" in ran.err
    assert hostvars(ran.json())["aware_inventory_stale"] is True


def test_wrong_authority_gets_no_token(colony: FakeColony, ansible: Any) -> None:
    impostor = colony.member(authority=make_authority())
    impostor.give(make_document(NAMES))
    ran = ansible("ansible-inventory", "-i", colony.inventory_file([impostor.url]), "--list")
    assert ran.rc != 0
    assert impostor.requests() == []
    assert "certificate" in ran.err.lower()


def test_refused_token_is_said_and_not_shown(colony: FakeColony, ansible: Any) -> None:
    queen = colony.member()
    queen.give(make_document(NAMES), token="another")
    ran = ansible("ansible-inventory", "-vvvv", "-i", colony.inventory_file([queen.url]), "--list")
    assert ran.rc != 0
    assert "401" in ran.err
    assert TOKEN not in ran.err + ran.out


def test_guards(colony: FakeColony, ansible: Any) -> None:
    queen = colony.member()
    queen.give(make_document(NAMES))
    path = colony.inventory_file([queen.url], max_shrink=50)
    ansible("ansible-inventory", "-i", path, "--list").json()
    queen.give(make_document(["demo-1"], revision=11))
    shrunk = ansible("ansible-inventory", "-i", path, "--list")
    assert shrunk.rc != 0
    assert "shrank from 3 to 1" in shrunk.err
    assert ansible("ansible-inventory", "-i", colony.inventory_file([queen.url], min_hosts=2), "--list").rc != 0


def test_context_file_is_enough(colony: FakeColony, ansible: Any) -> None:
    queen = colony.member()
    queen.give(make_document(NAMES))
    (colony.folder / "token").write_text(TOKEN + "\n")
    context = colony.folder / "context.json"
    context.write_text(
        f'{{"colony": "demo", "endpoints": ["{queen.url}"], "ca_file": "ca.crt", "token_file": "token"}}'
    )
    path = colony.folder / "aware.yml"
    path.write_text("plugin: aware.cluster.gateway\ncontext: context.json\n")
    found = ansible("ansible-inventory", "-i", path, "--list").json()
    assert set(found["_meta"]["hostvars"]) == set(NAMES)
    assert list((colony.folder / "inventory").iterdir())
    queen.give(make_document(["x-1"], colony="other", revision=99, term=9))
    foreign = ansible("ansible-inventory", "-i", path, "--list")
    assert "x-1" not in foreign.out
    assert "speaks for colony 'other'" in foreign.err


def test_inventory_cache_asks_nobody(colony: FakeColony, ansible: Any) -> None:
    queen = colony.member()
    queen.give(make_document(NAMES))
    options = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(colony.folder / "cache"),
    }
    path = colony.inventory_file([queen.url], **options)
    first = ansible("ansible-inventory", "-i", path, "--list").json()
    queen.kill()
    second = ansible("ansible-inventory", "-i", path, "--list").json()
    assert set(first["_meta"]["hostvars"]) == set(second["_meta"]["hostvars"]) == set(NAMES)
    assert hostvars(second)["aware_inventory_stale"] is False
    kept = "".join(item.read_text() for item in (colony.folder / "cache").iterdir())
    assert TOKEN not in kept


def test_hostile_host_data_stays_text(colony: FakeColony, ansible: Any) -> None:
    queen = colony.member()
    mark = colony.folder / "owned"
    attack = f"{{{{ lookup('ansible.builtin.pipe', 'touch {mark}') }}}}"
    document = make_document(NAMES)
    evil = document["hosts"]["demo-2"]
    evil.update(
        aware_labels={"tier": attack, attack: "x"},
        aware_vars={"deep": [attack]},
        aware_version=attack,
        ansible_host="-oProxyCommand=touch",
        ansible_connection="local",
        ansible_ssh_common_args="-oProxyCommand=touch",
        aware_inventory_stale=True,
        **{"Bad Name": 1},
    )
    document["groups"]["aware_label_" + attack] = ["demo-2"]
    queen.give(document)
    options: dict[str, Any] = {
        "keyed_groups": [
            {"key": "aware_version", "prefix": "v"},
            {"key": "aware_labels", "prefix": "l"},
            {"key": "aware_version ~ ''"},
        ],
        "compose": {"copy": "aware_version"},
        "groups": {"odd": "aware_version == 'x'"},
    }
    path = colony.inventory_file([queen.url], **options)
    ran = ansible(
        "ansible",
        "demo-1",
        "-i",
        path,
        "-m",
        "ansible.builtin.debug",
        "-a",
        "msg={{ hostvars['demo-2'].aware_vars.deep[0] }}{{ hostvars['demo-2'].copy }}",
    )
    assert ran.rc == 0, ran.err
    assert attack[3:30] in ran.out
    listed = ansible("ansible-inventory", "-i", path, "--list")
    values = hostvars(listed.json(), "demo-2")
    assert plain(values["ansible_host"]) == "refused.invalid"
    assert not {"ansible_connection", "ansible_ssh_common_args", "Bad Name"} & set(values)
    assert values["aware_inventory_stale"] is False
    assert "is not one a gateway may set" in listed.err
    assert not mark.exists()


@pytest.mark.parametrize("name", ["localhost", "-oProxy", "web-", "web", "{{ 1 }}", ""])
def test_a_name_that_means_something_to_ansible_costs_nobody_the_others(
    colony: FakeColony, ansible: Any, name: str
) -> None:
    queen = colony.member()
    queen.give(make_document([name, "demo-2"]))
    ran = ansible("ansible-inventory", "-i", colony.inventory_file([queen.url], deadline=3), "--list")
    assert list(ran.json()["_meta"]["hostvars"]) == ["demo-2"]
    assert f"host {name!r} is left out: " in " ".join(ran.err.split())
    assert "same name" not in ran.err or name == "web"


def test_hostname_option(colony: FakeColony, ansible: Any) -> None:
    queen = colony.member()
    queen.give(make_document(NAMES))
    found = ansible(
        "ansible-inventory", "-i", colony.inventory_file([queen.url], hostname="aware_address"), "--list"
    ).json()
    assert set(found["_meta"]["hostvars"]) == {"127.0.0.1", "127.0.0.2", "127.0.0.3"}
    assert found["web"]["hosts"] == ["127.0.0.2"]
