"""heat-all of Debian 12 (19.0.0-3), with two repairs.

Security updates of its neighbours broke it:

- keystone now wants a token for ``POST /v3/ec2tokens`` (CVE-2025-65073). Heat sends none, so every pre-signed URL
  (``alarm_url``, CFN_SIGNAL) is answered with 403. Here the request carries heat's own service token.
- oslo.messaging now strips the credentials from a notification's context, and heat's stored context cannot load
  itself from what is left: a signal is answered with 200 and nothing scales. No notification driver is configured
  here, so heat's notifications are left out.
"""

import sys

import eventlet

eventlet.monkey_patch(os=False)

from heat.api.aws import ec2token  # noqa: E402
from heat.cmd import all as heat_all  # noqa: E402
from heat.engine import notification  # noqa: E402
from keystoneauth1 import loading, session  # noqa: E402
from oslo_config import cfg  # noqa: E402


class RequestsWithToken:
    """Stands in for the module ``requests`` where heat calls keystone's ec2tokens."""

    def __init__(self, requests):
        self._requests = requests
        self._session = None

    def __getattr__(self, name):
        return getattr(self._requests, name)

    def post(self, url, headers=None, **options):
        """The same POST, with heat's service token."""
        if self._session is None:
            auth = loading.load_auth_from_conf_options(cfg.CONF, "keystone_authtoken")
            self._session = session.Session(auth=auth)
        headers = {**(headers or {}), "X-Auth-Token": self._session.get_token()}
        return self._requests.post(url, headers=headers, **options)


def main():
    """Repair, then run heat's own main."""
    notification.notify = lambda *args, **kwargs: None
    ec2token.requests = RequestsWithToken(ec2token.requests)
    sys.argv[0] = "heat-all"
    return heat_all.main()


if __name__ == "__main__":
    sys.exit(main())
