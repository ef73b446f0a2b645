"""What the role has to know about a host, in one look that changes nothing: run by its Python, prints JSON.

Arguments: directory of the releases, state directory, user, directory of the settings.
"""

import importlib.util
import json
import os
import platform
import pwd
import stat
import subprocess
import sys

base, state, user, config = sys.argv[1:5]


def text(path, follow=os.O_NOFOLLOW):
    """Content of a small file; empty when it is not there, or no file: in the agent's directory a link could lead anywhere."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | follow)
        with open(handle, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 16).strip() if stat.S_ISREG(os.fstat(handle).st_mode) else ""
    except OSError:
        return ""


def link(name):
    """The release a link leads to; empty when there is none."""
    try:
        return os.path.basename(os.readlink(os.path.join(base, name)))
    except OSError:
        return ""


def sound(path):
    """Whether everybody can read all that is below a directory, and only its owner can write it."""
    for folder, unused, files in os.walk(path):
        for each in [folder] + [os.path.join(folder, name) for name in files]:
            mode = os.lstat(each).st_mode
            # What Python compiled for itself need not be read: it goes by the source then.
            needed = 0o005 if stat.S_ISDIR(mode) else 0 if "__pycache__" in folder else 0o004
            if not stat.S_ISLNK(mode) and (mode & 0o022 or mode & needed != needed):
                return False
    return True


def runs(path):
    """Whether the service's user can execute a release; nothing speaks against it while there is no such user."""
    try:
        owner = pwd.getpwnam(user)
        argv = [os.path.join(path, "bin", "aware-agent"), "--version"]
        who = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.call(argv, cwd="/", timeout=60, **quiet, **who) == 0
    except (KeyError, subprocess.TimeoutExpired):  # slow is not unusable
        return True
    except (OSError, TypeError):  # TypeError: a Python that is refused anyway
        return False


def releases():
    """Those that are complete and usable by name, with what is known about each; and the names of all others."""
    found, others = {}, []
    folder = os.path.join(base, "releases")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        try:
            known = json.loads(text(os.path.join(path, ".aware-release")))
        except ValueError:
            known = {}
        if known and sound(path) and runs(path):
            found[name] = dict(known, at=os.stat(path).st_mtime)
        else:
            others.append(name)
    return found, others


def free(path):
    """MiB that can be written at a path or where it will be."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    room = os.statvfs(path)
    return room.f_bavail * room.f_frsize // (1 << 20)


def identity():
    """Id of the node whose key is here, whether it has joined or not; empty when there is none."""
    try:
        known = json.loads(text(os.path.join(state, "node.json")))
        return str(known["id"]) if os.path.exists(os.path.join(state, "node.key")) else ""
    except (ValueError, KeyError, TypeError):
        return ""


def council_size():
    """How many founders the settings here name; 0 when they name none. Python before 3.11 is refused later, in a sentence."""
    try:
        import tomllib

        size = tomllib.loads(text(os.path.join(config, "agent.toml"), follow=0))["council"]["size"]
    except (ImportError, ValueError, KeyError, TypeError):
        return 0
    return size if isinstance(size, int) and not isinstance(size, bool) else 0


def comment():
    """The user's description; None when there is no such user."""
    try:
        return pwd.getpwnam(user).pw_gecos
    except KeyError:
        return None


usable, unusable = releases()
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
            "releases": usable,
            "unusable": unusable,
            "applied": text(os.path.join(base, "applied")),
            "node": identity(),
            "joined": os.path.exists(os.path.join(state, "colony.json")),
            "council_size": council_size(),
            "user": comment(),
        }
    )
)
