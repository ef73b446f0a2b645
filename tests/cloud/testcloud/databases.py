"""The databases: made, filled by each service's own migration, and made anew when a migration was cut short."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from testcloud import processes
from testcloud.configs import RABBIT, database_url
from testcloud.services import environment, mariadb
from testcloud.settings import CloudError, Settings

Run = Callable[..., None]


def runner(settings: Settings, lock: int) -> Run:
    """``run(log, *argv)`` for programs that must not outlive the lock: whoever comes next waits until they are done."""

    def run(log: str, *argv: str, stdin: str = "") -> None:
        path = settings.log / f"{log}.out"
        with path.open("ab") as output:
            done = subprocess.run(
                argv,
                env=environment(settings),
                input=stdin.encode(),
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[lock],
                check=False,
            )
        if done.returncode:
            tail = "\n".join(f"    {line}" for line in path.read_text(errors="replace").splitlines()[-8:])
            raise CloudError(f"{' '.join(argv[:3])} failed with {done.returncode}\n{tail}\n    (more in {path})")

    return run


def prepare_server(settings: Settings, run: Run) -> None:
    """The server's own tables. A directory that a killed run left half made is made anew."""
    data, done = settings.directory / "mysql", settings.run / "mysql.done"
    if done.exists():
        return
    shutil.rmtree(data, ignore_errors=True)
    # The migrations that were done are gone with it.
    for mark in settings.run.glob("database-*.done"):
        mark.unlink()
    options = ["--no-defaults", "--user=root", "--skip-test-db", "--auth-root-authentication-method=normal"]
    run("mariadb-install", "mariadb-install-db", *options, f"--datadir={data}")
    done.touch()


def ping(settings: Settings) -> bool:
    """Whether the server takes commands."""
    argv = ["mariadb-admin", "--no-defaults", "-uroot", "-S", f"{settings.directory}/mysql.sock", "ping"]
    return subprocess.run(argv, capture_output=True, env=environment(settings), check=False).returncode == 0


def start_server(settings: Settings) -> None:
    """Start MariaDB and wait for it."""
    processes.start(settings, mariadb(settings))
    processes.until(settings, "mariadb", lambda: ping(settings), "does not answer", 60)


def create(settings: Settings, run: Run, *names: str) -> None:
    """Empty databases, whatever was there."""
    sql = "".join(f"drop database if exists {name}; create database {name} character set utf8mb3;\n" for name in names)
    run("mariadb-create", "mariadb", "--no-defaults", "-uroot", "-S", f"{settings.directory}/mysql.sock", stdin=sql)


def keystone(settings: Settings, run: Run) -> None:
    """Tables, keys, the first user and the catalogue's first entry."""
    create(settings, run, "keystone")
    manage = partial(run, "keystone-manage", "keystone-manage", "--config-file", f"{settings.etc}/keystone.conf")
    manage("db_sync")
    for what in ("fernet_setup", "credential_setup"):
        manage(what, "--keystone-user", "root", "--keystone-group", "root")
    url = f"http://{settings.ip}:5000/v3"
    addresses = [word for kind in ("admin", "internal", "public") for word in (f"--bootstrap-{kind}-url", url)]
    # The password is that of a throw-away cloud in namespaces of its own; keystone-manage takes it no other way.
    manage("bootstrap", "--bootstrap-password", settings.password, "--bootstrap-region-id", "RegionOne", *addresses)


def nova(settings: Settings, run: Run) -> None:
    """Three databases, two cells."""
    create(settings, run, "nova_api", "nova_cell0", "nova")
    manage = partial(run, "nova-manage", "nova-manage", "--config-file", f"{settings.etc}/nova.conf")
    manage("api_db", "sync")
    manage("cell_v2", "map_cell0", "--database_connection", database_url(settings, "nova_cell0"))
    manage("db", "sync")
    connection = database_url(settings, "nova")
    manage("cell_v2", "create_cell", "--name", "cell1", "--database_connection", connection, "--transport-url", RABBIT)


def neutron(settings: Settings, run: Run) -> None:
    """Its tables."""
    create(settings, run, "neutron")
    files = ["--config-file", f"{settings.etc}/neutron.conf", "--config-file", f"{settings.etc}/ml2.conf"]
    run("neutron-manage", "neutron-db-manage", *files, "upgrade", "heads")


def simple(name: str, config: str, *words: str) -> Callable[[Settings, Run], None]:
    """A service with one database and one command."""

    def migrate(settings: Settings, run: Run) -> None:
        create(settings, run, name)
        run(f"{name}-manage", f"{name}-manage", "--config-file", f"{settings.etc}/{config}", *words)

    return migrate


STEPS: dict[str, Callable[[Settings, Run], None]] = {
    "keystone": keystone,
    "placement": simple("placement", "placement/placement.conf", "db", "sync"),
    "glance": simple("glance", "glance-api.conf", "db_sync"),
    "nova": nova,
    "neutron": neutron,
    "heat": simple("heat", "heat.conf", "db_sync"),
}


def migrate(settings: Settings, run: Run, *names: str) -> None:
    """The named services' databases, one after the other; those that were completed before are left alone."""
    for name in names:
        done = settings.run / f"database-{name}.done"
        if not done.exists():
            STEPS[name](settings, run)
            done.touch()


def migrate_all(settings: Settings, run: Run, *chains: tuple[str, ...]) -> None:
    """Chains side by side. Raises the first CloudError once all have come to an end."""
    with ThreadPoolExecutor(len(chains)) as pool:
        for future in [pool.submit(migrate, settings, run, *chain) for chain in chains]:
            future.result()
