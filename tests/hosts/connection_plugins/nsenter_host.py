"""Ansible connection into a lab's host by its namespaces: pipelines, and works whatever the host's network does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleFileNotFound
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: nsenter_host
author: AWARE
short_description: Run tasks in a host of the lab through nsenter
description:
  - Enters the namespaces of the host's process 1, with the rights of the host's root and no more.
  - Works through any partition, and while the host is paused; what depends on sshd or sudo must use ssh.
options:
  directory:
    description: Directory of the lab, with a pid file for each host.
    required: true
    env:
      - name: AWARE_LAB_DIRECTORY
    vars:
      - name: aware_lab_directory
  host:
    description: Name or address in the lab. The default is where the task runs, which C(delegate_to) changes.
    default: ""
    vars:
      - name: aware_lab_host
"""

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hostlab.containers import inside  # noqa: E402
from hostlab.settings import LabError, host_at, lab  # noqa: E402


class Connection(ConnectionBase):
    """One host. Nothing is kept open between commands."""

    transport = "nsenter_host"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def close(self) -> None:
        """Nothing to close."""
        self._connected = False

    def _run(self, *argv: str, **streams: Any) -> tuple[int, bytes, bytes]:
        try:
            # inventory_hostname stays that of the delegating host: only this one is where the task shall run.
            host = host_at(self.get_option("host") or self._play_context.remote_addr)
            entering = inside(lab(Path(self.get_option("directory")).name), host, *argv)
        except (LabError, OSError) as error:
            raise AnsibleConnectionFailure(str(error)) from error
        if streams.get("input") is None and "stdin" not in streams:
            streams = {"stdin": subprocess.DEVNULL}
        done = subprocess.run(entering, capture_output=True, check=False, **streams)
        return done.returncode, done.stdout, done.stderr

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a shell command; ``in_data`` is its standard input (a pipelined module)."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        return self._run("/bin/sh", "-c", cmd, input=in_data)

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file to the host."""
        super().put_file(in_path, out_path)
        try:
            with open(in_path, "rb") as source:
                code, _, said = self._run("dd", f"of={out_path}", "status=none", "bs=64k", stdin=source)
        except FileNotFoundError as error:
            raise AnsibleFileNotFound(f"{in_path} is not there") from error
        if code:
            raise AnsibleConnectionFailure(f"{out_path}: {said.decode(errors='replace')}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file from the host."""
        super().fetch_file(in_path, out_path)
        code, content, said = self._run("cat", "--", in_path)
        if code:
            raise AnsibleConnectionFailure(f"{in_path}: {said.decode(errors='replace')}")
        Path(out_path).write_bytes(content)
