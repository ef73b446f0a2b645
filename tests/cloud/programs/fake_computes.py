"""Many nova-computes in one process: hosts fake1..fakeN, each with nova's FakeDriver and room for hundreds of servers.

One process instead of N saves some 100 MB and 4 s of CPU each. Tests steer single servers by metadata:

    aware_test_fail: TEXT      the server goes to ERROR with a fault that says TEXT
    aware_test_delay: SECONDS  it takes that long to build
"""

import shlex
import sys

from nova.cmd import compute  # noqa: F401  this package patches the standard library for eventlet: it must be first

# isort: split
import eventlet
import nova.conf
import nova.db.main.api
import os_vif
from nova import config, exception, objects, service, utils
from nova.compute import rpcapi as compute_rpcapi
from nova.conductor import rpcapi as conductor_rpcapi
from nova.objects import base as objects_base
from nova.virt import fake
from oslo_log import log
from oslo_privsep import priv_context
from oslo_service import service as oslo_service
from oslo_service import threadgroup

CONF = nova.conf.CONF


plain_spawn = fake.FakeDriver.spawn


def steered_spawn(driver, context, instance, *args, **kwargs):
    """As FakeDriver's, unless the metadata says otherwise; this exception means ERROR at once, on no other host."""
    eventlet.sleep(float(instance.metadata.get("aware_test_delay", 0)))
    if reason := instance.metadata.get("aware_test_fail"):
        raise exception.BuildAbortException(instance_uuid=instance.uuid, reason=reason)
    return plain_spawn(driver, context, instance, *args, **kwargs)


def prepare():
    """What nova-compute's own main does before it makes its service."""
    log.setup(CONF, "nova")
    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    objects.register_all()
    os_vif.initialize()
    nova.db.main.api.DISABLE_DB_ACCESS = True
    objects_base.NovaObject.indirection_api = conductor_rpcapi.ConductorAPI()
    objects.Service.enable_min_version_cache()
    fake.FakeDriver.spawn = steered_spawn


def main(count, arguments):
    """Run hosts fake1..fake<count>; ``arguments`` are nova's (--config-file)."""
    config.parse_args(["nova-compute", *arguments])
    prepare()
    launcher = oslo_service.ServiceLauncher(CONF)
    # Each service keeps a green thread until it ends, and the launcher's own group has room for ten.
    launcher.services.tg = threadgroup.ThreadGroup(thread_pool_size=count)
    for number in range(1, count + 1):
        launcher.launch_service(
            service.Service.create(host=f"fake{number}", binary="nova-compute", topic=compute_rpcapi.RPC_TOPIC)
        )
    launcher.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
