"""``/v1/inventory``: the colony as Ansible sees it."""

from __future__ import annotations

from fastapi import APIRouter, Response

from aware_agent.gateway.documents import InventoryDocument
from aware_agent.gateway.routing import Here, Hot, endpoint

router = APIRouter(tags=["inventory"])


@endpoint(router, "GET", "/v1/inventory", answer=InventoryDocument)
async def read_inventory(gateway: Here) -> Response:
    """Hosts with their variables, and groups by caste, role, status, zone and label; always complete."""
    return Hot(gateway, "/v1/inventory")
