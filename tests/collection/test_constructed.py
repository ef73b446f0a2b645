"""The short way of compose, groups and keyed_groups gives what Ansible's own Constructable gives."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible.template import trust_as_template
from ansible_collections.aware.cluster.plugins.plugin_utils import _constructed
from ansible_collections.aware.cluster.plugins.plugin_utils._bulk import add_hosts, add_members
from ansible_collections.aware.cluster.plugins.plugin_utils._constructed import Constructed, plain_path
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

text = st.one_of(
    st.sampled_from(["", "web", "a-b", "z 1", "True", "None", "{{ 1 }}", "{% x %}", "{x}", "0", "é", "#"]),
    st.text(alphabet="ab-_ {}%#1", max_size=6),
)
scalar = st.one_of(text, st.none(), st.booleans(), st.integers(-2, 3))
value = st.one_of(
    scalar,
    st.lists(scalar, max_size=3),
    st.dictionaries(st.sampled_from(["tier", "rack", "items", "get", "a b"]), scalar, max_size=3),
)
names = st.sampled_from(
    [
        "aware_zone",
        "aware_caste",
        "aware_labels",
        "aware_labels.tier",
        "aware_labels.items",
        "aware_missing",
        "zone",
        "aware_flag",
    ]
)
expression = st.one_of(
    names,
    st.sampled_from(
        ["aware_zone ~ 'x'", "aware_zone | default('d')", "inventory_hostname", "group_names", "true", "range"]
    ),
)
hosts = st.lists(
    st.fixed_dictionaries(
        {"aware_zone": value, "aware_caste": text, "aware_flag": st.booleans()}, optional={"aware_labels": value}
    ),
    min_size=1,
    max_size=4,
)
keyed = st.fixed_dictionaries(
    {"key": expression},
    optional={
        "prefix": st.sampled_from(["", "p", "p-q"]),
        "separator": st.sampled_from(["", "_", "-"]),
        "parent_group": st.sampled_from(["family", "fam-ily", "{{ aware_caste }}", ""]),
        "default_value": st.sampled_from(["none", ""]),
        "trailing_separator": st.booleans(),
    },
)
options = st.fixed_dictionaries(
    {
        "strict": st.booleans(),
        "leading_separator": st.booleans(),
        "compose": st.dictionaries(st.sampled_from(["zone", "other"]), expression, max_size=2),
        "groups": st.dictionaries(
            st.sampled_from(["flagged", "od-d"]), st.one_of(st.just("aware_flag"), expression), max_size=2
        ),
        "keyed_groups": st.lists(keyed, max_size=3),
    }
)


def trusted(given_value: Any) -> Any:
    """Mark texts as what a user wrote in a file, as core does when it reads one."""
    if isinstance(given_value, dict):
        return {key: trusted(item) for key, item in given_value.items()}
    if isinstance(given_value, list):
        return [trusted(item) for item in given_value]
    return trust_as_template(given_value) if isinstance(given_value, str) else given_value


def make_plugin(chosen: dict[str, Any], documents: list[dict[str, Any]]) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    plugin = inventory_loader.get("aware.cluster.gateway")
    plugin.inventory, plugin.loader, plugin._vars = InventoryData(), DataLoader(), {}
    plugin.set_options(direct={"plugin": "aware.cluster.gateway", **trusted(chosen)})
    variables = {f"node-{index}": values for index, values in enumerate(documents)}
    made = add_hosts(plugin.inventory, variables)
    add_members(plugin.inventory, "base", made.values())
    return plugin, made, variables


def by_core(plugin: Any, variables: dict[str, Any]) -> None:
    """What plugins do that leave all of it to Constructable."""
    strict = plugin.get_option("strict")
    for name, values in variables.items():
        plugin._set_composite_vars(plugin.get_option("compose"), values, name, strict=strict)
        plugin._add_host_to_composed_groups(plugin.get_option("groups"), values, name, strict=strict)
        plugin._add_host_to_keyed_groups(plugin.get_option("keyed_groups"), values, name, strict=strict)


def result(inventory: InventoryData) -> dict[str, Any]:
    inventory.reconcile_inventory()
    return {
        "groups": {
            name: (
                sorted(host.name for host in group.hosts),
                sorted(child.name for child in group.child_groups),
                group.depth,
            )
            for name, group in inventory.groups.items()
        },
        "hosts": {
            name: ({key: repr(value) for key, value in host.vars.items()}, sorted(group.name for group in host.groups))
            for name, host in inventory.hosts.items()
        },
    }


def attempt(work: Any, inventory: InventoryData) -> tuple[bool, Any]:
    """The result, or that it failed: how far a failed parse got does not matter, Ansible drops it."""
    try:
        work()
        return True, result(inventory)
    except AnsibleError:
        return False, None
    except Exception as error:
        if str(error) != "can't add group to itself":  # for this core has no class of its own
            raise
        return False, None


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chosen=options, documents=hosts)
def test_same_as_constructable(chosen: dict[str, Any], documents: list[dict[str, Any]]) -> None:
    mine, made, variables = make_plugin(chosen, documents)
    core, _, _ = make_plugin(chosen, documents)
    short = attempt(lambda: Constructed(mine).apply(made, variables), mine.inventory)
    long = attempt(lambda: by_core(core, variables), core.inventory)
    assert short == long


def test_plain_names_do_not_reach_jinja(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {
        "keyed_groups": [{"key": "aware_zone", "prefix": "z"}, {"key": "aware_labels.tier", "parent_group": "tiers"}],
        "groups": {"flagged": "aware_flag"},
        "compose": {"zone": "aware_zone"},
    }
    plugin, made, variables = make_plugin(
        chosen, [{"aware_zone": "a", "aware_labels": {"tier": "gold"}, "aware_flag": True}]
    )
    for name in ("_set_composite_vars", "_add_host_to_composed_groups", "_add_host_to_keyed_groups"):
        monkeypatch.setattr(plugin, name, lambda *_args, **_more: pytest.fail("asked Jinja"))
    Constructed(plugin).apply(made, variables)
    assert {"z_a", "_gold", "tiers", "flagged"} <= set(plugin.inventory.groups)
    assert plugin.inventory.hosts["node-0"].vars["zone"] == "a"


@pytest.mark.parametrize(
    "expression",
    ["a b", "a.", "", "a|b", "a['b']", "true", "none", "hostvars", "a.items", "a.__class__", "1a", None, 5],
)
def test_what_is_not_plain(expression: Any) -> None:
    assert plain_path(expression) is None


def test_older_cores_leave_all_to_constructable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_constructed, "UNTRUSTED_BY_NATURE", False)
    assert plain_path("aware_zone") is None
