# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options, context file and token."""

from __future__ import annotations

import json

import pytest

from ansible_collections.aware.cluster.plugins.module_utils._context import (
    ContextError,
    connection_from,
    find_context,
    normal_url,
)


@pytest.fixture
def context(tmp_path, monkeypatch):
    """A context below an empty home, and a working directory beside it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AWARE_CONTEXT", raising=False)
    folder = tmp_path / "work" / ".aware"
    folder.mkdir(parents=True)
    (folder / "token").write_text("the-token\n")
    path = folder / "context.json"
    path.write_text(
        json.dumps({"colony": "demo", "endpoints": ["https://127.0.0.1:1"], "ca_file": "ca.crt", "token_file": "token"})
    )
    (tmp_path / "work" / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "work" / "deep")
    return path


def test_found_above_the_working_directory(context):
    assert find_context() == str(context)
    link = connection_from({})
    assert (link.token, link.colony, link.ca_path) == ("the-token", "demo", str(context.parent / "ca.crt"))
    assert "the-token" not in repr(link)


def test_options_win(context):
    link = connection_from({"context": str(context), "endpoints": ["https://192.0.2.1"], "token": "mine", "timeout": 2})
    assert (link.endpoints, link.token, link.timeout) == (("https://192.0.2.1:443",), "mine", 2.0)


def test_endpoints_alone_do_not_borrow_a_token_that_lies_about(context):
    with pytest.raises(ContextError, match="no access token"):
        connection_from({"endpoints": ["https://192.0.2.1"]})


def test_relative_to_the_inventory(context):
    assert (
        connection_from({"context": "../.aware/context.json"}, base_dir=str(context.parent.parent / "deep")).colony
        == "demo"
    )


@pytest.mark.parametrize("text", ["", "a b", "a\r\nX: y", "t\u00e4g"])
def test_tokens_that_cannot_be_headers(context, text):
    (context.parent / "token").write_text(text, encoding="utf-8")
    with pytest.raises(ContextError) as caught:
        connection_from({})
    assert not text.strip() or text not in str(caught.value)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"endpoints": "x"}'])
def test_damaged_context(context, content):
    context.write_text(content)
    with pytest.raises(ContextError, match="context file"):
        connection_from({})


@pytest.mark.parametrize("number", [0, -1, 100000])
def test_impossible_times(context, number):
    with pytest.raises(ContextError, match="deadline"):
        connection_from({"deadline": number})


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("https://Node-1.Example:8443/", "https://node-1.example:8443"),
        ("https://[::1]:8", "https://[::1]:8"),
        ("http://127.0.0.1", "http://127.0.0.1:80"),
    ],
)
def test_one_spelling(text, wanted):
    assert normal_url(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "https://",
        "https://a:99999",
        "https://u:secret@a",
        "https://a/b",
        "https://a?b",
        "file:///etc",
        "https://a b",
        None,
    ],
)
def test_no_base_urls(text):
    with pytest.raises(ContextError) as caught:
        normal_url(text)
    assert "secret" not in str(caught.value)
