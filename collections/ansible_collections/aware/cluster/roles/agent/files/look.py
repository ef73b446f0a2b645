"""What the role has to know about a host, in one look that changes nothing: run by its Python, prints JSON.

Arguments: directory of the releases, state directory, user.
"""

import importlib.util
import json
import os
import platform
import pwd
import sys

base, state, user = sys.argv[1:4]


def text(path):
    """Content of a small file; empty when it is not there."""
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def link(name):
    """The release a link leads to; empty when there is none."""
    try:
        return os.path.basename(os.readlink(os.path.join(base, name)))
    except OSError:
        return ""


def releases():
    """The releases that are complete, with what is known about each."""
    found = {}
    folder = os.path.join(base, "releases")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        try:
            found[name] = json.loads(text(os.path.join(folder, name, ".aware-release")))
        except ValueError:
            continue
        found[name]["at"] = os.stat(os.path.join(folder, name)).st_mtime
    return found


def free(path):
    """MiB that can be written at a path or where it will be."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    room = os.statvfs(path)
    return room.f_bavail * room.f_frsize // (1 << 20)


def comment():
    """The user's description; None when there is no such user."""
    try:
        return pwd.getpwnam(user).pw_gecos
    except KeyError:
        return None


print(
    json.dumps(
        {
            "euid": os.geteuid(),
            "python": "%d.%d" % sys.version_info[:2],
            "machine": platform.machine(),
            "ensurepip": importlib.util.find_spec("ensurepip") is not None,
            "systemd": os.path.isdir("/run/systemd/system"),
            "free": free(base),
            "current": link("current"),
            "previous": link("previous"),
            "releases": releases(),
            "applied": text(os.path.join(base, "applied")),
            "joined": os.path.exists(os.path.join(state, "colony.json")),
            "user": comment(),
        }
    )
)
