"""Inventories of a lab, and Ansible's environment for it."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping

from hostlab import image
from hostlab.settings import CHECKOUT, HERE, Lab, LabError, address

CONNECTIONS = ("nsenter", "ssh")


def _variables(lab: Lab, connection: str) -> dict[str, object]:
    if connection == "nsenter":
        # Whatever the host's network does, Ansible gets through.
        return {"ansible_connection": "nsenter_host", "aware_lab_directory": str(lab.directory)}
    if connection != "ssh":
        raise LabError(f"{connection!r} is none of {', '.join(CONNECTIONS)}")
    proxy = f"nsenter --net=/run/netns/{lab.namespace} -- /usr/bin/python3 -I {HERE}/programs/pipe.py %h %p"
    options = {"UserKnownHostsFile": image.KNOWN_HOSTS, "StrictHostKeyChecking": "yes", "ProxyCommand": proxy}
    return {
        "ansible_connection": "ssh",
        "ansible_user": "debian",
        "ansible_ssh_private_key_file": str(image.KEY),
        "ansible_ssh_common_args": " ".join(f"-o {shlex.quote(f'{key}={value}')}" for key, value in options.items()),
        # Of this lab's own: another lab's hosts have the same addresses.
        "ansible_control_path_dir": str(lab.directory / "ssh"),
    }


def content(lab: Lab, hosts: Mapping[str, int], connection: str, etcd: int = 0) -> dict[str, object]:
    """All ``hosts``, with their ports for SSH, are nodes; ``etcd`` of them run etcd: by default three, or one."""
    members = list(hosts)[: etcd or (3 if len(hosts) >= 3 else 1)]
    common = {**_variables(lab, connection), "ansible_python_interpreter": "/usr/bin/python3"}
    return {
        "all": {
            "vars": common,
            "children": {
                "aware_bootstrap": {"hosts": {host: _reach(host, port, connection) for host, port in hosts.items()}},
                "aware_etcd": {"hosts": {host: {} for host in members}},
            },
        }
    }


def _reach(host: str, port: int, connection: str) -> dict[str, object]:
    """What is particular to one host."""
    return {"ansible_host": address(host), **({"ansible_port": port} if connection == "ssh" and port != 22 else {})}


def text(lab: Lab, hosts: Mapping[str, int], connection: str, etcd: int = 0) -> str:
    """The inventory file: JSON, which is YAML too, so that its name may end in .yml."""
    return json.dumps(content(lab, hosts, connection, etcd), indent=2) + "\n"


def write(lab: Lab, hosts: Mapping[str, int]) -> None:
    """nsenter.yml and ssh.yml in the lab's directory."""
    for connection in CONNECTIONS:
        lab.inventory(connection).write_text(text(lab, hosts, connection))


def environment(lab: Lab) -> dict[str, str]:
    """What ansible-playbook needs in its environment: the connection plugin, pipelining, plain inventory files."""
    connection = "ssh" if os.environ.get("AWARE_LAB_SSH") == "1" else "nsenter"
    # The checkout's ansible.cfg reads no plain inventory files; user's own choices for the rest of it stay.
    return {
        "ANSIBLE_CONFIG": os.environ.get("ANSIBLE_CONFIG") or str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_CONNECTION_PLUGINS": str(HERE / "connection_plugins"),
        "ANSIBLE_INVENTORY_ENABLED": "host_list,yaml,auto",
        "ANSIBLE_INVENTORY": str(lab.inventory(connection)),
        "ANSIBLE_PIPELINING": "true",
        # Tests count tasks.
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true",
        # Of seconds for logging in and for sudo; its ten are few on a busy machine.
        "ANSIBLE_TIMEOUT": "60",
        "AWARE_LAB": lab.name,
        "AWARE_LAB_DIRECTORY": str(lab.directory),
        # No proxy of the caller's can be reached from the lab's network.
        "no_proxy": "*",
        "NO_PROXY": "*",
    }
