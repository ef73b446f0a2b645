# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests: what is repeated, how often, and what never is. The adapter underneath plays a script."""

from __future__ import annotations

import json

import pytest

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, LockLost, Refused, Unanswered

auth = pytest.importorskip("keystoneauth1.exceptions")


class Answer:
    """As much of a response as is looked at."""

    reason = "Reason"

    def __init__(self, status, document=None, **headers):
        self.status_code = status
        self.content = b"" if document is None else json.dumps(document).encode()
        self.headers = dict((name.replace("_", "-"), value) for name, value in headers.items())

    def json(self):
        return json.loads(self.content)


class Script:
    """A connection whose services answer from a list."""

    def __init__(self, *answers):
        self.answers, self.asked, self.slept, self.time = list(answers), [], [], 0.0
        self.compute = self.network = self.image = self

    def request(self, path, method, **options):
        self.asked.append((method, path, options))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds

    def cloud(self, retry_s=60.0):
        return Cloud(self, retry_s, clock=lambda: self.time, sleep=self.sleep)


@pytest.mark.parametrize("trouble", [Answer(503), Answer(500), Answer(429), auth.ConnectFailure("reset")])
def test_reading_is_repeated_until_it_works(trouble):
    script = Script(trouble, trouble, Answer(200, {"a": 1}))
    assert script.cloud().get("compute", "/x") == {"a": 1}
    assert len(script.asked) == 3 and script.slept[1] > script.slept[0] > 0


@pytest.mark.parametrize(
    "trouble", [Answer(503), Answer(500), Answer(504), auth.ConnectFailure("reset"), auth.ConnectTimeout("slow")]
)
def test_creating_is_not_repeated_when_it_may_have_happened(trouble):
    script = Script(trouble)
    with pytest.raises(Unanswered) as caught:
        script.cloud().request("compute", "POST", "/servers", {})
    assert caught.value.sent and len(script.asked) == 1 and not script.slept


def test_creating_is_repeated_when_it_was_turned_away():
    script = Script(Answer(429, Retry_After="7"), Answer(202, {"server": {}}))
    script.cloud().request("compute", "POST", "/servers", {})
    assert len(script.asked) == 2 and script.slept == [7.0]


def test_retry_after_as_a_date_counts_by_the_clock_of_the_cloud():
    script = Script(
        Answer(503, Retry_After="Mon, 01 Jan 2035 00:00:09 GMT", Date="Mon, 01 Jan 2035 00:00:00 GMT"), Answer(200, {})
    )
    script.cloud().get("compute", "/x")
    assert 8 < script.slept[0] <= 9


def test_an_outage_ends_the_patience():
    script = Script(Answer(503, {"message": "come back later"}))
    with pytest.raises(Unanswered, match="still failing after 60 s: come back later"):
        script.cloud().get("compute", "/servers")
    assert 30 < script.time <= 60


def test_waiting_longer_than_allowed_is_not_begun():
    script = Script(Answer(429, {"overLimit": {"message": "slow down"}}, Retry_After="3600"))
    with pytest.raises(Refused, match="slow down"):
        script.cloud().get("compute", "/servers")
    assert not script.slept


@pytest.mark.parametrize(
    "document, text",
    [
        ({"badRequest": {"message": "Invalid\n flavor", "code": 400}}, "Invalid flavor"),
        ({"NeutronError": {"type": "X", "message": "no IP", "detail": ""}}, "no IP"),
        (None, "Reason"),
        ([], "Reason"),
    ],
)
def test_a_refusal_says_what_the_service_said(document, text):
    with pytest.raises(Refused) as caught:
        Script(Answer(400, document)).cloud().request("compute", "POST", "/servers", {})
    assert str(caught.value) == "POST /servers: 400 %s" % text


def test_a_conflict_is_repeated_only_where_it_passes():
    script = Script(Answer(409), Answer(204))
    script.cloud().request("network", "DELETE", "/security-groups/1", busy=(409,))
    with pytest.raises(Refused):
        Script(Answer(409), Answer(204)).cloud().request("network", "DELETE", "/security-groups/1")


def test_who_lost_the_lock_changes_nothing_more():
    script = Script(Answer(200, {}))
    cloud = script.cloud()

    def lost():
        raise LockLost("taken")

    cloud.guard = lost
    cloud.get("compute", "/x")
    with pytest.raises(LockLost):
        cloud.request("compute", "DELETE", "/servers/1")
    assert len(script.asked) == 1


def test_lists_are_read_to_their_end():
    first = Answer(
        200, {"servers": [1], "servers_links": [{"rel": "next", "href": "http://x/servers?marker=1&tags=aware%3Ademo"}]}
    )
    script = Script(first, Answer(200, {"servers": [2]}))
    assert script.cloud().pages("compute", "/servers", "servers", {"tags": "aware:demo"}) == [1, 2]
    assert script.asked[1][2]["params"] == {"marker": ["1"], "tags": ["aware:demo"]}


def test_a_creation_without_an_answer_is_looked_for_and_then_repeated():
    script = Script(Answer(503), auth.ConnectFailure("reset"), Answer(202, {"id": 3}))
    looks = []
    assert script.cloud().create("network", "/x", {}, lambda: looks.append(1)) == {"id": 3}
    assert len(looks) == 2 and [method for method, unused, more in script.asked] == ["POST"] * 3


def test_what_a_lost_creation_made_is_taken():
    script = Script(auth.ConnectFailure("reset"))
    assert script.cloud().create("network", "/x", {}, lambda: {"id": 1}) == {"id": 1}
    assert len(script.asked) == 1


def test_a_creation_is_not_tried_for_ever():
    script = Script(Answer(503, {"message": "come back later"}))
    with pytest.raises(Unanswered, match="come back later"):
        script.cloud().create("network", "/x", {})
    assert 60 < script.time < 70
