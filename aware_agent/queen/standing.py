"""Whether who gives a command still may, judged by the queen and held to until the command is committed.

A gateway judges by its copy of the colony; a command then waits for the socket and for the write lock. So the queen
looks once more, and her transaction compares the record she looked at: a role that is taken away, or an account that is
deleted, binds every write that comes after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from aware_agent.queen.standing_guard import guarded
from aware_agent.queen.writer import FencedWriter
from aware_agent.security.grant import Grant
from aware_agent.security.jwt import Unauthenticated
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Forbidden, allows
from aware_agent.security.service_account import ACCOUNTS, ServiceAccount, account_of, unknown
from aware_agent.store import ops


class Standing:
    """Judges by what the queen's own copy says."""

    def __init__(self, writer: FencedWriter) -> None:
        self._writer = writer

    @contextmanager
    def required(self, actor: str, grant: Grant | None) -> Iterator[None]:
        """What is done inside is done while ``actor`` has ``grant``. Raises Unauthenticated, Forbidden.

        Without a grant what is asked proves itself, and is judged by that.
        """
        with guarded(self._guards(actor, grant) if grant else []):
            yield

    def _guards(self, actor: str, grant: Grant) -> list[ops.Compare]:
        if not grant.program:
            return [self._person(actor, grant.account, grant)]
        account = self._writer.reader.one(f"{ACCOUNTS}/{account_of(actor)}", ServiceAccount)
        token = account.token(grant.token) if account and account.id == grant.account else None
        if account is None or token is None or time.time() >= token.expires_at:
            raise unknown()
        if not allows(account.role, grant.role):
            raise Forbidden(f"service account {account.name} has role {account.role} now, no more {grant.role}")
        guard = self._writer.guard(self._writer.key(ACCOUNTS, account.name))
        return [guard, self._person(account.owner, account.owner_id, grant)]

    def _person(self, name: str, account: str, grant: Grant) -> ops.Compare:
        user = self._writer.reader.one(f"users/{name}", UserRecord)
        if user is None or user.id != account:
            raise Unauthenticated("the user of this token is gone", hint="log in as somebody else")
        if not allows(user.role, grant.role):
            raise Forbidden(
                f"the role of {name} is {user.role} now, no more {grant.role}",
                hint="log in again, and repeat what you may do",
            )
        return self._writer.guard(self._writer.key("users", name))
