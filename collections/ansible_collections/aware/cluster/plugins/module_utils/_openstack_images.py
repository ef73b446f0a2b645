# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which image a name, an id or properties mean. Only an active one counts.

By id every image is found that the project may use, also one that no list shows. By name the list a project sees counts,
then hidden images, which have the same owners. Anybody can call a community image what he likes, so such a name is not
trusted: its id is told, for the user to decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Iterable, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, Refused, at
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Size

_GIB = 1 << 30
_ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
ACTIVE = "active"


@dataclass(frozen=True)
class Image:
    """An image and what it needs."""

    id: str
    name: str
    need: Size = Size()


class Images:
    """The images of a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def find(self, wanted: str | None, properties: Mapping | None) -> Image:
        """The image with this id or name, or else the newest that has all ``properties``. Raises CloudError."""
        return read_image(self._wanted(wanted) if wanted else self._newest(properties))

    def _list(self, **query: str) -> list:
        return self.cloud.pages("image", "/images", "images", dict(query, limit="200"))

    def _wanted(self, wanted: str) -> Mapping:
        image = self._by_id(wanted)
        if image:
            return only_active(wanted, [image])
        seen = self._named(wanted) or self._named(wanted, os_hidden="true")
        if not seen:
            raise CloudError(self._absent(wanted))
        return only_active(wanted, seen)

    def _named(self, wanted: str, **query: str) -> list:
        return [one for one in self._list(name=wanted, **query) if one.get("name") == wanted and self._is_offered(one)]

    def _is_own(self, image: Mapping) -> bool:
        """Whether the project owns it, or all do."""
        return image.get("owner") == self.cloud.project or image.get("visibility") == "public"

    def _is_offered(self, image: Mapping) -> bool:
        """Whether it is the project's own or was accepted by it: an administrator is shown those of all projects."""
        if self._is_own(image):
            return True
        if image.get("visibility") != "shared":
            return False
        try:
            member = self.cloud.get("image", at("images", image["id"], "members", self.cloud.project))
        except Refused:
            return False
        return member.get("status") == "accepted"

    def _by_id(self, wanted: str) -> Mapping | None:
        if not _ID.match(wanted):
            return None
        try:
            return self.cloud.get("image", at("images", wanted))
        except Refused as exc:
            if exc.status not in (403, 404):
                raise
            return None

    def _absent(self, wanted: str) -> str:
        shared = [one for one in self._list(name=wanted, visibility="community") if one.get("name") == wanted]
        if shared:
            return (
                "image %r is a community image, and anybody may give one this name: if you trust who made it, give its id (%s)"
                % (wanted, ", ".join(sorted(one["id"] for one in shared)))
            )
        names = sorted({str(one.get("name")) for one in self._list() if one["status"] == ACTIVE and self._is_own(one)})
        close = get_close_matches(wanted, names, 3, 0.4) or names[:8]
        return "there is no image %r in this project; there is %s" % (wanted, ", ".join(close) or "none at all")

    def _newest(self, properties: Mapping | None) -> Mapping:
        query = dict((str(key), str(value)) for key, value in (properties or {}).items())
        found = self._list(**dict(query, status=ACTIVE))
        # Clouds that do not filter by a property of their own ignore it.
        found = [image for image in found if all(str(image.get(key)) == value for key, value in query.items())]
        for image in sorted(found, key=_age, reverse=True):
            if image["status"] == ACTIVE and self._is_offered(image):
                return image
        raise CloudError(
            "there is no active image with %s" % ", ".join("%s=%s" % pair for pair in sorted(query.items()))
        )


def only_active(wanted: str, images: Iterable) -> Mapping:
    """The one of these that is active. Raises CloudError when none is, or several are."""
    images = list(images)
    active = [image for image in images if image["status"] == ACTIVE]
    if len(active) == 1:
        return active[0]
    if active:
        raise CloudError(
            "image %r is not unique, %d active ones have this name: give the id of one: %s"
            % (wanted, len(active), ", ".join(map(_dated, sorted(active, key=_age, reverse=True))))
        )
    raise CloudError(
        "image %r is not active (%s): choose another, or have it made active again"
        % (wanted, ", ".join("%s is %s" % (image["id"], image["status"]) for image in images))
    )


def _age(image: Mapping) -> tuple:
    return (str(image.get("created_at") or ""), image["id"])


def _dated(image: Mapping) -> str:
    return "%s of %s" % (image["id"], str(image.get("created_at") or "an unknown day")[:10])


def read_image(raw: Mapping) -> Image:
    """Image from Glance's document. It needs a disk that holds it, also unpacked, whatever ``min_disk`` says."""
    disk = max(_number(raw, "min_disk"), *(-(-_number(raw, key) // _GIB) for key in ("size", "virtual_size")))
    return Image(raw["id"], raw.get("name") or raw["id"], Size(0, _number(raw, "min_ram"), disk))


def _number(raw: Mapping, key: str) -> int:
    value: Any = raw.get(key)
    return value if isinstance(value, int) else 0
