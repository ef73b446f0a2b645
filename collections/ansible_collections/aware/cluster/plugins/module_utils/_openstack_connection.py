# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the OpenStack modules have in common: options, the connection, and one place where errors become messages."""

from __future__ import annotations

import importlib.metadata
import os
import traceback
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.aware.cluster.plugins.module_utils._boundary import leave_with
from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, Refused
from ansible_collections.aware.cluster.plugins.module_utils._openstack_config import (
    CLOUDS,
    SECURE,
    VENDOR,
    check_entry,
    check_files,
    check_settings,
    unknown_word,
)
from ansible_collections.aware.cluster.plugins.module_utils._openstack_owned import foreign_text
from ansible_collections.aware.cluster.plugins.module_utils._plain import refuse_misfits
from ansible_collections.aware.cluster.plugins.module_utils._reasons import line_of

try:
    import openstack
    import openstack.config.loader
    from keystoneauth1 import exceptions as keystone_exceptions
    from openstack import exceptions as sdk_exceptions
except ImportError:
    HAS_OPENSTACKSDK = False
    OPENSTACKSDK_ERROR = traceback.format_exc()
else:
    HAS_OPENSTACKSDK = True
    OPENSTACKSDK_ERROR = None

LEAST_SDK = (4, 0)
_SECRET = ("password", "secret", "token", "passcode")


def argument_spec(**more: Any) -> dict:
    """Return the options of the doc fragment aware.cluster.openstack, and those of the module."""
    spec = dict(
        cloud=dict(type="raw"),
        auth=dict(type="dict", no_log=True),
        auth_type=dict(type="str"),
        region_name=dict(type="str"),
        validate_certs=dict(type="bool", aliases=["verify"]),
        ca_cert=dict(type="path", aliases=["cacert"]),
        client_cert=dict(type="path", aliases=["cert"]),
        client_key=dict(type="path", no_log=False, aliases=["key"]),
        interface=dict(
            type="str", choices=["admin", "internal", "public"], default="public", aliases=["endpoint_type"]
        ),
        api_timeout=dict(type="int", default=60),
        retry_timeout=dict(type="float", default=60.0),
    )
    spec.update(more)
    return spec


def run_module(module: AnsibleModule, work: Callable) -> None:
    """Call ``work(module, cloud)``, which returns the result, and leave with it or with one clear line.

    A result with ``failed`` leaves through fail_json, so that what was done by then is told as well.
    """
    _check_sdk(module)
    refuse_misfits(module)
    module.no_log_values.update(secrets_of(module.params["cloud"]))

    def connected() -> dict:
        cloud = Cloud(_connect(module.params), retry_s=module.params["retry_timeout"])
        try:
            return work(module, cloud)
        finally:
            if cloud.foreign:
                module.warn(foreign_text(cloud))

    leave_with(module, connected, lambda exc: _told(exc, module.params))


def _told(exc: Exception, params: dict) -> dict | None:
    """What is said of an error that is not ours."""
    if isinstance(exc, CloudError):
        return dict(msg=_explained(exc, params), **getattr(exc, "facts", {}))
    if isinstance(exc, (keystone_exceptions.Unauthorized, keystone_exceptions.NotFound)):
        # A token that is no more is "not found".
        return dict(msg="the cloud refused the credentials (%s): check %s" % (line_of(exc), _source(params)))
    if isinstance(exc, (sdk_exceptions.SDKException, keystone_exceptions.ClientException)):
        return dict(msg="%s, with %s" % (line_of(exc), _source(params)))
    if _is_of_sdk(exc):  # it trips over settings with whatever Python raises then
        if unknown_word(exc):
            return dict(msg="%s, with %s" % (unknown_word(exc), _source(params)))
        return dict(msg="openstacksdk cannot use %s (%s: %s)" % (_source(params), type(exc).__name__, line_of(exc)))
    return None


def _is_of_sdk(exc: Exception) -> bool:
    """Whether the SDK or what it is built on was at work."""
    files = [frame.filename for frame in traceback.extract_tb(exc.__traceback__)]
    return any(part in file for file in files for part in ("/openstack/", "/keystoneauth1/", "/requests/"))


def secrets_of(cloud: Any) -> set:
    """What must show nowhere of an option ``cloud`` that is a dictionary: Ansible itself hides whole options only."""
    auth = cloud.get("auth") if isinstance(cloud, dict) else None
    pairs = auth.items() if isinstance(auth, dict) else ()
    return {str(value) for key, value in pairs if value and any(word in str(key) for word in _SECRET)}


def _check_sdk(module: AnsibleModule) -> None:
    if not HAS_OPENSTACKSDK:
        module.fail_json(msg=missing_required_lib("openstacksdk >= %d.%d" % LEAST_SDK), exception=OPENSTACKSDK_ERROR)
    version = importlib.metadata.version("openstacksdk")
    if version_tuple(version) < LEAST_SDK:
        module.fail_json(msg="openstacksdk %s is too old, %d.%d or newer is needed" % ((version,) + LEAST_SDK))


def version_tuple(version: str) -> tuple:
    """First two numbers of a version; what is not a number counts as 0."""
    parts = (version.split(".") + ["0", "0"])[:2]
    return tuple(int(part) if part.isdigit() else 0 for part in parts)


def _connect(params: dict) -> Any:
    """Connect as clouds.yaml, the options or the OS_* variables say; nothing is sent before the first request."""
    names = dict(
        auth="auth",
        auth_type="auth_type",
        region_name="region_name",
        validate_certs="verify",
        ca_cert="cacert",
        client_cert="cert",
        client_key="key",
        api_timeout="api_timeout",
        interface="interface",
    )
    given = dict((names[name], params[name]) for name in names if params[name] is not None)
    cloud = params["cloud"]
    if params["api_timeout"] <= 0:
        raise CloudError("api_timeout is %d, and must be more than 0 seconds" % params["api_timeout"])
    if params["auth"]:
        check_entry(dict(auth=params["auth"]), "option auth")
    if isinstance(cloud, dict):
        check_entry(cloud, "option cloud")
        given = dict(cloud, **given)
    elif cloud is not None and not isinstance(cloud, str):
        raise CloudError("option cloud is neither the name of a cloud in clouds.yaml nor a mapping like its entries")
    else:
        by_environment = "" if params["auth"] else os.environ.get("OS_CLOUD", "")
        check_files(cloud or by_environment, _places(), os.environ)
        given.update({"cloud": cloud} if cloud is not None else {})
    given.update(
        app_name="aware.cluster", load_yaml_config=not isinstance(cloud, dict), load_envvars=not isinstance(cloud, dict)
    )
    connection = openstack.connect(**given)
    check_settings(connection.config, _source(params))
    return connection


def _places() -> dict:
    """Where openstacksdk looks for each kind of file."""
    loader = openstack.config.loader
    return {CLOUDS: loader.CONFIG_FILES, SECURE: loader.SECURE_FILES, VENDOR: loader.VENDOR_FILES}


def _source(params: dict) -> str:
    cloud = params["cloud"]
    if isinstance(cloud, dict):
        return "option cloud"
    if cloud is not None:
        return "cloud %r of clouds.yaml" % str(cloud)
    return "option auth" if params["auth"] else "the OS_* environment variables or clouds.yaml"


def _explained(exc: CloudError, params: dict) -> str:
    hint = ""
    if isinstance(exc, Refused):
        hint = {
            401: "; the credentials of %s are no longer good" % _source(params),
            403: "; the role of %s does not allow it" % _source(params),
            406: "; this cloud is older than OpenStack Rocky (compute microversion 2.64), which is needed",
        }.get(exc.status, "")
        if exc.quota:
            hint = "; that quota of the project is reached: raise it, or delete what nobody needs, and run again"
    done = len(getattr(exc, "facts", {}).get("done", ()))
    return str(exc) + hint + ("; %d steps were done before, and the next run goes on from there" % done if done else "")
