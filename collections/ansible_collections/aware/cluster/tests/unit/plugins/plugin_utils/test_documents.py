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
        {"groups": {"web": "demo-1"}},
        {"groups": {"web": ["demo-2"]}},
        {"groups": {"web": [["demo-1"]]}},
        {"hosts": {"-x": {}}},
        {"hosts": {"LocalHost": {}}},
    ],
)
def test_not_whole(changes):
    with pytest.raises(DocumentError):
        parse_document(document(**changes))


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
        ({"policies": {"dead_after_s": 0.1}}, "dead_after_s"),
        ({"policies": {"replace_dead": "maybe"}}, "replace_dead"),
        ({"policies": {"backup": {"every": "6x"}}}, "backup.every"),
        ({"policies": {"backup": {"every": "6h", "keep": {"last": 0}}}}, "keep.last"),
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
