"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# A slow machine is not a failing property.
settings.register_profile("aware", deadline=None)
settings.load_profile("aware")
