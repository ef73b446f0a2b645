"""Examples of what a request carries, for the description. Nothing in them opens anything."""

from __future__ import annotations

from typing import Any

_NODE = "01HF7YAT00000000000000000H"
PATHS: dict[str, str] = {
    "node": "demo-2",
    "name": "vera",
    "token_id": "0f1e2d3c4b5a6978",
    "session_id": "0" * 32,
    "job_id": _NODE,
    "webhook_id": _NODE,
    "event_id": _NODE,
    "key": "p" * 43,
    "run": "c" * 32,
    "cluster": "demo",
}
_CASTE = "web"


def of_path(path: str, name: str) -> str:
    """A value of the part ``name`` of ``path``."""
    return _CASTE if path.startswith("/v1/castes/") else PATHS[name]


BODIES: dict[str, Any] = {
    "Spec": {"colony": "demo", "size": 5, "castes": {"web": {"count": 2, "requires": {"vcpus": 2}}}},
    "RollbackBody": {"revision": 7},
    "DemandBody": {"value": 1250.0},
    "NodePatch": {"labels": {"rack": "7", "old": None}, "cordoned": True},
    "AwayBody": {"reason": "a new disk"},
    "ConfigBody": {"config": {"agent": {"log_level": "debug"}, "vars": {"tier": 1}}},
    "CommandBody": {"command": {"type": "log-level", "level": "debug"}},
    "TransferBody": {"node": "demo-2"},
    "MoveBody": {"from": "demo-3", "to": "demo-4"},
    "Login": {"username": "vera", "password": "not the right one"},
    "Refresh": {"refresh_token": "what a login answered"},
    "Exchange": {"provider": "corp", "token": "an ID token of it"},
    "ProviderBody": {
        "kind": "oidc",
        "issuer": "https://id.example.org",
        "client_id": "aware",
        "rules": [{"role": "operator", "values": ["ops"]}],
    },
    "ColonySecretBody": {
        "kind": "openstack",
        "cloud": {
            "auth_type": "v3applicationcredential",
            "auth": {
                "auth_url": "https://keystone.example/v3",
                "application_credential_id": "21dced0fd20347869b93710d2b98aae0",
                "application_credential_secret": "what the cloud said once",
            },
        },
    },
    "UserBody": {"role": "viewer", "password": "a long enough one"},
    "ServiceAccountBody": {"name": "deploy", "role": "operator", "scopes": ["nodes:cordon@caste=web", "*:read"]},
    "ServiceTokenBody": {"ttl_s": 86400.0, "scopes": ["nodes:cordon@caste=web"]},
    "JoinTokenBody": {"ttl_s": 3600.0, "uses": 1, "node_name": "demo-6"},
    "RotationBody": {"action": "start", "hold": True},
    "SignBody": {"operation": "scale", "ttl_s": 3600, "delta": 1, "caste": "web", "max_size": 9},
    "JobBody": {"operation": "restart-web", "parameters": {"graceful": True}, "hosts": ["demo-2"]},
    "HookCall": {"operation": "scale", "delta": 1, "reference": "stack-7"},
    "WebhookBody": {"url": "https://hooks.example/aware", "filter": {"type": ["node.*"], "severity": "warning"}},
    "WebhookPatch": {"paused": True},
    "SecretBody": {"keep_old_s": 86400.0},
    "CheckBody": {"run": "c" * 32},
    "CheckPut": {"value": 1},
    "JoinRequest": {
        "colony": "demo",
        "token_id": "0f1e2d3c4b5a6978",
        "secret": "of the join token",
        "csr": "-----BEGIN CERTIFICATE REQUEST-----",
        "node_id": _NODE,
        "name": "demo-6",
        "address": "192.0.2.6",
        "url": "https://192.0.2.6:8443",
        "box_key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "signature": "AAAA",
    },
    "RenewRequest": {
        "colony": "demo",
        "node_id": _NODE,
        "address": "192.0.2.6",
        "csr": "-----BEGIN CERTIFICATE REQUEST-----",
        "sent_at": 1800000000.0,
        "nonce": "n" * 22,
        "box_key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "signature": "AAAA",
    },
}
"""Bodies by the type that decodes them."""
