"""Where things live in etcd. All keys of a colony hang below ``/aware/<colony>/``.

==================  ==========================================  ============================
key                 value                                       written by
==================  ==========================================  ============================
``audit/<seq>``     :class:`colony.audit.AuditLine`     queen
``audit-head``      :class:`colony.audit.Head`, the         queen
                    newest of them
``audit-sent``      :class:`colony.syslog.Sent`, how far    queen
                    the receiver of syslog has it
``backups``         :class:`colony.backup.BackupLog`    queen
``breakers``        list of :class:`colony.breaker.OpenBreaker`,   queen
                    of webhooks
``ca``              node CA: certificate, sealed private key    founder; queen in a rotation
``ca-other``        the same of another generation, while       queen
                    it is believed as well
``castes``          ``{caste: [node id]}``                      queen
``check``           :class:`colony.check.CheckRecord`, while    queen
                    a check of the election runs
``colony``          name, founding time, CA pin                 founder, once
``council``         :class:`colony.seats.CouncilRecord`         queen
``council-ca``      council CA, as ``ca``; in a rotation there  founder; queen in a rotation
                    is ``council-ca-other`` as well
``council-move``    :class:`colony.seats.SeatMove`              queen
``config/<id>``     :class:`colony.node.Config`                 queen
``demand/<caste>``  :class:`colony.scaling.Posted`          queen
``denied/<pin>``    key of a node that was removed              queen
``elastic``         :class:`colony.elastic.ElasticRecord`:  queen
                    castes that scale, as she chose
``elastic-memory``  ``{caste:                               queen
                    :class:`colony.scaling.Memory`}``
``events/<ulid>``   :class:`colony.event.Event`                 queen (or the winner's campaign)
``hook-nonces/<n>`` uses of a signed URL, on a lease            queen
``idempotency/``    ``<user>/<hash>``:                          queen
                    :class:`queen.once.KeptRecord`, what a
                    request with an Idempotency-Key did
``job-logs/...``    ``<ulid>/<n>``:                             queen
                    :class:`colony.job_log.LogPart`
``jobs/<ulid>``     :class:`colony.jobs.Job`                    queen
``identity-          :class:`security.providers.        queen
providers/<name>``  ProviderRecord`
``nodes/<id>``      :class:`colony.node.Record`                 queen
``operations``      :class:`colony.operation.                   queen
                    OperationsRecord`
``pki``             :class:`colony.rotation.Trust`, public       queen
``presence/<id>``   :class:`colony.node.Report`, on a lease     the node
``queen``           :class:`colony.election.QueenRecord`, on a lease  the winner of a campaign
``queen-handover``  :class:`colony.election.Handover`           the queen that resigns
``servers``         :class:`queen.servers.keeper.       queen
                    ServersRecord`
``secrets/<name>``  :class:`security.colony_secret.     queen
                    SecretRecord`, sealed
``secret-other``    another generation's secret, sealed         queen
``seats/<id>``      :class:`colony.seats.SeatRecord`            queen
``service-          :class:`security.service_account.   queen
accounts/<name>``   ServiceAccount`, verifiers only
``service-account-  :class:`security.service_account.   queen
uses/<name>``       TokenUses`
``sessions/<id>``   :class:`colony.session.Session`             queen
``spec``            :class:`colony.spec.Spec`                   queen
``suspect/<t>/<m>`` member m suspects the queen of term t:      the member
                    why, on the lease of its presence
``syslog-breaker``  :class:`colony.breaker.OpenBreaker`, while  queen
                    the audit log cannot be sent
``tokens/<id>``     join token, verifiers only                  queen
``users/<name>``    password hash, role                         queen
``webhooks/<ulid>`` :class:`colony.webhook.WebhookRecord`,        queen
                    its secrets sealed
``webhook-states/`` ``<webhook>``: how far it is,                 queen
                    :class:`colony.webhook.WebhookState`
``webhook-dead/``   ``<webhook>/<event>``:                        queen
                    :class:`colony.webhook.DeadLetter`
``revoked/<jti>``   revoked token or signed URL, on a lease     queen
``versions/...``    ``spec/<n>``, ``config/<id>/<n>``:          queen; founder
                    :class:`colony.version.Version`
==================  ==========================================  ============================

A council member watches one range, :meth:`Keys.member_range`: ``nodes/`` to ``queen-handover`` are neighbours on
purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

from aware_agent.colony.errors import InvalidInput

Range = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names of one colony."""

    colony: str

    @property
    def root(self) -> bytes:
        """The prefix of everything, with its closing slash."""
        return f"/aware/{self.colony}/".encode()

    def key(self, *parts: str) -> bytes:
        """``key("nodes", id)`` is ``/aware/<colony>/nodes/<id>``. Raises InvalidInput for a part with a slash."""
        if any("/" in part for part in parts[1:]):
            raise InvalidInput(f"{parts[-1][:80]!r} cannot be the name of anything in {parts[0]}")
        return self.root + "/".join(parts).encode()

    def relative(self, key: bytes) -> str:
        """The part of ``key`` below the colony's prefix."""
        return key.removeprefix(self.root).decode()

    @property
    def queen(self) -> bytes:
        """The one key whose create revision is the term."""
        return self.key("queen")

    @property
    def handover(self) -> bytes:
        """Where a resigning queen names its successor."""
        return self.key("queen-handover")

    def suspicions(self, term: int) -> bytes:
        """What all keys start with by which members suspect the queen of ``term``."""
        return self.key("suspect", str(term)) + b"/"

    def everything(self) -> Range:
        """Range of all keys of the colony."""
        return self.root, prefix_end(self.root)

    def below(self, kind: str) -> Range:
        """Range of all keys of one kind."""
        start = self.key(f"{kind}/")
        return start, prefix_end(start)

    def member_range(self) -> Range:
        """Range a council member needs all the time: node records, presence, the queen key and the handover key."""
        return self.key("nodes/"), prefix_end(self.key("queen"))


def prefix_end(prefix: bytes) -> bytes:
    """The first key after all keys that start with ``prefix`` (etcd's range end)."""
    for index in range(len(prefix) - 1, -1, -1):
        if prefix[index] < 0xFF:
            return prefix[:index] + bytes([prefix[index] + 1])
    return b"\0"
