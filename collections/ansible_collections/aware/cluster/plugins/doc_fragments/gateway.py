# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and attributes of every module that talks to a gateway."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments aware.cluster.gateway and aware.cluster.gateway.attributes."""

    DOCUMENTATION = r"""
options:
  context:
    description:
      - Context file that C(aware login) wrote, or the name under which C(aware context add) saved one. It names the endpoints, the CA
        and the token file of a colony. Other options win over it.
      - The environment variable E(AWARE_CONTEXT) is used when it is not set. Without both, and without O(endpoints),
        C(.aware/context.json) in the current directory and those above it, then C(aware/context.json) in E(XDG_CONFIG_HOME)
        (C(~/.config)) are used. The members that are remembered beside it are asked as well.
    type: path
  endpoints:
    description:
      - Base URLs of members of the colony, like V(https://192.0.2.7:8443). Any of them will do; more are asked when one is down.
      - Redirects are followed to these and to remembered members only, so that the token reaches nobody else.
      - The environment variable E(AWARE_ENDPOINTS) is used when it is not set, a list with commas.
    type: list
    elements: str
  token:
    description:
      - Access token. The environment variable E(AWARE_TOKEN) is used when it is not set.
    type: str
  token_file:
    description:
      - File with the access token. The environment variable E(AWARE_TOKEN_FILE) is used when neither it nor a token is set.
    type: path
  ca_path:
    description:
      - File with the CA that signs the members' certificates. The environment variable E(AWARE_CA_PATH) is used when it is not set.
    type: path
  validate_certs:
    description:
      - Verify the certificates of the members.
    type: bool
    default: true
  timeout:
    description:
      - Seconds to wait for one member.
    type: float
    default: 5.0
  deadline:
    description:
      - Seconds for one request in all, over all members and an election.
    type: float
    default: 15.0
"""

    ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  action_group:
    description: Use C(group/aware.cluster.gateway) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - aware.cluster.gateway
"""
