# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and attributes of every module that talks to OpenStack."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments aware.cluster.openstack and aware.cluster.openstack.attributes."""

    DOCUMENTATION = r"""
options:
  cloud:
    description:
      - Name of a cloud in C(clouds.yaml), or a dictionary with all that such an entry has.
      - Without it the E(OS_CLOUD) and the other C(OS_*) environment variables are used.
    type: raw
  auth:
    description:
      - What the plugin named by O(auth_type) needs, such as C(auth_url), C(username), C(password), C(project_name).
    type: dict
  auth_type:
    description:
      - Authentication plugin of keystoneauth, like V(password), V(v3applicationcredential) or V(v3oidcpassword). All that are installed can be used.
    type: str
  region_name:
    description:
      - Region.
    type: str
  validate_certs:
    description:
      - Verify the certificates of the cloud. The default is what C(clouds.yaml) says, and true when it says nothing.
    type: bool
    aliases: [verify]
  ca_cert:
    description:
      - File with the CA that signs the cloud's certificates.
    type: path
    aliases: [cacert]
  client_cert:
    description:
      - File with the certificate to show to the cloud.
    type: path
    aliases: [cert]
  client_key:
    description:
      - File with the key of O(client_cert).
    type: path
    aliases: [key]
  interface:
    description:
      - Endpoints to use.
    type: str
    choices: [admin, internal, public]
    default: public
    aliases: [endpoint_type]
  api_timeout:
    description:
      - Seconds to wait for the answer to one request.
    type: int
    default: 60
  retry_timeout:
    description:
      - Seconds for which a request is repeated when the cloud is overloaded (429), fails (5xx) or does not answer. C(Retry-After) is respected.
      - A request that may have acted is not repeated before the module has looked what came of it.
    type: float
    default: 60.0
requirements:
  - openstacksdk >= 4.0
"""

    ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  action_group:
    description: Use C(group/aware.cluster.openstack) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - aware.cluster.openstack
"""
