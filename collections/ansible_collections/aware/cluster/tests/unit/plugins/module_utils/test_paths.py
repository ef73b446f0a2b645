# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in URLs: quoted whole, or one sentence."""

from __future__ import annotations

import pytest

from ansible_collections.aware.cluster.plugins.module_utils import _gateway, _openstack_api
from ansible_collections.aware.cluster.plugins.module_utils._outcomes import GatewayError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError

DOORS = [(_gateway.at, GatewayError), (_openstack_api.at, CloudError)]


@pytest.mark.parametrize("at,error", DOORS)
@pytest.mark.parametrize(
    "name,quoted",
    [
        ("key", "key"),
        ("a/b", "a%2Fb"),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("../x", "..%2Fx"),
        ("...", "..."),
        ("my key", "my%20key"),
        ("Zürich 東", "Z%C3%BCrich%20%E6%9D%B1"),
        ("%2e%2e", "%252e%252e"),
    ],
)
def test_a_name_stays_in_its_place(at, error, name, quoted):
    assert at("os-keypairs", name) == "/os-keypairs/" + quoted
    assert at("servers", name, "action") == "/servers/%s/action" % quoted


@pytest.mark.parametrize("at,error", DOORS)
@pytest.mark.parametrize("name", ["", ".", "..", None, 7, "\udcff", "a\nb", "\x1b[31m", "a" * 256])
def test_what_cannot_be_quoted_is_refused_in_one_sentence(at, error, name):
    with pytest.raises(error, match="is no name: it "):
        at("os-keypairs", name)


def test_nodes_are_asked_for_by_quoted_name():
    assert _gateway.node_path("a/b", "config") == "/v1/nodes/a%2Fb/config"
