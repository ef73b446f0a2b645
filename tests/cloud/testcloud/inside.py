"""The half of ``cloud up`` that works in the namespaces: databases, services, and what a cloud has on its first day."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial

from testcloud import databases, guests, processes, services
from testcloud.settings import CloudError, Settings

Tell = Callable[[str], None]


def clock(began: float) -> Tell:
    """``tell(text)``: a line of progress with the seconds since ``began``."""

    def tell(text: str) -> None:
        print(f"{time.time() - began:6.1f} s  {text}", flush=True)

    return tell


def up(settings: Settings, lock: int, began: float) -> None:
    """Bring everything up that is not up. Every step finds out for itself whether it was done. Raises CloudError."""
    tell = clock(began)
    run = databases.runner(settings, lock)
    _, rabbitmq, memcached = services.infrastructure(settings)
    processes.start(settings, rabbitmq)
    processes.start(settings, memcached)
    databases.prepare_server(settings, run)
    databases.start_server(settings)
    databases.migrate_all(settings, run, ("keystone", "placement", "glance"), ("nova",), ("neutron", "heat"))
    tell("databases")
    processes.wait(settings, rabbitmq)
    keystone = services.keystone(settings)
    processes.start(settings, keystone)
    processes.wait(settings, keystone)
    from testcloud import bootstrap  # brings in the packaged openstacksdk, a second of work

    bootstrap.identity(settings)
    tell("users and catalogue")
    start_rest(settings)
    tell("services answer")
    bootstrap.wait_for_hosts(settings, partial(check_all_run, settings))
    map_hosts(settings, run)
    tell("computes report")
    bootstrap.furnish(settings)
    check_all_run(settings)
    tell("zones, flavors, images, networks")


def start_rest(settings: Settings) -> None:
    """Everything that leans on keystone; all at once, then one look at each port."""
    rest = services.interfaces(settings)
    for service in rest:
        processes.start(settings, service)
    if settings.real:
        guests.start(settings)
    for service in services.computes(settings):
        processes.start(settings, service)
    for service in rest:
        processes.wait(settings, service)


def map_hosts(settings: Settings, run: Callable[..., None]) -> None:
    """Tell nova which cell the hosts belong to; the command takes seconds, so only when there are new ones."""
    hosts = json.dumps([settings.fake, settings.real])
    mark = settings.run / "hosts.done"
    if mark.exists() and mark.read_text() == hosts:
        return
    run("nova-manage", "nova-manage", "--config-file", f"{settings.etc}/nova.conf", "cell_v2", "discover_hosts")
    mark.write_text(hosts)


def wanted(settings: Settings) -> list[services.Service]:
    """Every service that such a cloud has, but libvirt's own."""
    rest = [*services.interfaces(settings), *services.computes(settings)]
    return [*services.infrastructure(settings), services.keystone(settings), *rest]


def check_all_run(settings: Settings) -> None:
    """Raises CloudError for a service that gave up meanwhile."""
    running = processes.run_all(settings)
    for service in wanted(settings):
        if service.name not in running:
            raise CloudError(f"{service.name} ended by itself\n{processes.last_words(settings, service.name)}")


def status(settings: Settings) -> bool:
    """Print one line a service. True when all run."""
    running = processes.run_all(settings)
    complete = True
    for service in wanted(settings):
        pid = running.get(service.name)
        well = pid is not None and (service.port is None or processes.answers(service.port))
        complete &= well
        print(f"{service.name:28} {'up' if well else 'down' if pid is None else 'does not answer':16} {pid or ''}")
    return complete


def stop(settings: Settings, names: list[str]) -> None:
    """End the named services; ``up`` starts them again. Raises CloudError for an unknown name."""
    known = {service.name for service in wanted(settings)} | {"libvirtd", "virtlogd"}
    if strange := sorted(set(names) - known):
        raise CloudError(f"no such service: {', '.join(strange)} (there are {', '.join(sorted(known))})")
    for end in [partial(processes.stop, settings, name) for name in names]:
        end()
