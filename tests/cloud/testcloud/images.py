"""Images of the test cloud: one of nothing for fake servers, those that are found in odd ways, and the guest.

Uses the openstacksdk packaged by Debian, inside the namespaces.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from testcloud.settings import CloudError, Settings

# Images a project can use and that a plain list by name does not show, or shows twice.
HIDDEN, COMMUNITY, TWIN = "tiny-hidden", "tiny-community", "tiny-twin"
GUEST_COMMAND_LINE = (
    "console=ttyS0 quiet loglevel=3 mitigations=off tsc=reliable no_timer_check nokaslr audit=0 selinux=0 apparmor=0 "
    "rcupdate.rcu_expedited=1 systemd.show_status=0 random.trust_cpu=on cryptomgr.notests net.ifnames=1"
)


def furnish(settings: Settings, cloud: Any) -> None:
    """All of them. Idempotent."""
    nothing = settings.directory / "tmp" / "tiny.img"
    nothing.write_bytes(bytes(1 << 20))
    upload(cloud, "tiny", nothing, "raw", "bare")
    odd_images(cloud, nothing)
    if settings.real:
        guest(settings, cloud)


def named(cloud: Any, name: str, **query: str) -> list[dict[str, Any]]:
    """Documents of all images with this name, whichever state they are in."""
    found: list[dict[str, Any]] = cloud.image.get("/images", params={"name": name, **query}).json()["images"]
    return found


def odd_images(cloud: Any, path: Path) -> None:
    """A hidden one, a community one, and two of one name, of which one is deactivated."""
    if not named(cloud, HIDDEN, os_hidden="true"):
        made = upload(cloud, HIDDEN, path, "raw", "bare")
        change(cloud, made.id, "os_hidden", True)
    if not named(cloud, COMMUNITY, visibility="community"):
        made = upload(cloud, COMMUNITY, path, "raw", "bare")
        change(cloud, made.id, "visibility", "community")
    twins = named(cloud, TWIN, visibility="public")  # a project may have one more of this name
    if sorted(image["status"] for image in twins) != ["active", "deactivated"]:
        for image in twins:
            cloud.image.delete_image(image["id"])
        cloud.image.deactivate_image(upload(cloud, TWIN, path, "raw", "bare").id)
        upload(cloud, TWIN, path, "raw", "bare", twin=True)


def change(cloud: Any, image: str, key: str, value: object) -> None:
    """Set one attribute of an image. Raises CloudError when glance refuses."""
    body = [{"op": "replace", "path": f"/{key}", "value": value}]
    headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    answer = cloud.image.patch(f"/images/{image}", json=body, headers=headers)
    if answer.status_code != 200:
        raise CloudError(f"glance does not set {key} of image {image}: {answer.text}")


def upload(cloud: Any, name: str, path: Path, disk: str, container: str, twin: bool = False, **properties: Any) -> Any:
    """Find or create; one that a killed run left half uploaded is replaced. A ``twin`` is made beside what is there."""
    known = None if twin else cloud.image.find_image(name)
    if known and known.status == "active":
        return known
    if known:
        cloud.image.delete_image(known)
    return cloud.create_image(
        name,
        filename=str(path),
        disk_format=disk,
        container_format=container,
        visibility="public",
        wait=True,
        allow_duplicates=twin,
        **properties,
    )


def version(settings: Settings) -> str:
    """Which build of the guest image is there. Raises CloudError when there is none."""
    try:
        return (settings.images / "done").read_text().strip()
    except OSError:
        raise CloudError(f"no guest image in {settings.images}: tests/cloud/build-image") from None


def guest(settings: Settings, cloud: Any) -> None:
    """Kernel, initial ramdisk and root of the guest, named with their build; ``guest`` is the newest."""
    build = version(settings)
    known = cloud.image.find_image("guest")
    if known and known.status == "active" and build in (known.tags or []):
        return
    if known:
        cloud.image.delete_image(known)
    kernel = upload(cloud, f"guest-kernel-{build}", settings.images / "vmlinuz", "aki", "aki")
    ramdisk = upload(cloud, f"guest-initrd-{build}", settings.images / "initrd.img", "ari", "ari")
    made = upload(
        cloud,
        "guest",
        settings.images / "root.qcow2",
        "qcow2",
        "bare",
        kernel_id=kernel.id,
        ramdisk_id=ramdisk.id,
        os_command_line=GUEST_COMMAND_LINE,
        hw_disk_bus="virtio",
        hw_vif_model="virtio",
        hw_rng_model="virtio",
    )
    cloud.image.add_tag(made, build)
