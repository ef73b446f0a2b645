"""ansible-playbook killed with SIGKILL wherever it happens to be: the next run completes what it began."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hosts_support import HostsLab
from install_support import Site

from tests.patience import comes_to

pytestmark = pytest.mark.hosts
KILLS = 4


def test_killed_at_random_tasks_a_rerun_heals(lab: HostsLab, tmp_path: Path) -> None:
    site = Site(lab, tmp_path / "site")
    site.write(*lab.hosts)
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")
    # A first run has some 250 tasks. The later a kill, the more the next run finds done.
    points = sorted(chance.sample(range(3, 240), KILLS))
    for number, point in enumerate(points):
        log = tmp_path / f"killed-{number}.log"
        if not site.play_until_killed(point, log):
            break
        begun = re.findall(r"^TASK \[(.*?)\] \*", log.read_text(errors="replace"), re.MULTILINE)
        print(f"killed in task {len(begun)}: {begun[-1]}")
    site.play().succeeded()
    comes_to(site.ready, lab.hosts)
    assert len(site.aware("inventory")["groups"]["aware_queen"]) == 1
    for host in lab.hosts:
        founding = (
            "/var/lib/aware/founding.key /var/lib/aware/founding /var/lib/aware/admin.password /etc/aware/join-token"
        )
        assert lab.sh(host, f"ls -d {founding} 2>/dev/null; true") == ""
    kept = {path.name for path in (tmp_path / "site" / ".aware").iterdir()}
    assert not kept & {"founding.key", "founders", "join-token", "council-token"}
    comes_to(site.seats, lab.hosts)
    site.play().changed_nothing()
