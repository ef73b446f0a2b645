"""Scopes: their one syntax, what they cover, and that none of them gives anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.errors import InvalidInput
from aware_agent.security.grant import Grant
from aware_agent.security.judging import may, permit
from aware_agent.security.permissions import PEOPLE_ONLY, PERMISSIONS, role_for
from aware_agent.security.roles import HUMAN_ROLES, Forbidden, Role, allows
from aware_agent.security.scopes import MAX_SCOPES, Target, check_scopes, covers, parse_scope, within

ALL = [f"{resource}:{verb}" for resource, verbs in PERMISSIONS.items() for verb in verbs]
WEB, STORE = Target("web", {"disk": "ssd"}), Target("store", {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nodes",
        "nodes:",
        ":read",
        "nodes:read ",
        " nodes:read",
        "Nodes:read",
        "nodes:READ",
        "nodes:fly",
        "moons:read",
        "*:fly",
        "nodes:read:write",
        "nodes:read,cordon",
        "nodes:read\n",
        "nodes:reаd",  # a Cyrillic letter  # noqa: RUF001
        "nodes:read\u200b",
        "ｎodes:read",  # noqa: RUF001
        "nodes:cordon@",
        "nodes:cordon@caste",
        "nodes:cordon@caste=",
        "nodes:cordon@caste=Web",
        "nodes:cordon@caste=*",
        "nodes:cordon@zone=a",
        "nodes:cordon@label:=x",
        "nodes:cordon@label:a b=x",
        "nodes:cordon@caste=web,",
        "nodes:cordon@caste=web@caste=store",
        "spec:change@caste=web",
        "*:cordon@caste=web",
        "nodes:cordon@label:a=" + "x" * 600,
    ],
)
def test_what_is_no_scope_is_refused_with_one_clear_sentence(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_scopes(["nodes:read", text])
    assert caught.value.field == "scopes"
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_too_many_are_refused_and_twice_the_same_is_once() -> None:
    assert check_scopes(["nodes:read", "*:read", "nodes:read"]) == ("nodes:read", "*:read")
    with pytest.raises(InvalidInput, match="too many"):
        check_scopes(["nodes:read"] * (MAX_SCOPES + 1))


@pytest.mark.parametrize(
    ("scope", "permission", "target", "covered"),
    [
        ("nodes:cordon", "nodes:cordon", None, True),
        ("nodes:cordon", "nodes:cordon", WEB, True),
        ("nodes:cordon", "nodes:label", WEB, False),
        ("nodes:*", "nodes:remove", None, True),
        ("*:read", "inventory:read", None, True),
        ("*:read", "sessions:read-all", None, False),
        ("*:*", "spec:govern", None, True),
        ("nodes:cordon@caste=web", "nodes:cordon", WEB, True),
        ("nodes:cordon@caste=web", "nodes:cordon", STORE, False),
        ("nodes:cordon@caste=web", "nodes:cordon", None, False),
        ("nodes:*@label:disk=ssd", "nodes:label", WEB, True),
        ("nodes:*@label:disk=ssd", "nodes:label", STORE, False),
        ("nodes:*@caste=web,label:disk=hdd", "nodes:label", WEB, False),
        ("hooks:order@caste=web", "hooks:order", Target("web"), True),
    ],
)
def test_what_a_scope_covers(scope: str, permission: str, target: Target | None, *, covered: bool) -> None:
    assert covers([scope], permission, target) is covered


@pytest.mark.parametrize(
    ("narrow", "wide", "inside"),
    [
        (["nodes:cordon"], ["nodes:*"], True),
        (["nodes:cordon@caste=web"], ["nodes:cordon"], True),
        (["nodes:cordon"], ["nodes:cordon@caste=web"], False),
        (["nodes:cordon@caste=web,label:a=b"], ["nodes:cordon@caste=web"], True),
        (["nodes:cordon@caste=store"], ["nodes:cordon@caste=web"], False),
        (["*:read"], ["nodes:read"], False),
        (["nodes:*"], ["nodes:read", "nodes:cordon"], False),
        (["nodes:read", "spec:change"], ["nodes:*"], False),
        ([], ["nodes:*"], True),
    ],
)
def test_what_is_inside_of_what(narrow: list[str], wide: list[str], *, inside: bool) -> None:
    assert within(narrow, wide) is inside


SELECTORS = st.sampled_from(["", "@caste=web", "@caste=store", "@label:disk=ssd", "@caste=web,label:disk=ssd"])
SCOPES = st.one_of(
    st.sampled_from(ALL),
    st.builds("nodes:{}{}".format, st.sampled_from([*PERMISSIONS["nodes"], "*"]), SELECTORS),
    st.sampled_from(["*:*", "*:read", "nodes:*", "users:*"]),
)


@given(
    scopes=st.lists(SCOPES, min_size=1, max_size=4),
    outer=st.lists(SCOPES, min_size=1, max_size=4),
    permission=st.sampled_from(ALL),
    target=st.sampled_from([None, WEB, STORE]),
    role=st.sampled_from(HUMAN_ROLES),
    token=st.sampled_from(["", "t"]),
)
def test_a_scope_never_gives_what_the_role_or_the_wider_scope_does_not(
    scopes: list[str], outer: list[str], permission: str, target: Target | None, role: Role, token: str
) -> None:
    who = Grant(role=role, account="", scopes=tuple(scopes), token=token)
    if may(who, permission, target):
        assert allows(role, role_for(permission))
        assert not (token and permission in PEOPLE_ONLY)
        permit(who, permission, target)
    else:
        with pytest.raises(Forbidden):
            permit(who, permission, target)
    if within(scopes, outer) and covers(scopes, permission, target):
        assert covers(outer, permission, target)


def test_every_permission_is_a_scope() -> None:
    for permission in ALL:
        assert parse_scope(permission).names(permission)
    assert set(ALL) >= PEOPLE_ONLY
