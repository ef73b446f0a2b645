"""``python -m aware_agent.agent.renew``: a short process that renews a node's certificate and ends.

It is a process of its own so that the agent never loads ``cryptography``. What it shall do comes as one JSON document
on its standard input; the state directory holds the outcome, every file of it written whole. Files are replaced in an
order in which any prefix is a state that works: CAs to believe, then the certificate, then the secrets.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urljoin

import msgspec

from aware_agent.agent.council import council_urls
from aware_agent.agent.https import Unreachable, Untrusted, exchange, trusting_context
from aware_agent.agent.join import check_council, membership_of
from aware_agent.agent.renewal_task import Outcome, RenewalFailed, Task
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.colony.addresses import AddressRefused
from aware_agent.colony.council_document import MAX_MEMBERS
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import AwareError
from aware_agent.colony.names import council_host
from aware_agent.security import pki
from aware_agent.security.joining import (
    MAX_ANSWER_BYTES,
    JoinAnswer,
    Secrets,
    open_secrets,
    parse_join_answer,
    parse_problem,
)
from aware_agent.security.refusals import NotAMember, RenewalRefused
from aware_agent.security.renewing import RENEW_PATH, RenewRequest, sign_request
from aware_agent.security.sealing import Opener

REQUEST_TIMEOUT_S = 5.0
MAX_REDIRECTS = 3


def renew(task: Task) -> None:
    """Renew once. Raises AwareError; the state directory is as it was or as it shall be."""
    directory = StateDir(Path(task.state_dir))
    state = directory.load()
    if state is None:
        raise RenewalFailed(f"{task.state_dir} is no member's state", hint="join first")
    problems: list[str] = []
    for url in _council(task.urls, state):
        try:
            answer, given = _ask(url, state, task.address)
        except (Unreachable, Untrusted) as error:
            problems.append(f"{url}: {error}")
            continue
        _keep(directory, state, answer, given)
        return
    raise RenewalFailed("; ".join(problems) or "no gateway is known", hint="is there a queen?")


def _council(urls: Sequence[str], state: NodeState) -> Iterator[str]:
    """Members of the council as the nodes at ``urls`` name them, asked only as far as needed; each once."""
    anonymous, seen = trusting_context(state.ca, named=False), set[str]()
    for url in urls:
        for member in council_urls(url, anonymous, REQUEST_TIMEOUT_S):
            if member not in seen and len(seen) < MAX_MEMBERS:
                seen.add(member)
                yield member


def _request(state: NodeState, address: str, opener: Opener) -> bytes:
    """A request of its own for each way: an answer may have been lost, and none is answered twice."""
    identity, key = state.identity, state.key
    request = RenewRequest(
        colony=state.membership.colony,
        node_id=identity.id,
        address=address,
        csr=pki.make_csr(key, identity.id, identity.name).decode(),
        sent_at=time.time(),
        nonce=secrets.token_hex(16),
        box_key=opener.public,
    )
    return msgspec.json.encode(sign_request(request, key))


def _ask(url: str, state: NodeState, address: str) -> tuple[JoinAnswer, Secrets]:
    """Ask one gateway, following redirects to the queen. Raises Unreachable, Untrusted, RenewalRefused."""
    context, opener = trusting_context(state.ca), Opener()
    body = _request(state, address, opener)
    target = urljoin(url, RENEW_PATH)
    for _ in range(MAX_REDIRECTS + 1):
        reply = exchange(
            "POST",
            target,
            context=context,
            server_name=council_host(state.membership.colony),
            timeout_s=REQUEST_TIMEOUT_S,
            limit=MAX_ANSWER_BYTES,
            body=body,
            source=address,
        )
        if reply.status in (307, 308):
            target = urljoin(target, reply.headers.get("location", ""))
            continue
        if reply.status == 200:
            return _checked(reply.body, state, opener)
        problem = parse_problem(reply.body)
        detail = problem.detail or f"HTTP {reply.status}"
        for kind in (NotAMember, RenewalRefused, AddressRefused):
            if problem.code == kind.code:
                raise kind(detail, hint=problem.hint)
        raise Unreachable(detail)
    raise Unreachable("redirects in a circle")


def _checked(raw: bytes, state: NodeState, opener: Opener) -> tuple[JoinAnswer, Secrets]:
    """The answer, if its certificate is ours, one of the CAs it comes with signed it, and its secrets are for us."""
    answer = parse_join_answer(raw)
    certificate = answer.certificate.encode()
    try:
        pki.check_certificate(
            certificate, key=state.key, ca=pki.first_of(answer.ca.encode()), common_name=state.identity.id
        )
    except ValueError as error:
        raise Unreachable(f"a certificate that does not fit: {error}") from error
    colony, node_id = state.membership.colony, state.identity.id
    given = open_secrets(answer.sealed, opener, purpose="renew", colony=colony, node_id=node_id)
    check_council(given, state.key, node_id)
    return answer, given


def _keep(directory: StateDir, state: NodeState, answer: JoinAnswer, given: Secrets) -> None:
    membership = msgspec.structs.replace(
        membership_of(state.membership.colony, answer, given), joined_at=state.membership.joined_at
    )
    certificate, ca = answer.certificate.encode(), answer.ca.encode()
    directory.save(membership, certificate=certificate, ca=ca, council=given.council)


def main() -> int:
    """Read the task, do it, print the outcome."""
    try:
        renew(from_json(sys.stdin.buffer.read(), Task))
    except AwareError as error:
        outcome = Outcome(code=error.code, message=error.message, hint=error.hint)
    except UNDECODABLE as error:
        outcome = Outcome(code="invalid-input", message=f"the task is damaged: {error}")
    else:
        outcome = Outcome()
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
