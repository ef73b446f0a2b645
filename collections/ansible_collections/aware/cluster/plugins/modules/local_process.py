#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon without a service manager."""

from __future__ import annotations

DOCUMENTATION = r"""
module: local_process
short_description: Run a program as a daemon without a service manager
version_added: 0.1.0
description:
  - Starts a program detached from Ansible and stops it again, without root and without systemd. Meant for colonies on one machine and for
    tests; servers have a service manager for this.
  - A process is known again by its pid, the time it started and the boot it started in, all noted beside the pid file. Nothing is done to a
    process that does not match.
  - The program gets a small environment (C(PATH), C(HOME), locale and the like) and what O(env) says.
author:
  - The AWARE founders (@aware-colony)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
    support: full
options:
  pidfile:
    description:
      - File with the pid. The record is beside it, with C(.json) appended. Its directory must exist.
    type: path
    required: true
  state:
    description:
      - V(started) makes sure that it runs. It is restarted when command, environment, directory or one of O(watch_files) changed.
      - V(stopped) makes sure that it does not run.
      - V(absent) does the same and removes the log file.
    type: str
    choices: [started, stopped, absent]
    default: started
  argv:
    description:
      - Program and arguments. Every user of the machine can read them, so they must hold no secret.
    type: list
    elements: str
  env:
    description:
      - Variables to add to the environment. Like arguments, they are stored in the record as a digest only.
    type: dict
    default: {}
  chdir:
    description:
      - Directory to run in.
    type: path
    default: /
  logfile:
    description:
      - File that gets what the program writes. Readable by its owner only when it is made here.
    type: path
  watch_files:
    description:
      - Files the program reads when it starts.
    type: list
    elements: path
    default: []
  settle:
    description:
      - Seconds the program must run to count as started. If it ends before, the task fails with the last line it wrote.
    type: float
    default: 0.5
  timeout:
    description:
      - Seconds from SIGTERM to SIGKILL.
    type: float
    default: 10.0
"""

EXAMPLES = r"""
- name: Run a web server
  aware.cluster.local_process:
    argv: [python3, -m, http.server, "8000"]
    chdir: /srv/www
    pidfile: /tmp/www/www.pid
    logfile: /tmp/www/www.log

- name: Stop it
  aware.cluster.local_process:
    pidfile: /tmp/www/www.pid
    state: stopped
"""

RETURN = r"""
pid:
  description: The process, when it runs. Not known in check mode when it would be started.
  returned: success
  type: int
  sample: 4711
running:
  description: Whether it runs after the task.
  returned: success
  type: bool
  sample: true
killed:
  description: Whether it did not end by itself in time and had to be killed.
  returned: when a process was stopped
  type: bool
  sample: false
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aware.cluster.plugins.module_utils._boundary import leave_with
from ansible_collections.aware.cluster.plugins.module_utils._plain import refuse_misfits
from ansible_collections.aware.cluster.plugins.module_utils._process import (
    Daemon,
    ProcessError,
    environment,
    fingerprint,
)


def start(module, daemon):
    """Make sure that it runs as asked for."""
    params = module.params
    env = environment(params["env"])
    # Only what the user said belongs to the fingerprint: another PATH of the caller is no reason to restart.
    mark = fingerprint(params["argv"], params["env"], params["chdir"], params["watch_files"])
    pid = daemon.pid()
    if pid is not None and daemon.record().get("fingerprint") == mark:
        return dict(changed=False, pid=pid, running=True)
    result = dict(
        changed=True,
        running=True,
        diff=dict(before=dict(running=pid is not None), after=dict(running=True, argv=params["argv"])),
    )
    if module.check_mode:
        return result
    if pid is not None:
        result["killed"] = daemon.stop(params["timeout"])
    logfile = params["logfile"] or os.devnull
    result["pid"] = daemon.start(params["argv"], env, params["chdir"], logfile, mark, params["settle"])
    return result


def stop(module, daemon):
    """Make sure that it does not run."""
    pid = daemon.pid()
    leftovers = [path for path in (daemon.pidfile, daemon.record_file) if os.path.exists(path)]
    logfile = module.params["logfile"]
    if module.params["state"] == "absent" and logfile and os.path.exists(logfile):
        leftovers.append(logfile)
    result = dict(changed=pid is not None or bool(leftovers), running=False)
    if not result["changed"]:
        return result
    result["diff"] = dict(before=dict(running=pid is not None, files=leftovers), after=dict(running=False, files=[]))
    if not module.check_mode:
        killed = daemon.stop(module.params["timeout"])
        if pid is not None:
            result["killed"] = killed
        if logfile in leftovers:
            os.unlink(logfile)
    return result


def main():
    module = AnsibleModule(
        argument_spec=dict(
            pidfile=dict(type="path", required=True),
            state=dict(type="str", choices=["started", "stopped", "absent"], default="started"),
            argv=dict(type="list", elements="str"),
            env=dict(type="dict", default={}),
            chdir=dict(type="path", default="/"),
            logfile=dict(type="path"),
            watch_files=dict(type="list", elements="path", default=[]),
            settle=dict(type="float", default=0.5),
            timeout=dict(type="float", default=10.0),
        ),
        required_if=[("state", "started", ["argv"])],
        supports_check_mode=True,
    )
    refuse_misfits(module)
    leave_with(module, lambda: work(module), lambda exc: dict(msg=str(exc)) if isinstance(exc, ProcessError) else None)


def work(module):
    """Start, stop or forget the process."""
    daemon = Daemon(os.path.abspath(module.params["pidfile"]))
    wanted = module.params["state"] == "started"
    if not os.path.isdir(os.path.dirname(daemon.pidfile)) and (module.check_mode or not wanted):
        return dict(changed=wanted, running=wanted)  # nothing can run from a directory that is not there
    with daemon.alone():
        return start(module, daemon) if wanted else stop(module, daemon)


if __name__ == "__main__":
    main()
