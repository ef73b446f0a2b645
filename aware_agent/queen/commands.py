"""Everything the gateway can change, in one object for one reign."""

from __future__ import annotations

from collections.abc import Callable

from aware_agent.colony.election import Resign
from aware_agent.queen.access import AccessCommands
from aware_agent.queen.admission import Admission
from aware_agent.queen.backup.commands import BackupCommands
from aware_agent.queen.certificates import Certificates
from aware_agent.queen.etcd_users import EtcdUsers
from aware_agent.queen.hooks import HookCommands
from aware_agent.queen.ledger import Ledger
from aware_agent.queen.nodes import NodeCommands
from aware_agent.queen.rotation import Rotation
from aware_agent.queen.runner import require_runner
from aware_agent.queen.wishes import WishCommands
from aware_agent.security.sealed import Sealer
from aware_agent.store.client import EtcdClient


class Commands:
    """The queen's verbs, each one fenced transaction. Errors are AwareError subclasses, Deposed among them."""

    def __init__(
        self,
        ledger: Ledger,
        client: EtcdClient,
        *,
        me: str,
        certificates: Certificates,
        sealer: Sealer,
        users: EtcdUsers,
        rotation: Rotation,
        tell: Callable[[Resign], None],
        nudge_hooks: Callable[[], None],
        nudge_backups: Callable[[], None],
    ) -> None:
        nodes = NodeCommands(ledger, me, users)
        wishes = WishCommands(ledger, me, tell)
        access = AccessCommands(ledger, client, sealer)
        hooks = HookCommands(ledger, client, require_runner, nudge_hooks)
        self.change_node = nodes.change_node
        self.put_config = nodes.put_config
        self.remove_node = nodes.remove_node
        self.plan_spec = wishes.plan_spec
        self.put_spec = wishes.put_spec
        self.step_down = wishes.step_down
        self.transfer = wishes.transfer
        self.create_token = access.create_token
        self.revoke_token = access.revoke_token
        self.list_tokens = access.list_tokens
        self.put_user = access.put_user
        self.delete_user = access.delete_user
        self.revoke_access = access.revoke_access
        self.accept_hook = hooks.accept_hook
        self.tell_signed = hooks.tell_signed
        self.list_hooks = hooks.list_hooks
        self.hook = hooks.hook
        backups = BackupCommands(ledger, nudge_backups)
        self.backups = backups.backups
        self.request_backup = backups.request_backup
        self.join = Admission(ledger, certificates, users).join
        self.renew = certificates.renew
        self.start_rotation = rotation.start
        self.continue_rotation = rotation.go_on
        self.abort_rotation = rotation.abort
        self.rotation_report = rotation.report
