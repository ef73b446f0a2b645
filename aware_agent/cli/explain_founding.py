"""``aware explain --founder``: what a node that founds a colony sees and waits for, read on its own host."""

from __future__ import annotations

import time
from pathlib import Path

from aware_agent.agent.member.founding_told import FILE, FoundingTold
from aware_agent.cli.errors import FileTrouble
from aware_agent.cli.human import moment
from aware_agent.cli.output import print_json, print_table, say
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import NotFound
from aware_agent.colony.transcript import in_name_of

MOST_BYTES = 1 << 20


def explain_founder(state_dir: Path, to_file: Path | None, *, as_json: bool) -> None:
    """Tell of the founder whose state directory that is. Raises NotFound, FileTrouble."""
    found = _read(state_dir / FILE)
    runs = Path(f"/proc/{found.process}").exists()
    if to_file is not None:
        from aware_agent.cli.files import write_new

        head = f"# Founder {found.name} as aware explain told it at {moment(found.at)}.\n"
        write_new(to_file, (head + in_name_of(found.name, found.transcript)).encode())
    if as_json:
        print_json({"runs": runs, "founding": found})
        return
    for sentence in sentences(found, runs=runs, now=time.time()):
        say(sentence)
    if found.decisions:
        say("")
        rows = [(f"{time.time() - found.at + one.age_s:.1f} s", one.happened, one.decided) for one in found.decisions]
        print_table(("AGO", "WHAT HAPPENED", "WHAT IT DECIDED"), rows)
    if to_file is not None:
        say("")
        say(f"written to {to_file}; to replay it: python -m aware_agent.simulator --replay {to_file}")


def sentences(found: FoundingTold, *, runs: bool, now: float) -> list[str]:
    """Where it stands, whom it sees, what it is bound to."""
    said = [f"{found.name} founds a colony with a council of {found.size}: {found.waits or found.phase}."]
    if found.confirmed:
        said.append(f"It has confirmed for good, on its disk: {', '.join(found.confirmed)}.")
    else:
        said.append("It is bound to nobody yet.")
    said += [
        f"It heard {one.name} {max(0.0, now - one.heard_at):.1f} s ago"
        + ("" if one.counts else ", which is too long for it to count")
        + f"; {one.name} {one.stands}"
        + (f" with {', '.join(one.founders)}." if one.founders else ", with nobody yet.")
        for one in found.seen
    ] or ["It has heard no other founder: do they have the same founding key, and do broadcasts or seeds reach them?"]
    if not runs:
        said.append(f"Its agent (process {found.process}) does not run any more; all of this is as it was then.")
    return said


def _read(path: Path) -> FoundingTold:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            f"no node founds a colony with the state directory {path.parent}",
            hint="it is state_dir of the agent's settings; when the colony is there: aware explain",
        ) from None
    try:
        return from_json(raw, FoundingTold)
    except (*UNDECODABLE, ValueError) as error:
        raise FileTrouble(f"{path} is not of this version of AWARE: {str(error)[:200]}") from error
