"""What can go wrong while looking for a colony."""

from __future__ import annotations

from aware_agent.colony.errors import AwareError


class NoColonyFound(AwareError):
    """Every layer was asked and nobody answered; nothing was changed."""

    code = "no-colony-found"
    exit_code = 14
    status = 503


class ClockSkew(AwareError):
    """This machine's clock differs from the colony's by more than the window allows.

    ``seconds`` is ours minus theirs: negative when ours is behind.
    """

    code = "clock-skew"
    exit_code = 16
    status = 503

    def __init__(self, seconds: float, window_s: float) -> None:
        side = "ahead of" if seconds > 0 else "behind"
        super().__init__(
            f"this machine's clock is {abs(seconds):.0f} s {side} the colony's; {window_s:.0f} s are allowed",
            hint="synchronise the clock, for instance with chrony, and start again",
        )
        self.seconds = seconds


class PortInUse(AwareError):
    """Another program holds the beacon port without sharing it."""

    code = "port-in-use"
    exit_code = 17
    status = 500

    def __init__(self, address: str, port: int) -> None:
        super().__init__(
            f"UDP port {port} on {address} is in use by another program",
            hint="stop it, or set another discovery.port on every node of the colony",
        )
        self.port = port
