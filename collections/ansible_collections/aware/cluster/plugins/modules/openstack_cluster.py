#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of a colony in OpenStack."""

from __future__ import annotations

DOCUMENTATION = r"""
module: openstack_cluster
short_description: Make, keep and remove the servers of a colony in OpenStack
version_added: 0.1.0
description:
  - Compares the servers wanted with those of the colony that are there, and makes what is missing, replaces what failed when asked,
    removes what is too much, or all with O(state=absent). Check mode and diff show the plan.
  - A server belongs to a colony when its tag C(aware:<colony>) and its metadata C(aware_colony) both say so. Nothing else is ever touched, and
    a server of somebody else with a name the colony needs is an error before anything is made.
  - All of it is of the project the credentials are for. What the cloud lists of other projects, as it does to an administrator, is left alone.
  - Servers are called C(<colony>-<index>). A missing one is made again with the same name, so a server deleted by somebody else is healed by the next run.
  - A run that was killed can be repeated; it goes on where the other ended and leaves neither a second server nor anything without an owner.
  - Of two runs for one colony and project the second waits for the first, see O(lock_wait).
author:
  - The AWARE founders (@aware-colony)
extends_documentation_fragment:
  - aware.cluster.openstack
  - aware.cluster.openstack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  state:
    description:
      - V(present) brings the colony to O(size) servers. V(absent) removes all it owns.
    type: str
    choices: [present, absent]
    default: present
  colony:
    description:
      - Name of the colony.
    type: str
    required: true
  size:
    description:
      - Number of servers. Required with O(state=present).
    type: int
  shrink:
    description:
      - Whether servers may go because there are more than O(size). With V(false) that is an error, and nothing is done.
      - For castes that scale, while nobody can say how many nodes they want.
    type: bool
    default: true
  castes:
    description:
      - "Shares of the work: names mapped to a dictionary with C(count) and, if wanted, C(flavor) or C(requires) (C(vcpus), C(ram_mib),
        C(disk_gib), C(zone), C(labels)). Servers no caste takes are spare."
      - Labels, C(pinned) and C(scale) are the colony's business and not looked at here. A caste that scales has as many servers as C(count) says;
        M(aware.cluster.cluster_info) returns how many the colony wants.
    type: dict
  infrastructure:
    description:
      - What servers are made of.
    type: dict
    default: {}
    suboptions:
      image:
        description:
          - Name or id of the image. Only an active one counts.
          - By id any image does that the project may use. By name those in the project's list count, then hidden ones; a community image is not
            taken by name, for anybody may give one any name.
        type: str
      image_properties:
        description:
          - Take the newest active image with these properties instead, like C(os_distro).
        type: dict
      flavor:
        description:
          - Name or id of the flavor for all nodes whose caste names none. Without it the smallest flavor that fits O(infrastructure.requires), the
            requirements of the caste and the image is taken.
        type: str
      requires:
        description:
          - The least any node must have.
        type: dict
        suboptions:
          vcpus:
            description:
              - Number of vCPUs.
            type: int
          ram_mib:
            description:
              - RAM in MiB.
            type: int
          disk_gib:
            description:
              - Disk in GiB.
            type: int
      networks:
        description:
          - Names or ids of networks to connect each server to. They need a subnet with DHCP, unless O(infrastructure.config_drive) is set.
        type: list
        elements: str
        default: []
      ports:
        description:
          - Ids of existing ports for nodes 1, 2 and so on, before O(infrastructure.networks).
        type: list
        elements: str
        default: []
      address_network:
        description:
          - Name or id of the network, one of the servers', at whose address nodes know each other and Ansible reaches them.
            Without it that is the first interface. For Ansible a floating address wins.
        type: str
      security_group:
        description:
          - The colony's own security group C(aware-<colony>). It exists in any case, for its tags are the lock of O(lock_wait).
        type: dict
        default: {}
        suboptions:
          manage:
            description:
              - Keep the rules AWARE needs in the group, and put the servers in it. Rules you add yourself stay.
            type: bool
            default: true
          ssh_cidrs:
            description:
              - Who may reach SSH.
            type: list
            elements: str
            default: []
          gateway_cidrs:
            description:
              - Who may reach the gateway, beside the nodes.
            type: list
            elements: str
            default: []
          gateway_port:
            description:
              - TCP port of the gateway.
            type: int
            default: 8443
          channel_port:
            description:
              - TCP port of the channels between nodes.
            type: int
            default: 8444
          discovery_port:
            description:
              - UDP port of the beacons.
            type: int
            default: 20100
          etcd_ports:
            description:
              - TCP ports of etcd, the lowest and the highest.
            type: list
            elements: int
            default: [2379, 2380]
      security_groups:
        description:
          - Names or ids of more security groups.
        type: list
        elements: str
        default: []
      keypair:
        description:
          - SSH key to put into the servers.
        type: dict
        suboptions:
          name:
            description:
              - Name of the keypair. The default is C(aware-<colony>-<first 8 characters of the project's id>).
              - A keypair that exists is used and never deleted. One that is made says in its comment for which colony of which project, and goes with it.
            type: str
          public_key:
            description:
              - Public key to make the keypair of when it is not there. Without it the keypair has to exist.
            type: str
      server_group:
        description:
          - Whether servers are kept on different hosts.
        type: str
        choices: [soft-anti-affinity, anti-affinity, soft-affinity, affinity, none]
        default: soft-anti-affinity
      availability_zones:
        description:
          - Zones to spread servers over evenly. A zone a caste requires wins.
        type: list
        elements: str
        default: []
      boot_volume:
        description:
          - Boot from a new volume instead of the flavor's disk.
        type: dict
        suboptions:
          size_gib:
            description:
              - Size in GiB.
            type: int
            required: true
          delete_on_termination:
            description:
              - Whether the volume goes with its server.
            type: bool
            default: true
      floating_network:
        description:
          - Name or id of the external network to give each server a floating address of.
          - It belongs to the port on O(infrastructure.address_network), else on the first network that a router leads from, else to the first
            interface.
        type: str
      config_drive:
        description:
          - Give metadata and user data by a config drive.
        type: bool
        default: false
      user_data:
        description:
          - User data for cloud-init.
        type: str
      metadata:
        description:
          - More metadata for each server.
        type: dict
        default: {}
      tags:
        description:
          - More tags for each server.
        type: list
        elements: str
        default: []
  term:
    description:
      - Term of the queen for whom this is done; new servers carry it as C(aware_term).
    type: int
  remove:
    description:
      - Names or ids of servers to remove. Lower O(size) as well, or others are made for them.
    type: list
    elements: str
  replace:
    description:
      - Names or ids of servers to delete and make again. With ids a repeated run does not replace again what is new.
    type: list
    elements: str
  dead:
    description:
      - Names or ids of servers the colony calls dead. When O(size) shrinks they go first.
    type: list
    elements: str
  spare:
    description:
      - Names or ids of servers the colony gave no work. They go next, then the youngest.
    type: list
    elements: str
  protect:
    description:
      - Names or ids of servers that must not go, above all the queen. To name one for removal is an error.
    type: list
    elements: str
  council:
    description:
      - Names or ids of servers that have a seat in the colony's council. When O(size) shrinks others go before them.
      - They are not kept - whoever removes one lets the colony move the seat first, as the playbooks aware.cluster.scale and aware.cluster.replace do.
    type: list
    elements: str
  replace_failed:
    description:
      - Replace servers in ERROR. Without it they are reported with Nova's reason, the rest is done, and the module fails.
    type: bool
    default: false
  parallel:
    description:
      - Requests at the same time. Servers of a server group are asked for one after the other in each zone, for Nova's scheduler looks at those
        that have a host only.
    type: int
    default: 8
  multi_create:
    description:
      - Make the servers of a new colony with one request where they differ in nothing but name and caste.
    type: bool
    default: true
  timeout:
    description:
      - Seconds to wait until servers are active, or gone.
    type: int
    default: 600
  lock_wait:
    description:
      - Seconds to wait while another run changes the colony. V(0) refuses at once and names who does.
      - The lock is a tag of the colony's security group, so it holds for all users of the project.
    type: float
    default: 300.0
  lock_life:
    description:
      - Seconds after which the lock of a run on another machine that does not renew it counts no more. A killed run of this machine is noticed at once.
    type: float
    default: 90.0
  progress_file:
    description:
      - File to append a line to for each step, to follow a long run with C(tail -f).
    type: path
"""

EXAMPLES = r"""
- name: Make a colony of three
  aware.cluster.openstack_cluster:
    cloud: mycloud
    colony: demo
    size: 3
    castes:
      web:
        count: 2
        requires: {vcpus: 2, ram_mib: 2048}
    infrastructure:
      image: debian-13
      networks: [private]
      keypair: {public_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"}
      security_group: {ssh_cidrs: [203.0.113.0/24], gateway_cidrs: [203.0.113.0/24]}
  register: colony

- name: Use them in the next play
  ansible.builtin.add_host: "{{ item }}"
  loop: "{{ colony.hosts }}"

- name: Remove the two that can be missed best, but never the queen
  aware.cluster.openstack_cluster:
    cloud: mycloud
    colony: demo
    size: 1
    protect: [demo-2]
    infrastructure: {image: debian-13, networks: [private]}

- name: Remove all of it
  aware.cluster.openstack_cluster:
    cloud: mycloud
    colony: demo
    state: absent
"""

RETURN = r"""
plan:
  description: What is to be done, one sentence for each step. In check mode nothing of it is.
  returned: always
  type: list
  elements: str
  sample: ["create server demo-3: caste web"]
done:
  description: What was done.
  returned: always
  type: list
  elements: str
hosts:
  description: The servers, each as arguments for M(ansible.builtin.add_host).
  returned: O(state=present)
  type: list
  elements: dict
  sample: [{"name": "demo-1", "ansible_host": "192.0.2.11", "groups": ["aware_bootstrap", "web"], "aware_server_id": "6b0c..."}]
removed:
  description: Names and ids of the servers that are removed.
  returned: always
  type: list
  elements: dict
  sample: [{"name": "demo-4", "id": "0f2a..."}]
progress:
  description: What happened when, in seconds since the start.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._openstack_connection import argument_spec, run_module
from ansible_collections.aware.cluster.plugins.module_utils._openstack_colony import work
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wish import SIZES

_SECURITY_GROUP = dict(
    manage=dict(type="bool", default=True),
    ssh_cidrs=dict(type="list", elements="str", default=[]),
    gateway_cidrs=dict(type="list", elements="str", default=[]),
    gateway_port=dict(type="int", default=8443),
    channel_port=dict(type="int", default=8444),
    discovery_port=dict(type="int", default=20100),
    etcd_ports=dict(type="list", elements="int", default=[2379, 2380]),
)
_INFRASTRUCTURE = dict(
    image=dict(type="str"),
    image_properties=dict(type="dict"),
    flavor=dict(type="str"),
    requires=dict(type="dict", options=SIZES),
    networks=dict(type="list", elements="str", default=[]),
    ports=dict(type="list", elements="str", default=[]),
    address_network=dict(type="str"),
    security_group=dict(type="dict", default={}, apply_defaults=True, options=_SECURITY_GROUP),
    security_groups=dict(type="list", elements="str", default=[]),
    keypair=dict(
        type="dict", no_log=False, options=dict(name=dict(type="str"), public_key=dict(type="str", no_log=False))
    ),
    server_group=dict(
        type="str",
        choices=["soft-anti-affinity", "anti-affinity", "soft-affinity", "affinity", "none"],
        default="soft-anti-affinity",
    ),
    availability_zones=dict(type="list", elements="str", default=[]),
    boot_volume=dict(
        type="dict",
        options=dict(size_gib=dict(type="int", required=True), delete_on_termination=dict(type="bool", default=True)),
    ),
    floating_network=dict(type="str"),
    config_drive=dict(type="bool", default=False),
    user_data=dict(type="str"),
    metadata=dict(type="dict", default={}),
    tags=dict(type="list", elements="str", default=[]),
)


def main():
    names = dict(
        (key, dict(type="list", elements="str"))
        for key in ("remove", "replace", "dead", "spare", "protect", "council")
    )
    spec = argument_spec(
        state=dict(type="str", choices=["present", "absent"], default="present"),
        colony=dict(type="str", required=True),
        size=dict(type="int"),
        shrink=dict(type="bool", default=True),
        castes=dict(type="dict"),
        infrastructure=dict(type="dict", default={}, apply_defaults=True, options=_INFRASTRUCTURE),
        term=dict(type="int"),
        replace_failed=dict(type="bool", default=False),
        parallel=dict(type="int", default=8),
        multi_create=dict(type="bool", default=True),
        timeout=dict(type="int", default=600),
        lock_wait=dict(type="float", default=300.0),
        lock_life=dict(type="float", default=90.0),
        progress_file=dict(type="path"),
        **names,
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", ["size"])])
    run_module(module, work)


if __name__ == "__main__":
    main()
