"""A neutron mechanism driver: ports of hosts named fake* become ACTIVE without an agent on any such host."""

from neutron_lib import constants
from neutron_lib.plugins.ml2 import api


class FakeBind(api.MechanismDriver):
    """Asked after linuxbridge, which binds only where an agent is alive."""

    def initialize(self):
        """Nothing to set up; the base class demands the method."""

    def bind_port(self, context):
        """Bind the first segment offered."""
        if (context.host or "").startswith("fake") and context.segments_to_bind:
            segment = context.segments_to_bind[0]
            context.set_binding(segment[api.ID], "bridge", {"port_filter": False}, status=constants.PORT_STATUS_ACTIVE)
