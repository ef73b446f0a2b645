"""Which programs make up the cloud, and how each is started. No systemd: every one is a plain session of its own."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from testcloud.settings import Settings

UWSGI = shlex.split(
    "uwsgi_python3 --plugins python3 --master --lazy-apps --enable-threads --die-on-term --buffer-size 65535 "
    "--need-app --listen 100 --disable-logging --add-header Connection:close"
)


@dataclass(frozen=True, kw_only=True)
class Service:
    """One program; ``port`` is where it answers when it is up."""

    name: str
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    port: int | None = None


def mariadb(settings: Settings) -> Service:
    """Only its socket; nothing is flushed, for a crash of the machine ends a test cloud anyway."""
    options = shlex.split(
        "--user=root --skip-networking --skip-name-resolve --max-connections=1000 --performance-schema=OFF "
        "--innodb-flush-method=nosync --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --skip-log-bin "
        "--innodb-buffer-pool-size=256M --innodb-log-file-size=64M "
        "--character-set-server=utf8mb3 --collation-server=utf8mb3_general_ci"
    )
    home = settings.directory
    places = [f"--datadir={home}/mysql", f"--socket={home}/mysql.sock", f"--pid-file={home}/mysql.pid"]
    return Service(name="mariadb", argv=["mariadbd", "--no-defaults", *options, *places])


def rabbitmq(settings: Settings) -> Service:
    """The program itself: the wrapper in /usr/sbin would change the user and the directories."""
    home = settings.directory / "home"
    environment = {
        "RABBITMQ_NODENAME": "aware@localhost",
        "RABBITMQ_MNESIA_BASE": f"{settings.directory}/rabbit",
        "RABBITMQ_LOG_BASE": str(settings.log),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": "5672",
        "RABBITMQ_DIST_PORT": "25672",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
        "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq",
        "RABBITMQ_PID_FILE": f"{home}/rabbit.pid",
        # Idle schedulers do not spin.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
    }
    return Service(name="rabbitmq", argv=["/usr/lib/rabbitmq/bin/rabbitmq-server"], env=environment, port=5672)


def infrastructure(settings: Settings) -> list[Service]:
    """What everything else leans on."""
    memcached = shlex.split("memcached -u root -l 127.0.0.1 -p 11211 -m 64")
    return [
        mariadb(settings),
        rabbitmq(settings),
        Service(name="memcached", argv=memcached, port=11211),
    ]


def uwsgi(address: str, processes: int, threads: int, program: str) -> list[str]:
    """A WSGI program behind uwsgi's own HTTP."""
    size = ["--processes", str(processes), "--threads", str(threads)]
    return [*UWSGI, "--http-socket", address, *size, "--wsgi-file", program]


def keystone(settings: Settings) -> Service:
    """Identity; two processes, for everybody asks it all the time."""
    return Service(
        name="keystone",
        argv=uwsgi("0.0.0.0:5000", 2, 4, "/usr/bin/keystone-wsgi-public"),
        env={"OS_KEYSTONE_CONFIG_FILES": f"{settings.etc}/keystone.conf"},
        port=5000,
    )


def placement(settings: Settings) -> Service:
    """Inventory of the computes."""
    return Service(
        name="placement",
        argv=uwsgi("0.0.0.0:8778", 1, 8, "/usr/bin/placement-api"),
        env={"OS_PLACEMENT_CONFIG_DIR": f"{settings.etc}/placement"},
        port=8778,
    )


def configured(settings: Settings, *names: str) -> list[str]:
    """--config-file for each."""
    return [word for name in names for word in ("--config-file", f"{settings.etc}/{name}.conf")]


def interfaces(settings: Settings) -> list[Service]:
    """The services with an API beside keystone, and nova's and heat's inner ones."""
    nova = configured(settings, "nova")
    soft_delete = configured(settings, "nova-soft-delete") if settings.soft_delete else []
    programs = settings.directory / "programs"
    neutron = ["neutron-server", *configured(settings, "neutron", "ml2")]
    heat = ["/usr/bin/python3", str(programs / "heat_all.py"), *configured(settings, "heat")]
    return [
        placement(settings),
        Service(name="nova-conductor", argv=["nova-conductor", *nova]),
        Service(name="neutron-server", argv=neutron, env={"PYTHONPATH": str(programs)}, port=9696),
        Service(name="nova-api", argv=["nova-api", *nova, *soft_delete], port=8774),
        Service(name="nova-scheduler", argv=["nova-scheduler", *nova]),
        Service(name="glance-api", argv=["glance-api", *configured(settings, "glance-api")], port=9292),
        # API, CloudFormation API (port 8000) and engine in one process.
        Service(name="heat", argv=heat, port=8004),
    ]


def computes(settings: Settings) -> list[Service]:
    """Fake hosts, and the real one with its agents; libvirt's daemons come from testcloud.guests."""
    chosen = []
    if settings.fake:
        program = str(settings.directory / "programs" / "fake_computes.py")
        argv = ["/usr/bin/python3", program, str(settings.fake), *configured(settings, "nova", "nova-compute-fake")]
        chosen.append(Service(name="nova-compute-fake", argv=argv))
    if settings.real:
        bridge = configured(settings, "neutron", "linuxbridge-agent")
        chosen += [
            Service(name="neutron-linuxbridge-agent", argv=["neutron-linuxbridge-agent", *bridge]),
            Service(
                name="neutron-dhcp-agent", argv=["neutron-dhcp-agent", *configured(settings, "neutron", "dhcp-agent")]
            ),
            Service(name="nova-compute", argv=["nova-compute", *configured(settings, "nova", "nova-compute-real")]),
        ]
    return chosen


def environment(settings: Settings) -> dict[str, str]:
    """What every program of the cloud gets: nothing of the caller's, no proxy, no virtual environment."""
    return {
        "PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "HOME": str(settings.directory / "home"),
        "TMPDIR": str(settings.directory / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XTABLES_LOCKFILE": str(settings.run / "xtables.lock"),
    }


def log_of(settings: Settings, name: str) -> Path:
    """Where a program's own output goes (its log file is beside it)."""
    return settings.log / f"{name}.out"
