# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory documents, specs, and the file of the last answer."""

from __future__ import annotations

import json
import os
import stat

import pytest

from ansible_collections.aware.cluster.plugins.plugin_utils._document import NOWHERE, DocumentError, parse_document
from ansible_collections.aware.cluster.plugins.plugin_utils._lastgood import Head, LastGood, identity
from ansible_collections.aware.cluster.plugins.plugin_utils._spec import SpecError, checked_spec


def document(**changes):
    whole = {
        "complete": True,
        "colony": "demo",
        "revision": 3,
        "term": 2,
        "members": ["https://a:1"],
        "hosts": {"demo-1": {"aware_zone": "z", "ansible_host": "192.0.2.1"}},
        "groups": {"web": ["demo-1"]},
    }
    whole.update(changes)
    return json.dumps(whole).encode()


def test_whole():
    found = parse_document(document())
    assert found.hosts == {"demo-1": {"aware_zone": "z", "ansible_host": "192.0.2.1"}}
    assert found.groups == {"web": ["demo-1"]}
    assert not found.warnings


@pytest.mark.parametrize(
    "old,new",
    [
        ('"revision": 3', '"revision": Infinity'),
        ('"revision": 3', '"revision": NaN'),
        ('"revision": 3', '"revision": 1e999'),
        ('"revision": 3', '"revision": 3.0'),
        ('"revision": 3', '"revision": 9223372036854775808'),
        ('"revision": 3', '"revision": ' + "9" * 5000),
        ('"term": 2', '"term": 1' + "0" * 30),
        ('"aware_zone": "z"', '"aware_zone": NaN'),
        ('"aware_zone": "z"', '"aware_zone": 1e999'),
        ('"aware_zone": "z"', '"aware_zone": "\\ud800"'),
        ('"aware_zone": "z"', '"aware_zone": {"\\uDFFF": 1}'),
        ('"aware_zone": "z"', '"aware_zone": ' + "[" * 30000 + "]" * 30000),
    ],
)
def test_what_is_no_json_though_python_reads_it(old, new):
    text = document().decode()
    assert old in text
    with pytest.raises(DocumentError) as refused:
        parse_document(text.replace(old, new).encode())
    assert len(str(refused.value)) < 80


def test_bytes_that_are_no_utf8():
    with pytest.raises(DocumentError, match="not JSON"):
        parse_document(document().replace(b'"z"', b'"\xed\xa0\x80"'))
    with pytest.raises(DocumentError, match="not JSON"):
        parse_document(document().decode().encode("utf-16"))


def test_letters_beyond_the_first_plane_stay():
    assert parse_document(document(hosts={"demo-1": {"aware_zone": "\U0001f41c"}})).hosts["demo-1"]["aware_zone"]


@pytest.mark.parametrize(
    "changes",
    [
        {"complete": "yes"},
        {"complete": False},
        {"colony": ""},
        {"revision": True},
        {"term": -1},
        {"hosts": []},
        {"groups": None},
        {"hosts": {"demo-1": []}},
        {"hosts": {"-x": {}}},
        {"hosts": {"LocalHost": {}}},
    ],
)
def test_not_whole(changes):
    with pytest.raises(DocumentError):
        parse_document(document(**changes))


GOOD = {"demo-1": {"aware_zone": "z"}}


@pytest.mark.parametrize(
    "name",
    ["web", "web-", "-web", "Web", "all", "localhost", "ungrouped", "spare", "true", "db.east", "..", "", "7"]
    + ["a" * 64, "\u6771", "web\n", "a b", "{{ x }}", "aware_queen"],
)
def test_one_bad_host_costs_nobody_the_others(name):
    bad = dict(GOOD, **{name: {}})
    found = parse_document(document(hosts=bad, groups={"web": [name, "demo-1"], "aware_queen": [name]}))
    assert list(found.hosts) == ["demo-1"]
    assert found.groups == {"web": ["demo-1"], "aware_queen": []}
    assert [text.startswith("host %r is left out: " % name) for text in found.warnings] == [True]


@pytest.mark.parametrize("values", [[], None, 7, "x"])
def test_a_host_without_variables_is_left_out(values):
    found = parse_document(document(hosts=dict(GOOD, bad=values)))
    assert (list(found.hosts), len(found.warnings)) == (["demo-1"], 1)


@pytest.mark.parametrize(
    "groups, kept",
    [
        ({"web": "demo-1"}, {}),
        ({"all": ["demo-1"]}, {}),
        ({"we-b": ["demo-1"]}, {}),
        ({"web\n": ["demo-1"]}, {}),
        ({"web": ["demo-1", "demo-2"]}, {"web": ["demo-1"]}),
        ({"web": [["demo-1"], "demo-1"]}, {"web": ["demo-1"]}),
    ],
)
def test_one_bad_group_costs_nobody_the_others(groups, kept):
    found = parse_document(document(groups=dict(groups, store=["demo-1"])))
    assert found.groups == dict(kept, store=["demo-1"])
    assert len(found.warnings) == 1


def test_hosts_that_share_what_they_are_called_by_are_left_out():
    hosts = {
        "demo-1": {"aware_address": "192.0.2.1"},
        "demo-2": {"aware_address": "192.0.2.2"},
        "demo-3": {"aware_address": "192.0.2.1"},
    }
    found = parse_document(document(hosts=hosts), "aware_address")
    assert list(found.hosts) == ["192.0.2.2"]
    assert ["choose another hostname" in text for text in found.warnings] == [True, True]


def test_warnings_end_somewhere():
    found = parse_document(document(hosts=dict(GOOD, **dict(("bad-%d-" % number, {}) for number in range(500)))))
    assert len(found.warnings) == 11
    assert found.warnings[-1] == "490 more warnings of this kind"


@pytest.mark.parametrize("members", [5, "https://a:1", [7, None], {"a": 1}])
def test_members_that_are_none(members):
    assert parse_document(document(members=members)).members == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100000])
def test_not_a_document(body):
    with pytest.raises(DocumentError):
        parse_document(body)


@pytest.mark.parametrize("value", ["-oProxyCommand=x", "a b", "", None, 5, "{{ x }}", "fe80::1%eth0;x"])
def test_address_that_is_none(value):
    found = parse_document(document(hosts={"demo-1": {"ansible_host": value}}))
    assert found.hosts["demo-1"]["ansible_host"] == NOWHERE
    assert found.warnings


@pytest.mark.parametrize("value, kept", [(22, True), (0, False), (70000, False), (True, False), ("22", False)])
def test_port(value, kept):
    assert (
        "ansible_port" in parse_document(document(hosts={"demo-1": {"ansible_port": value}})).hosts["demo-1"]
    ) is kept


@pytest.mark.parametrize(
    "name", ["ansible_connection", "ansible_become_pass", "aware_inventory_stale", "Aware_x", "x", "aware_"]
)
def test_variable_a_gateway_may_not_set(name):
    found = parse_document(document(hosts={"demo-1": {name: "v"}}))
    assert found.hosts["demo-1"] == {}
    assert name in found.warnings[0]


def test_last_answer_is_private_and_whole(tmp_path):
    store = LastGood(str(tmp_path / "made"), "x")
    head = Head(colony="demo", revision=5, term=2, members=("https://a:1",))
    store.save(head, b"the body")
    assert stat.S_IMODE(os.stat(store.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(tmp_path / "made").st_mode) == 0o700
    assert store.head() == head
    assert store.body(head) == b"the body"
    with open(store.path, "ab") as stream:
        stream.write(b"x")
    assert store.body(head) is None


@pytest.mark.parametrize("content", [b"", b"{}\n", b"[]\nx", b'{"format": 2}\n', b"\xff\n"])
def test_damaged_last_answer(tmp_path, content):
    store = LastGood(str(tmp_path), "x")
    with open(store.path, "wb") as stream:
        stream.write(content)
    assert store.head() is None


def test_another_authority_is_another_colony(tmp_path):
    authority = tmp_path / "ca.crt"
    authority.write_text("one")
    first = identity("", ("https://a:1",), str(authority))
    authority.write_text("two")
    assert identity("", ("https://a:1",), str(authority)) != first


def spec(**changes):
    whole = {
        "plugin": "aware.cluster.spec",
        "colony": "demo",
        "size": 5,
        "castes": {"web": {"count": 2}, "store": {"count": 1}},
    }
    whole.update(changes)
    return whole


def test_spec():
    checked = checked_spec(spec(policies={"dead_after_s": 20}))
    assert checked["spec"] == {
        "colony": "demo",
        "size": 5,
        "castes": {"web": {"count": 2}, "store": {"count": 1}},
        "policies": {"dead_after_s": 20.0},
    }
    assert checked["provider"] == "local"


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"sise": 5}, "unknown key sise"),
        ({"size": 0}, "size 0"),
        ({"size": 2}, "castes want 3"),
        ({"size": "many"}, "size"),
        ({"size": 10001}, "10001"),
        ({"colony": "De mo"}, "colony"),
        ({"castes": {"web": {"count": -1}}}, "castes.web.count"),
        ({"castes": {"all": {"count": 1}}}, "'all'"),
        ({"castes": {"web": {"cuont": 1}}}, "castes.web: unknown key cuont"),
        ({"castes": {"web": 2}}, "castes.web"),
        ({"castes": {"web": {"count": 1, "requires": {"ram": 1}}}}, "ram"),
        ({"castes": {"web": {"count": 1, "scale": {"min": 1, "max": 9}}}}, "nothing says how many"),
        ({"castes": {"web": {"count": 1, "scale": {"min": 9, "max": 1, "cpu": 0.5}}}}, "min 9 is more than max 1"),
        ({"castes": {"web": {"count": 1, "scale": {"min": 1, "max": 9, "cpu": 1.5}}}}, "scale.cpu 1.5 is out of range"),
        ({"castes": {"web": {"count": 1, "scale": {"max": 9, "cpu": 0.5}}}}, "min"),
        ({"policies": {"dead_after_s": 0.1}}, "dead_after_s"),
        ({"policies": {"replace_dead": "maybe"}}, "replace_dead"),
        ({"policies": {"session_lifetime_s": 299}}, "session_lifetime_s"),
        ({"policies": {"session_lifetime_s": 365 * 86400 + 1}}, "session_lifetime_s"),
        ({"policies": {"jobs": {"keep": 9}}}, "jobs.keep"),
        ({"policies": {"jobs": {"log_kib": 513}}}, "jobs.log_kib"),
        ({"policies": {"servers": {"provider": "socket", "join_s": 5}}}, "servers.join_s"),
        ({"policies": {"servers": {"after_s": 60}}}, "provider"),
        ({"policies": {"limits": {"cpu": 1.1}}}, "limits.cpu"),
        ({"policies": {"limits": {"disk": 0.01}}}, "limits.disk"),
        ({"policies": {"limits": {"for_s": 29}}}, "limits.for_s"),
        ({"policies": {"limits": {"gpu": 0.5}}}, "gpu"),
        ({"policies": {"backup": {"every": "6x"}}}, "backup.every"),
        ({"policies": {"backup": {"every": "6h", "keep": {"last": 2}}}}, "keep.last"),
        ({"policies": {"backup": {"keep": {}}}}, "every"),
        ({"provider": "moon"}, "provider"),
        ({"colony": None}, "colony"),
    ],
)
def test_impossible_spec(changes, named):
    with pytest.raises(SpecError) as caught:
        checked_spec(spec(**changes))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


SPEC = dict(plugin="aware.cluster.spec", colony="demo", size=3)


@pytest.mark.parametrize(
    "changes, line",
    [
        (dict(size=value), "size must be a whole number, not ")
        for value in (True, False, "3", "", 3.0, 3.5, float("nan"), float("inf"), [3], {"a": 3})
    ]
    + [
        (dict(castes={"web": {"count": value}}), "castes.web.count must be a whole number, not ")
        for value in (True, "3", 3.0, float("nan"), [3])
    ]
    + [
        (dict(castes={"web": {"count": 1, "requires": {key: True}}}), "castes.web.requires.%s must be a whole" % key)
        for key in ("vcpus", "ram_mib", "disk_gib")
    ]
    + [
        (dict(policies={key: value}), "policies.%s must be a number, not " % key)
        for key in ("dead_after_s", "certificate_lifetime_s", "session_lifetime_s")
        for value in (True, "9", float("nan"), float("inf"), [9])
    ]
    + [
        (dict(policies={"keep_events": True}), "policies.keep_events must be a whole number, not true or false"),
        (
            dict(policies={"backup": {"every": "6h", "keep": {"last": True}}}),
            "policies.backup.keep.last must be a whole",
        ),
        (dict(policies={"backup": {"every": 6}}), "policies.backup.every must be text, not a whole number (6)"),
        (dict(policies={"backup": {"every": "6h\n"}}), "is no duration"),
        (dict(policies={"backup": ["6h"]}), "policies.backup must be a mapping, not a list"),
        (dict(policies=["x"]), "policies must be a mapping, not a list"),
        (dict(castes=["web"]), "castes must be a mapping, not a list"),
        (dict(castes="web"), "castes must be a mapping, not text"),
        (dict(castes={"web": [2]}), "castes.web must be a mapping like {count: 2}, not a list"),
        (dict(castes={"web": 2}), "castes.web must be a mapping like {count: 2}, not a whole number"),
        (dict(castes={"web": None}), "castes.web must be a mapping like {count: 2}, not empty"),
        (dict(castes={"web": {"count": 1, "requires": [1]}}), "castes.web.requires must be a mapping, not a list"),
        (
            dict(castes={"web": {"count": 1, "requires": {"labels": ["ssd"]}}}),
            "castes.web.requires.labels must be a mapping, not a list",
        ),
        (
            dict(castes={"web": {"count": 1, "requires": {"labels": {"ssd": True}}}}),
            "castes.web.requires.labels.ssd must be text, not true or false; quote it",
        ),
        (dict(provider="static", size=None, hosts=["h-1"]), "hosts must be a mapping, not a list"),
        (dict(colony=["demo"]), "colony must be text, not a list"),
        (dict(colony=5), "colony must be text, not a whole number (5)"),
    ],
)
def test_values_of_another_type_are_one_sentence(changes, line):
    with pytest.raises(SpecError) as refused:
        checked_spec(dict(SPEC, **changes))
    assert line in str(refused.value)
    assert "class" not in str(refused.value) and "_Ansible" not in str(refused.value)
