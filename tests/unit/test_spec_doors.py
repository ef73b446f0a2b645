"""One file with a cluster spec, two readers: the command line and the inventory plugin say the same of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.aware.cluster.plugins.plugin_utils._spec import SpecError, checked_spec

from aware_agent.cli.specfile import read_spec
from aware_agent.colony.errors import InvalidInput

HEAD = "plugin: aware.cluster.spec\ncolony: demo\nsize: 3\n"
SAME = [
    "castes: {}",
    "castes:",
    "policies:",
    "policies: {}",
    "policies: {backup: }",
    "policies: {dead_after_s: }",
    "policies: {dead_after_s: 20}",
    "castes: {web: {count: 1, requires: }}",
    "castes: {web: {count: 1, requires: {labels: }}}",
    "castes: {web: {count: 1, requires: {labels: {}, zone: }}}",
    "castes: {web: {count: 1, requires: {labels: {disk: ssd, rack: '7'}, zone: Zürich 東}}}",
    "policies: {backup: {every: 6h, keep: }}",
    "policies: {limits: }",
    "policies: {limits: {}}",
    "policies: {limits: {cpu: 1, memory: 0.05, disk: , for_s: 30}}",
    "castes: {web: {count: 1, scale: }}",
    "castes: {web: {count: 2, scale: {min: 1, max: 9, cpu: 0.5, demand: {per_node: 100}, in: {after_s: 60}, out: }}}",
    'castes: {web: {count: 2, scale: {min: 1, max: 9, zone: UTC, schedule: [{from: "18:00", to: "24:00", min: 2}]}}}',
    "council:",
    "council: {size: 3, replace_after_s: }",
]
REFUSED = [
    "castes: {web: }",
    "castes: {web: {}}",
    "castes: {web: {count: }}",
    "castes: []",
    "castes: web",
    "castes: {1: {count: 1}}",
    "castes: {web: {count: '1'}}",
    "castes: {web: {count: 1.0}}",
    "castes: {web: {count: true}}",
    "castes: {web: {count: -1}}",
    "castes: {web: {count: 1" + "0" * 30 + "}}",
    "castes: {web: {count: 1, requires: {ram_mib: 1" + "0" * 30 + "}}}",
    "castes: {web: {count: 1, requires: {vcpus: -1}}}",
    'castes: {web: {count: 1, requires: {zone: "a\\nb"}}}',
    "castes: {web: {count: 1, requires: {zone: 7}}}",
    "castes: {web: {count: 1, requires: {pinned: true}}}",
    "castes: {web: {count: 1, requires: {zone: a, pinned: 0}}}",
    "castes: {web: {count: 1, requires: {labels: {rack: 7}}}}",
    "castes: {web: {count: 1, requires: {labels: {rack: 007}}}}",
    "castes: {web: {count: 1, requires: {labels: {rack: 1.5}}}}",
    "castes: {web: {count: 1, requires: {labels: {rack: yes}}}}",
    "castes: {web: {count: 1, requires: {labels: {rack: }}}}",
    "castes: {web: {count: 1, requires: {labels: {built: 2026-01-01}}}}",
    'castes: {web: {count: 1, requires: {labels: {rack: "\\ud800"}}}}',
    "castes: {web: {count: 1, requires: {labels: {rack: [a]}}}}",
    "castes: &x {web: *x}",
    "castes: {web: {count: 1, requires: &x {labels: *x}}}",
    "castes: {web: {count: 1, scale: {min: 1, max: 9}}}",
    "castes: {web: {count: 1, scale: {min: 2, max: 9, cpu: 0.5}}}",
    "castes: {web: {count: 1, scale: {min: 9, max: 2, cpu: 0.5}}}",
    "castes: {web: {count: 1, scale: {min: 1, max: 10001, cpu: 0.5}}}",
    "castes: {web: {count: 1, scale: {min: 0, max: 9, cpu: 0.5}}}",
    "castes: {web: {count: 1, scale: {min: 1, max: 9, cpu: 1}}}",
    "castes: {web: {count: 1, scale: {min: 1, max: 9, cpu: .nan}}}",
    "castes: {web: {count: 1, scale: {min: 1, max: 9, demand: {per_node: 0}}}}",
    "castes: {web: {count: 1, scale: {min: 1, max: 9, demand: {per_node: 1e300}}}}",
    "castes: {web: {count: 1, scale: {min: 1, max: 9, demand: 5}}}",
    "castes: {web: {count: 1, scale: {min: 1, max: 9, cpu: 0.5, out: {nodes: 0}}}}",
    "castes: {web: {count: 1, scale: {min: 1, max: 9, cpu: 0.5, in: {drain_s: 3601}}}}",
    "castes: {web: {count: 1, scale: {min: 1, max: 9, gpu: 0.5}}}",
    "castes: {web: {count: 1, scale: {min: 1, max: 9, schedule: [{from: 18:00, to: 20:00, min: 2}]}}}",
    'castes: {web: {count: 1, scale: {min: 1, max: 9, schedule: [{from: "08:00", to: "09:00"}]}}}',
    'castes: {web: {count: 1, scale: {min: 1, max: 9, schedule: [{from: "08:00", to: "09:00", days: [x], min: 2}]}}}',
    """castes: {web: {count: 1, scale: {min: 1, max: 9, schedule:
      [{from: "08:00", to: "12:00", min: 2}, {from: "11:00", to: "13:00", min: 3}]}}}""",
    "policies: {dead_after_s: .inf}",
    "policies: {dead_after_s: .nan}",
    "policies: {dead_after_s: 1e300}",
    "policies: {dead_after_s: 1" + "0" * 400 + "}",
    "policies: {keep_events: 1" + "0" * 30 + "}",
    "policies: {certificate_lifetime_s: 1e300}",
    "policies: {session_lifetime_s: 1e300}",
    "policies: {session_lifetime_s: 299}",
    "policies: {backup: {}}",
    "policies: {limits: {cpu: 1.01}}",
    "policies: {limits: {memory: 0}}",
    "policies: {limits: {disk: .nan}}",
    "policies: {limits: {for_s: 29}}",
    "policies: {limits: {swap: 0.5}}",
    "policies: {limits: 0.9}",
    "council: 3",
    "council: {size: 2}",
    "council: {size: 1" + "0" * 30 + "}",
    "council: {size: 3, replace_after_s: 1e300}",
    "council: {size: 3, replace_after_s: .nan}",
    "council: {size: 3, replace_after_s: -1}",
    "policies: {backup: {every: 6h, keep: {last: 1" + "0" * 30 + "}}}",
    "polices: {}",
    "true: {}",
]


def by_ansible(path: Path) -> dict[str, Any]:
    spec: dict[str, Any] = checked_spec(DataLoader().load_from_file(str(path)))["spec"]
    return spec


@pytest.mark.parametrize("text", SAME)
def test_what_is_sound_means_the_same_to_both(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cluster.yml"
    path.write_text(HEAD + text + "\n", "utf-8")
    theirs = by_ansible(path)
    (tmp_path / "theirs.json").write_text(json.dumps(theirs))
    assert read_spec(tmp_path / "theirs.json") == read_spec(path)


@pytest.mark.parametrize("text", REFUSED, ids=[text[:70] for text in REFUSED])
def test_what_is_odd_is_refused_by_both_in_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cluster.yml"
    path.write_text(HEAD + text + "\n", "utf-8")
    with pytest.raises(InvalidInput) as ours:
        read_spec(path)
    with pytest.raises((SpecError, AnsibleError)) as theirs:
        by_ansible(path)
    for said in (str(ours.value).replace(str(path), "FILE"), str(theirs.value)):
        assert "\n" not in said
        assert len(said) < 400
        assert not any(word in said for word in ("class", "NoneType", "Recursion", "Ansible", "Traceback", "codec"))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("size: 4", "'size' is there twice, the second time in line 4"),
        ("castes: {web: {count: 1}, web: {count: 2}}", "'web' is there twice"),
        ("castes:\n  web: {count: 1}\n  web: {count: 2}", "'web' is there twice, the second time in line 6"),
    ],
)
def test_a_key_that_is_there_twice_is_named(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "cluster.yml"
    path.write_text(HEAD + text + "\n")
    with pytest.raises(InvalidInput, match="only one of them would count") as caught:
        read_spec(path)
    assert key in str(caught.value)


def test_a_merged_key_may_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yml"
    path.write_text(HEAD + "castes:\n  a: &x {count: 1}\n  b: {<<: *x, count: 2}\n")
    assert read_spec(path).castes["b"].count == 2


def test_json_is_read_as_strictly(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    for text, complaint in (
        ('{"colony": "demo", "size": 3, "size": 4}', "'size' is there twice"),
        ('{"colony": "demo", "size": NaN}', "NaN is not a number"),
        ('{"colony": "demo", "size": 3, "castes": {"\\ud800": {"count": 1}}}', "not Unicode text"),
        ('{"colony": "demo", "size": 3, "policies": {"dead_after_s": 1e999}}', "inf is not a number"),
    ):
        path.write_text(text)
        with pytest.raises(InvalidInput, match=complaint):
            read_spec(path)


def test_an_alias_that_makes_much_out_of_little_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    path = tmp_path / "cluster.yml"
    path.write_text(HEAD + "\n".join(lines) + "\n")
    with pytest.raises(InvalidInput, match="nested too deeply"):
        read_spec(path)
    with pytest.raises(SpecError, match="nested too deeply"):
        by_ansible(path)


@pytest.mark.parametrize(
    ("hosts", "complaint"),
    [
        ("{a: ''}", "a.ansible_host: '' is not an address"),
        ("{a: '-oProxyCommand=id'}", "is not an address"),
        ('{a: "10.0.0.1\\n"}', "is not an address"),
        ("{a: {ansible_host: 7}}", "is not an address"),
        ("{a: {ansible_host: 10.0.0.1, ansible_port: 0}}", "is not a port"),
        ("{a: {ansible_host: 10.0.0.1, ansible_port: 99999}}", "is not a port"),
        ("{a: {ansible_host: 10.0.0.1, ansible_port: true}}", "is not a port"),
        ("{a: {7: x}}", "cannot be the name of a variable"),
        ("{a: {'x y': x}}", "cannot be the name of a variable"),
        ("{a: 10.0.0.1, b: 10.0.0.1}", "a and b are reached at the same address"),
        ("{a: 7}", "must be an address"),
        ("{a: [x]}", "must be an address"),
        ("[a]", "hosts must be a mapping"),
        ("&x {a: *x}", "nested too deeply"),
    ],
)
def test_hosts_of_a_static_spec(tmp_path: Path, hosts: str, complaint: str) -> None:
    path = tmp_path / "cluster.yml"
    path.write_text(f"plugin: aware.cluster.spec\nprovider: static\ncolony: demo\nhosts: {hosts}\n")
    with pytest.raises(SpecError) as caught:
        by_ansible(path)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_hosts_that_are_sound_stay(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yml"
    variables = "{ansible_host: 10.0.0.2, ansible_port: '2222', ansible_user: me}"
    template = "{ansible_host: '{{ jump }}'}"  # is Ansible's to judge
    hosts = f"{{a: 10.0.0.1, b: {variables}, c: '::1', d: , e: {template}, f: h.example.org}}"
    path.write_text(f"plugin: aware.cluster.spec\nprovider: static\ncolony: demo\nhosts: {hosts}\n")
    assert by_ansible(path)["size"] == 6
