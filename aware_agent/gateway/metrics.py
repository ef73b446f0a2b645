"""Metrics of the gateway, see :mod:`aware_agent.telemetry`."""

from __future__ import annotations

from aware_agent.telemetry import CONTENT_TYPE, Family, Kind, RequestCounter, Sample, counter, gauge, render

__all__ = ["CONTENT_TYPE", "Family", "Kind", "RequestCounter", "Sample", "counter", "gauge", "render"]
