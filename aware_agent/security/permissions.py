"""The one table of who may do what: resource and verb, the least role, and which route asks for which.

A route that is not in it cannot be served (:func:`rule_of`), so whoever adds one has to say here who may use it.
``docs/authorization.md`` shows the same table; a test compares them. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from aware_agent.security.roles import Role

VIEWER, OPERATOR, ADMIN, SECURITY = Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.SECURITY_ADMIN

PERMISSIONS: dict[str, dict[str, Role]] = {
    "cluster": {"read": VIEWER},
    "castes": {"demand": OPERATOR},  # post how much there is to do
    "nodes": {
        "read": VIEWER,
        "label": OPERATOR,
        "cordon": OPERATOR,  # and open for work again
        "command": OPERATOR,  # what does not interrupt it
        "drain": ADMIN,  # takes the reign and the seat away too
        "away": ADMIN,  # and back
        "pin": ADMIN,  # addresses its certificate names
        "restart": ADMIN,
        "diagnose": ADMIN,
        "remove": ADMIN,
    },
    "config": {"read": VIEWER, "change": OPERATOR},
    "denied-keys": {"read": ADMIN, "allow": ADMIN},
    "spec": {"read": VIEWER, "change": OPERATOR, "govern": SECURITY},  # govern: the fields of GOVERNED below
    "queen": {"read": VIEWER, "transfer": ADMIN},
    "council": {"read": VIEWER, "move": ADMIN},
    "election": {"read": VIEWER},
    "events": {"read": VIEWER},
    "inventory": {"read": VIEWER},
    "monitoring": {"read": VIEWER},
    "backups": {"read": VIEWER, "request": OPERATOR},
    "hooks": {"order": OPERATOR, "sign": OPERATOR},
    "operations": {"read": VIEWER},
    "jobs": {
        "read": VIEWER,
        "log": OPERATOR,  # what a playbook prints may tell more than its state
        "run": OPERATOR,  # and the role that the operation names; so for the next two
        "cancel": OPERATOR,
        "retry": OPERATOR,
    },
    "webhooks": {"read": ADMIN, "change": ADMIN, "delete": ADMIN, "secret": ADMIN, "test": ADMIN, "replay": ADMIN},
    "check": {"run": OPERATOR},
    "audit": {"read": ADMIN},
    "rotation": {"read": VIEWER, "order": SECURITY},  # who brings the secret along can make every token
    "tokens": {
        "read": ADMIN,
        "create": ADMIN,
        "create-eligible": SECURITY,  # who may have a seat holds the colony's secret
        "revoke": ADMIN,
    },
    "users": {"read": ADMIN, "change": ADMIN, "delete": ADMIN},  # of at most one's own role
    "identity-providers": {"read": ADMIN, "change": ADMIN, "delete": ADMIN},  # whose rules give at most one's own role
    "secrets": {"read": ADMIN, "change": ADMIN, "delete": ADMIN},  # their names; nobody is shown a value
    "service-accounts": {"read": ADMIN, "create": ADMIN, "delete": ADMIN, "issue": ADMIN, "revoke": ADMIN},  # as users
    "sessions": {"read": VIEWER, "end": VIEWER, "read-all": ADMIN, "end-all": ADMIN},  # without -all: one's own
}
"""The least role for each verb on each resource."""

GOVERNED = {
    "policies.keep_events": "keep_events",
    "policies.keep_audit": "keep_audit",
    "policies.backup": "backup",
    "policies.certificate_lifetime_s": "certificate_lifetime_s",
    "policies.session_lifetime_s": "session_lifetime_s",
    "policies.service_token_lifetime_s": "service_token_lifetime_s",
    "policies.jobs": "jobs",  # who did what is in it as well
    "policies.servers": "servers",  # the queen makes join tokens by it
}
"""Fields of the spec that only who may ``spec:govern`` changes, and their names among the policies."""

PEOPLE_ONLY = frozenset(
    {
        "users:change",
        "identity-providers:change",
        "service-accounts:create",
        "service-accounts:issue",
        "hooks:sign",
        "webhooks:change",  # it tells more than the account may read, and outlives it
        "webhooks:secret",
        "tokens:create-eligible",
        "rotation:order",
    }
)
"""What a service account never does, whatever its role: it would make credentials that outlive or exceed its own."""


class Rule(NamedTuple):
    """What a route asks for: any of ``permissions``. None at all: ``own`` takes whoever is known, else everybody."""

    permissions: tuple[str, ...] = ()
    own: bool = False  # about the credential that is shown

    @property
    def role(self) -> Role | None:
        """The least role that gets in; the verb may need more. None: it is open, or carries its own proof."""
        if self.own:
            return VIEWER
        return min((role_for(one) for one in self.permissions), key=_order, default=None)


OPEN = Rule()  # everybody
PROVEN = Rule()  # what is sent proves itself: password, refresh or join token, a key, a signed URL, a provider's word
OWN = Rule(own=True)

ROUTES: dict[tuple[str, str], Rule] = {
    ("GET", "/v1/cluster"): Rule(("cluster:read",)),
    ("GET", "/v1/castes"): Rule(("cluster:read",)),
    ("GET", "/v1/castes/{name}"): Rule(("cluster:read",)),
    ("PUT", "/v1/castes/{name}/demand"): Rule(("castes:demand",)),
    ("GET", "/v1/nodes"): Rule(("nodes:read",)),
    ("GET", "/v1/nodes/{node}"): Rule(("nodes:read",)),
    ("PATCH", "/v1/nodes/{node}"): Rule(("nodes:label", "nodes:cordon", "nodes:drain", "nodes:pin")),
    ("DELETE", "/v1/nodes/{node}"): Rule(("nodes:remove",)),
    ("PUT", "/v1/nodes/{node}/away"): Rule(("nodes:away",)),
    ("DELETE", "/v1/nodes/{node}/away"): Rule(("nodes:away",)),
    ("GET", "/v1/nodes/{node}/config"): Rule(("config:read",)),
    ("PUT", "/v1/nodes/{node}/config"): Rule(("config:change",)),
    ("GET", "/v1/nodes/{node}/config/history"): Rule(("config:read",)),
    ("GET", "/v1/nodes/{node}/config/diff"): Rule(("config:read",)),
    ("POST", "/v1/nodes/{node}/config/rollback"): Rule(("config:change",)),
    ("POST", "/v1/nodes/{node}/commands"): Rule(("nodes:command", "nodes:restart", "nodes:diagnose")),
    ("GET", "/v1/nodes/{node}/channel"): Rule(("nodes:read",)),
    ("GET", "/v1/denied-keys"): Rule(("denied-keys:read",)),
    ("DELETE", "/v1/denied-keys/{key}"): Rule(("denied-keys:allow",)),
    ("GET", "/v1/spec"): Rule(("spec:read",)),
    ("PUT", "/v1/spec"): Rule(("spec:change",)),
    ("GET", "/v1/spec/history"): Rule(("spec:read",)),
    ("GET", "/v1/spec/diff"): Rule(("spec:read",)),
    ("POST", "/v1/spec/rollback"): Rule(("spec:change",)),
    ("GET", "/v1/queen"): Rule(("queen:read",)),
    ("POST", "/v1/queen/step-down"): Rule(("queen:transfer",)),
    ("POST", "/v1/queen/transfer"): Rule(("queen:transfer",)),
    ("GET", "/v1/council"): OPEN,
    ("GET", "/v1/council/members"): Rule(("council:read",)),
    ("POST", "/v1/council/move"): Rule(("council:move",)),
    ("GET", "/v1/election"): Rule(("election:read",)),
    ("GET", "/v1/events"): Rule(("events:read",)),
    ("GET", "/v1/events/stream"): Rule(("events:read",)),
    ("WS", "/v1/events/ws"): Rule(("events:read",)),
    ("GET", "/v1/inventory"): Rule(("inventory:read",)),
    ("GET", "/v1/monitoring/targets"): Rule(("monitoring:read",)),
    ("POST", "/v1/auth/token"): PROVEN,
    ("POST", "/v1/auth/refresh"): PROVEN,
    ("DELETE", "/v1/auth/token"): OWN,
    ("GET", "/v1/auth/me"): OWN,
    ("POST", "/v1/auth/ticket"): OWN,
    ("GET", "/v1/auth/providers"): OPEN,
    ("GET", "/v1/auth/oidc/{name}/login"): OPEN,
    ("GET", "/v1/auth/oidc/{name}/callback"): PROVEN,
    ("POST", "/v1/auth/exchange"): PROVEN,
    ("GET", "/v1/identity-providers"): Rule(("identity-providers:read",)),
    ("GET", "/v1/identity-providers/{name}"): Rule(("identity-providers:read",)),
    ("PUT", "/v1/identity-providers/{name}"): Rule(("identity-providers:change",)),
    ("DELETE", "/v1/identity-providers/{name}"): Rule(("identity-providers:delete",)),
    ("GET", "/v1/secrets"): Rule(("secrets:read",)),
    ("GET", "/v1/secrets/{name}"): Rule(("secrets:read",)),
    ("PUT", "/v1/secrets/{name}"): Rule(("secrets:change",)),
    ("DELETE", "/v1/secrets/{name}"): Rule(("secrets:delete",)),
    ("GET", "/v1/users"): Rule(("users:read",)),
    ("GET", "/v1/users/{name}"): Rule(("users:read",)),
    ("PUT", "/v1/users/{name}"): Rule(("users:change",)),
    ("DELETE", "/v1/users/{name}"): Rule(("users:delete",)),
    ("GET", "/v1/service-accounts"): Rule(("service-accounts:read",)),
    ("POST", "/v1/service-accounts"): Rule(("service-accounts:create",)),
    ("GET", "/v1/service-accounts/{name}"): Rule(("service-accounts:read",)),
    ("DELETE", "/v1/service-accounts/{name}"): Rule(("service-accounts:delete",)),
    ("POST", "/v1/service-accounts/{name}/tokens"): Rule(("service-accounts:issue",)),
    ("DELETE", "/v1/service-accounts/{name}/tokens/{token_id}"): Rule(("service-accounts:revoke",)),
    ("GET", "/v1/sessions"): Rule(("sessions:read", "sessions:read-all")),
    ("DELETE", "/v1/sessions"): Rule(("sessions:end-all",)),
    ("DELETE", "/v1/sessions/{session_id}"): Rule(("sessions:end", "sessions:end-all")),
    ("DELETE", "/v1/users/{name}/sessions"): Rule(("sessions:end", "sessions:end-all")),
    ("GET", "/v1/tokens"): Rule(("tokens:read",)),
    ("POST", "/v1/tokens"): Rule(("tokens:create", "tokens:create-eligible")),
    ("DELETE", "/v1/tokens/{token_id}"): Rule(("tokens:revoke",)),
    ("POST", "/v1/join"): PROVEN,
    ("POST", "/v1/renew"): PROVEN,
    ("GET", "/v1/rotation"): Rule(("rotation:read",)),
    ("POST", "/v1/rotation"): Rule(("rotation:order",)),
    ("POST", "/v1/hooks/sign"): Rule(("hooks:sign",)),
    ("POST", "/v1/hooks/heat/{cluster}"): PROVEN,  # or hooks:order, without a signed query
    ("GET", "/v1/operations"): Rule(("operations:read",)),
    ("GET", "/v1/jobs"): Rule(("jobs:read",)),
    ("POST", "/v1/jobs"): Rule(("jobs:run",)),
    ("GET", "/v1/jobs/{job_id}"): Rule(("jobs:read",)),
    ("GET", "/v1/jobs/{job_id}/log"): Rule(("jobs:log",)),
    ("POST", "/v1/jobs/{job_id}/cancel"): Rule(("jobs:cancel",)),
    ("POST", "/v1/jobs/{job_id}/retry"): Rule(("jobs:retry",)),
    ("GET", "/v1/webhooks"): Rule(("webhooks:read",)),
    ("POST", "/v1/webhooks"): Rule(("webhooks:change",)),
    ("GET", "/v1/webhooks/{webhook_id}"): Rule(("webhooks:read",)),
    ("PATCH", "/v1/webhooks/{webhook_id}"): Rule(("webhooks:change",)),
    ("DELETE", "/v1/webhooks/{webhook_id}"): Rule(("webhooks:delete",)),
    ("POST", "/v1/webhooks/{webhook_id}/secret"): Rule(("webhooks:secret",)),
    ("POST", "/v1/webhooks/{webhook_id}/test"): Rule(("webhooks:test",)),
    ("GET", "/v1/webhooks/{webhook_id}/deliveries"): Rule(("webhooks:read",)),
    ("GET", "/v1/webhooks/{webhook_id}/dead"): Rule(("webhooks:read",)),
    ("POST", "/v1/webhooks/{webhook_id}/dead/replay"): Rule(("webhooks:replay",)),
    ("DELETE", "/v1/webhooks/{webhook_id}/dead"): Rule(("webhooks:delete",)),
    ("POST", "/v1/webhooks/{webhook_id}/dead/{event_id}/replay"): Rule(("webhooks:replay",)),
    ("DELETE", "/v1/webhooks/{webhook_id}/dead/{event_id}"): Rule(("webhooks:delete",)),
    ("GET", "/v1/backups"): Rule(("backups:read",)),
    ("POST", "/v1/backups"): Rule(("backups:request",)),
    ("POST", "/v1/check"): Rule(("check:run",)),
    ("GET", "/v1/check/{run}"): Rule(("check:run",)),
    ("PUT", "/v1/check/{run}"): Rule(("check:run",)),
    ("DELETE", "/v1/check/{run}"): Rule(("check:run",)),
    ("GET", "/v1/audit"): Rule(("audit:read",)),
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/readyz/queen"): OPEN,
    ("GET", "/metrics"): OPEN,
    ("GET", "/v1/ca"): OPEN,
    ("GET", "/openapi.json"): OPEN,
    ("GET", "/"): OPEN,
    ("GET", "/docs"): OPEN,
    ("GET", "/assets/{name}"): OPEN,
}
"""What each method and path asks for."""


class NoRule(LookupError):
    """A route without a row in the table: a mistake of ours, found when the gateway is made."""


def rule_of(method: str, path: str) -> Rule:
    """The row of a route. Raises :class:`NoRule`: what nobody decided on is served to nobody."""
    try:
        return ROUTES[method, path]
    except KeyError:
        raise NoRule(f"{method} {path} has no row in security/permissions.py: who may use it?") from None


def role_for(permission: str) -> Role:
    """The least role for ``resource:verb``. Raises KeyError for one that is not in the table."""
    resource, _, verb = permission.partition(":")
    return PERMISSIONS[resource][verb]


def _order(role: Role) -> int:
    return (VIEWER, OPERATOR, ADMIN, SECURITY).index(role)
