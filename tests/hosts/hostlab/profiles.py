"""Kinds of hosts: as Debian installs them, or hardened as many companies' servers are."""

from __future__ import annotations

import os

from hostlab.containers import inside
from hostlab.programs import run
from hostlab.settings import Lab, LabError

PROFILES = ("plain", "hardened")
SSH_PORT = {"plain": 22, "hardened": 2222}
# An address kept for documentation (RFC 5737): whoever goes through it waits, and fails.
PROXY = "http://192.0.2.9:3128"
# Run once in a new host, as root; all of it is on its disk then, and survives a boot.
HARDEN = r"""
set -e
[ ! -e /etc/lab-profile ] || exit 0
proxies="http_proxy=$1 https_proxy=$1 HTTP_PROXY=$1 HTTPS_PROXY=$1"
for each in $proxies; do echo "$each"; done >>/etc/environment
printf '[Manager]\nDefaultEnvironment=%s\n' "$proxies" >/etc/systemd/system.conf.d/hardened.conf
# The umask of root is sudo's, that of everybody else is of PAM.
printf '%s\n' 'Defaults use_pty' 'Defaults umask=0027, umask_override' \
    'Defaults env_keep += "http_proxy https_proxy HTTP_PROXY HTTPS_PROXY"' >/etc/sudoers.d/hardened
chmod 440 /etc/sudoers.d/hardened
visudo --check --quiet
sed -i 's/^UMASK.*/UMASK 027/' /etc/login.defs
grep -q pam_umask /etc/pam.d/common-session || echo 'session optional pam_umask.so' >>/etc/pam.d/common-session
# It does not know its own name, and learns so at once: sudo would wait ten seconds for a silent server at each task.
echo 'nameserver 127.0.0.1' >/etc/resolv.conf
# What Debian leaves out with python3-venv.
rm -rf /usr/lib/python3*/ensurepip
printf 'Port 2222\n' >/etc/ssh/sshd_config.d/hardened.conf
cat >/etc/systemd/system/lab-noexec.service <<'END_OF_UNIT'
[Unit]
Description=No program runs from a directory that everybody can write
DefaultDependencies=no
After=local-fs.target
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'for each in /tmp /var/tmp /dev/shm; do mountpoint -q $each || mount --bind $each $each; \
    mount -o remount,bind,noexec,nosuid,nodev $each; done'

[Install]
WantedBy=sysinit.target
END_OF_UNIT
systemctl daemon-reexec
systemctl enable --quiet --now lab-noexec.service
systemctl restart ssh.service
echo hardened >/etc/lab-profile
"""


def chosen() -> str:
    """The profile of new hosts, LAB_PROFILE. Raises LabError for one there is not."""
    name = os.environ.get("LAB_PROFILE") or PROFILES[0]
    if name not in PROFILES:
        raise LabError(f"LAB_PROFILE={name} is none of {', '.join(PROFILES)}")
    return name


def host_name(host: str, profile: str) -> str:
    """What the host calls itself; a hardened one by a name that nobody resolves, itself included."""
    return host if profile == "plain" else f"srv-{host}.nowhere.invalid"


def apply(lab: Lab, host: str, profile: str) -> None:
    """Make a new host, which has booted, one of this kind. Raises LabError."""
    if profile == "hardened":
        run(*inside(lab, host, "sh", "-c", HARDEN, "sh", PROXY))
