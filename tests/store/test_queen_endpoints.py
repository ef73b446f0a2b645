"""A council that changes while a queen reigns: she reaches etcd where it is now, not where it was when she began."""

from __future__ import annotations

from pathlib import Path

import pytest

from aware_agent.colony.rotation import Phase, Trust
from aware_agent.queen.etcd_probe import EtcdProbe
from aware_agent.store.access import NodeAccess
from aware_agent.store.errors import StoreError
from tests.hostile.reign_support import guarded

pytestmark = pytest.mark.etcd

NOWHERE = ("127.0.0.1:1",)


async def test_users_are_added_and_a_rotation_is_probed_at_the_members_of_now(tmp_path: Path) -> None:
    async with guarded(tmp_path, "moving") as scene:
        reign, there = scene.reign, scene.reign.etcd
        probe = EtcdProbe(reign.certificates, reign.material.founder_id, lambda: reign.etcd)
        node, token = reign.newcomer("late"), await reign.token(eligible=True)
        reign.etcd = NOWHERE
        with pytest.raises(StoreError):
            await reign.join(node, token)
        away = await probe.problems(Trust(phase=Phase.SWITCHED, generation=1, other=2))
        assert [sentence.partition(" does")[0] for sentence in away] == ["etcd 127.0.0.1:1"]
        reign.etcd = there
        await reign.join(node, token)
        assert node.id in await NodeAccess(reign.client, reign.keys).known()
        assert await probe.problems(Trust(phase=Phase.RETURNING, generation=1, other=2)) == []
