"""A slow or lossy line to one host, where the kernel has no netem: slowline.py PORT BRIDGE --delay=50 --loss=5

Takes the host's port off the bridge, puts a TAP device in its place and carries frames between the two, in both
directions. Runs in the lab's network until SIGTERM, then puts the port back. Needs root and /dev/net/tun.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import heapq
import os
import random
import selectors
import signal
import socket
import struct
import subprocess
import time

TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x2, 0x1000, 0x4000
OFFLOAD_CHECKSUM_TSO4_TSO6 = 0x1 | 0x2 | 0x4
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
ETH_P_ALL = 3
LARGEST_FRAME = 70_000


def ip(*words: str) -> None:
    """Set up a device."""
    subprocess.run(["ip", "link", "set", *words], check=True)


def open_tap(name: str) -> int:
    """A TAP device; frames carry virtio headers, so that checksums may stay with the (virtual) hardware."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    fcntl.ioctl(tap, TUNSETOFFLOAD, OFFLOAD_CHECKSUM_TSO4_TSO6)
    return tap


def open_port(name: str) -> socket.socket:
    """Every frame that the host sends; the same headers."""
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    port.bind((name, 0))
    port.setblocking(False)
    return port


class Line:
    """Frames under way, each with the time of its arrival."""

    def __init__(self, faults: argparse.Namespace, tap: int, port: socket.socket) -> None:
        self.faults, self.tap, self.port = faults, tap, port
        self.under_way: list[tuple[float, int, bool, bytes]] = []
        self.counter = 0

    def take(self, outward: bool) -> None:
        """What waits at one end, a batch at a time so that neither end starves."""
        for _ in range(64):
            try:
                frame = self.port.recv(LARGEST_FRAME) if outward else os.read(self.tap, LARGEST_FRAME)
            except OSError:
                return  # nothing more, or the cable is pulled
            if random.uniform(0, 100) < self.faults.loss:
                continue
            for _ in range(2 if random.uniform(0, 100) < self.faults.duplicate else 1):
                self.counter += 1
                late_ms = self.faults.delay + random.uniform(-1, 1) * self.faults.jitter
                arrival = time.monotonic() + max(0.0, late_ms) / 1000
                heapq.heappush(self.under_way, (arrival, self.counter, outward, frame))

    def deliver(self) -> float:
        """Hand over what has arrived. Seconds until the next one does."""
        while self.under_way and self.under_way[0][0] <= time.monotonic():
            _, _, outward, frame = heapq.heappop(self.under_way)
            # A full queue loses frames, as a cable does.
            with contextlib.suppress(OSError):
                os.write(self.tap, frame) if outward else self.port.send(frame)
        return max(0.0, self.under_way[0][0] - time.monotonic()) if self.under_way else 0.5


def carry(line: Line, ended: list[int]) -> None:
    """Until a signal has come."""
    with selectors.DefaultSelector() as selector:
        selector.register(line.tap, selectors.EVENT_READ, False)
        selector.register(line.port, selectors.EVENT_READ, True)
        while not ended:
            for key, _ in selector.select(line.deliver()):
                line.take(key.data)


def main() -> None:
    """Says "ready" when the line is in place."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("bridge")
    for name in ("delay", "jitter", "loss", "duplicate"):
        parser.add_argument(f"--{name}", type=float, default=0)
    faults = parser.parse_args()
    ended: list[int] = []
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda number, _: ended.append(number))
    stand_in = f"d-{faults.port.removeprefix('v-')}"
    tap = open_tap(stand_in)
    port = open_port(faults.port)
    ip(faults.port, "nomaster")
    ip(faults.port, "promisc", "on")
    ip(stand_in, "master", faults.bridge, "up")
    print("ready", flush=True)
    try:
        carry(Line(faults, tap, port), ended)
    finally:
        ip(faults.port, "promisc", "off")
        ip(faults.port, "master", faults.bridge)


if __name__ == "__main__":
    main()
