# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Who may be shown a token: whom TLS proves to be of the colony's council, whatever address it was reached at.

Every certificate of a colony is from its CA, workers' as well. Only those who may reign have the name
``council.<colony>.aware`` in theirs; workers tell everybody who they are, at ``/v1/council``.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ansible_collections.aware.cluster.plugins.module_utils._reasons import chain_of

PATH = "/v1/council"
AWARE_CA = "AWARE colony CA"  # organisation of every colony's CA
MAX_DOCUMENT = 16 * 1024
MAX_MEMBERS = 16
_OTHER_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH


def council_name(connection: Any) -> str:
    """Return the name a certificate must have, or "" when the CA is no colony's: then the name in the URL counts.

    A colony's CA bears its name, so endpoints and a CA file are enough to know it.
    """
    if not connection.ca_path or not connection.validate_certs:
        return ""
    for authority in ssl.create_default_context(cafile=connection.ca_path).get_ca_certs():
        subject = dict(part[0] for part in authority.get("subject", ()))
        if subject.get("organizationName") == AWARE_CA:
            return "council.%s.aware" % (connection.colony or subject.get("commonName", ""))
    return ""


def is_worker(exc: Exception) -> bool:
    """Whether TLS failed only because the other side is not of the council."""
    return any(
        isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _OTHER_NAME for cause in chain_of(exc)
    )


class NamedOpener:
    """Opens URLs as open_url does, but the certificate must be for ``name``; "" takes any of the CA's."""

    def __init__(self, ca_path: str, name: str) -> None:
        self._context = ssl.create_default_context(cafile=ca_path)
        self._context.check_hostname = bool(name)
        self._name = name

    def trust(self, bundle: bytes) -> None:
        """Believe these CAs (PEM) as well from the next connection on."""
        self._context.load_verify_locations(cadata=bundle.decode("ascii"))

    def __call__(self, url: str, method: str, data: Any, headers: dict, timeout: float, **_more: Any) -> Any:
        """Return the response. Raises HTTPError for other answers than 2xx, URLError when nothing was sent."""
        parts = urlsplit(url)
        link = _Named(parts.hostname, parts.port, timeout, self._context, self._name)
        path = parts.path + ("?" + parts.query if parts.query else "")
        try:
            try:
                link.connect()
            except OSError as exc:
                raise URLError(exc) from exc
            link.request(method, path, body=data, headers={"User-Agent": "aware.cluster", "Connection": "close", **headers})
            response = link.getresponse()
            if link.sock:  # from here on it is the response's, and ends with it
                link.sock.close()
                link.sock = None
        except BaseException:
            link.close()
            raise
        if not 200 <= response.status < 300:
            raise HTTPError(url, response.status, response.reason, response.headers, response)
        return response


class _Named(http.client.HTTPSConnection):
    def __init__(self, host: Any, port: Any, timeout: float, context: ssl.SSLContext, name: str) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._context, self._name = context, name

    def connect(self) -> None:
        """Connect and shake hands with whoever has the name."""
        raw = socket.create_connection((self.host, self.port), self.timeout)
        try:
            self.sock = self._context.wrap_socket(raw, server_hostname=self._name or self.host)
        except BaseException:
            raw.close()
            raise


def members_in(raw: bytes) -> list:
    """Return the addresses a council document names, the queen first; none when it is no such document."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return []
    if not isinstance(document, dict):
        return []
    listed = document.get("members")
    named = [document.get("queen"), *(listed if isinstance(listed, list) else [])]
    return [url for url in named if isinstance(url, str)][:MAX_MEMBERS]
