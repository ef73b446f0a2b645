"""openstack_cluster killed at random moments: the next run leaves nothing twice and nothing without an owner."""

from __future__ import annotations

import os
import random
import time

import pytest

pytest.importorskip("openstack")

from provisioning import MARKS, project

pytestmark = MARKS
KILLS = int(os.environ.get("AWARE_KILLS", "24"))
SEED = int(os.environ.get("AWARE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


def test_killed_at_random_moments() -> None:
    """Grow, shrink, remove and replace, killed; then run to the end and count. Some are killed twice in a row."""
    chance = random.Random(SEED)
    killed = 0
    with project() as here:
        size = 0
        while killed < KILLS:
            absent = size > 0 and chance.random() < 0.25
            size = 0 if absent else chance.choice([n for n in (1, 2, 3, 4) if n != size])
            options = (
                here.options(state="absent") if absent else here.options(size, castes={"web": {"count": min(size, 2)}})
            )
            for _ in range(chance.choice((1, 1, 2))):
                process = here.start(options)
                delay = chance.uniform(0.5, 6.0)
                time.sleep(delay)
                killed += process.poll() is None
                process.kill()
                process.wait()
                process.communicate()
            where = f"seed {SEED}, kill {killed} after {delay:.2f} s on the way to {size}"
            if absent:
                result = here.run(state="absent")
                assert not result.get("failed"), (where, result["msg"])
                here.empty()
                continue
            result = here.run(size, castes={"web": {"count": min(size, 2)}})
            assert not result.get("failed"), (where, result["msg"])
            print(where, "->", len(result["done"]), "steps, ", result["progress"][-1:], flush=True)
            here.check(size)
            assert not here.good(size, castes={"web": {"count": min(size, 2)}})["changed"], where
        here.good(state="absent")
        here.empty()
