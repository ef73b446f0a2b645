"""What Heat's AutoScalingGroup under two alarms of Aodh wants, by its published template and rules. Pure.

Sources: ``hot/autoscaling.yaml`` of openstack/heat-templates (alarm above 80 % of CPU: one more; below 15 %: one fewer;
granularity 300 s, one evaluation period, cooldown 60 s), Heat's resource reference (OS::Heat::ScalingPolicy,
``cooldown``; alarms repeat their actions) and Aodh's default evaluation interval of 60 s.
"""

from __future__ import annotations

LOOK_S = 60.0
GRANULARITY_S = 300.0
HIGH, LOW = 0.8, 0.15
COOLDOWN_S = 60.0


class Group:
    """One group with its two policies. :meth:`sample` it often, :meth:`look` when Aodh does."""

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most
        self._sums: dict[int, tuple[float, int]] = {}
        self._changed_at = float("-inf")

    def sample(self, use: float, now: float) -> None:
        """Mean use of the group's servers at this moment."""
        period = int(now // GRANULARITY_S)
        total, count = self._sums.get(period, (0.0, 0))
        self._sums[period] = total + use, count + 1
        self._sums.pop(period - 2, None)

    def look(self, current: int, now: float) -> int:
        """How many servers there shall be from now on, by the last whole period."""
        total, count = self._sums.get(int(now // GRANULARITY_S) - 1, (0.0, 0))
        if not count or now - self._changed_at < COOLDOWN_S:
            return current
        mean = total / count
        wanted = current + (mean > HIGH) - (mean < LOW)
        wanted = min(max(wanted, self._least), self._most)
        if wanted != current:
            self._changed_at = now
        return wanted
