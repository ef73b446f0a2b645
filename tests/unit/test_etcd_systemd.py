"""etcd under systemd, seen from the agent: what it asks for, when, and what it makes of the answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from aware_agent.agent.member import etcd_systemd
from aware_agent.agent.member.etcd_files import SharedFiles
from aware_agent.agent.member.etcd_home import EtcdHome, EtcdPair, EtcdPlan, PortTaken
from aware_agent.agent.member.etcd_systemd import SystemdEtcd
from aware_agent.security.files import StateUnusable
from aware_agent.store.errors import StoreError

PAIR = EtcdPair(ca=b"ca", certificate=b"certificate", key=b"key")
PLAN = EtcdPlan(
    name="n1", client_url="https://127.0.0.1:1", peer_url="https://127.0.0.1:2", peers={}, token="demo", joins=True
)


@pytest.fixture
def home(tmp_path: Path) -> EtcdHome:
    """As the role makes it: the group of its directory is handed on."""
    path = tmp_path / "home"
    path.mkdir()
    path.chmod(0o2750)
    for name in ("aware-etcd", "aware-etcd-control"):
        (tmp_path / "run" / name).mkdir(parents=True)
    return EtcdHome(path, SharedFiles())


class Root:
    """What the units of the role do, in a task: it hears a word and writes what became of it."""

    def __init__(self, home: EtcdHome, *, obeys: bool = True) -> None:
        self.home, self.obeys = home, obeys
        self.run = home.path.parent / "run"
        self.words: list[str] = []
        self.pid = 100

    def says(self, text: str) -> None:
        (self.run / "aware-etcd.state").write_text(text)

    def obey(self, line: str) -> None:
        word, number = line.split()
        assert number.isdigit()
        self.words.append(word)
        if self.obeys:
            self.carry_out(word)
            (self.run / "aware-etcd-control" / "heard").write_text(line)

    def carry_out(self, word: str) -> None:
        if word == "stop":
            self.says("ended success\n")
            return
        state = self.run / "aware-etcd.state"
        if word == "start" and state.exists() and state.read_text().startswith("running"):
            return
        self.pid += 1
        for name in ("ca.crt", "etcd.json"):
            (self.run / "aware-etcd" / name).write_bytes((self.home.path / name).read_bytes())
        self.says(f"running {self.pid}\n")

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async def listen() -> None:
            heard = ""
            while True:
                await asyncio.sleep(0.01)
                with contextlib.suppress(FileNotFoundError):
                    word = (self.home.path / "wanted").read_text()
                    if word != heard:
                        heard = word
                        self.obey(word)

        task = asyncio.create_task(listen())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


async def test_it_is_started_once_and_anew_when_its_configuration_is_another(home: EtcdHome) -> None:
    root = Root(home)
    home.install(PLAN, PAIR)
    etcd = SystemdEtcd(home, run=root.run)
    async with root.listening():
        await etcd.start(anew=False)
        assert (root.words, etcd.problem, etcd.believes) == (["start"], "", b"ca")
        await etcd.close()
        again = SystemdEtcd(home, run=root.run)  # the agent's next life
        await again.start(anew=False)
        assert root.words[-1] == "start", "what runs as it shall is left alone"
        home.install(PLAN, EtcdPair(ca=b"ca2", certificate=b"c", key=b"k"))
        await again.start(anew=False)
        assert (root.words[-1], again.believes) == ("start", b"ca"), "CAs wait for their turn"
        await again.start(anew=True)
        assert (root.words[-1], again.believes) == ("restart", b"ca2")
        home.install(PLAN, PAIR, force_new=True)
        await again.start(anew=False)
        assert root.words[-1] == "restart"
        await again.stop()
    assert (root.words[-1], again.believes) == ("stop", b"")


async def test_one_that_ended_well_is_asked_for_again_and_one_that_failed_is_systemds(
    home: EtcdHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etcd_systemd, "LOOK_S", 0.02)
    root = Root(home)
    home.install(PLAN, PAIR)
    etcd = SystemdEtcd(home, run=root.run)
    async with root.listening():
        await etcd.start(anew=False)
        root.says("ended exit-code\nlisten tcp: bind: address already in use\n")
        assert etcd.problem == "etcd ended: a port of it is taken by another program"
        root.says("ended signal\nkilled\n")
        assert "result signal" in etcd.problem
        count = len(root.words)
        await asyncio.sleep(0.2)
        assert len(root.words) == count, "systemd starts it by itself"
        root.says("ended success\n")
        await eventually(lambda: etcd.state().pid)
        await etcd.close()
    assert root.words[-1] == "start"


async def test_nobody_who_hears_and_no_use_in_starting_are_told(
    home: EtcdHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etcd_systemd, "ANSWER_S", 0.1)
    root = Root(home, obeys=False)
    home.install(PLAN, PAIR)
    deaf = SystemdEtcd(home, run=root.run)
    async with root.listening():
        await deaf.start(anew=False)
        await deaf.close()
        assert root.words == ["start", "start"], "a word may be lost"
        assert deaf.problem == "systemd did not start aware-etcd.service: it did not answer"
        root.says("running 7\n")
        monkeypatch.setattr(etcd_systemd, "STOP_S", 0.1)
        with pytest.raises(StoreError, match="did not stop"):
            await deaf.stop()

    def no() -> None:
        raise PortTaken("port 2380 is taken")

    root.says("ended success\n")
    before = (home.path / "wanted").read_bytes()
    held = SystemdEtcd(home, check=no, run=root.run)
    await held.start(anew=False)
    await held.close()
    assert held.problem == "port 2380 is taken"
    assert (home.path / "wanted").read_bytes() == before


async def test_a_stop_that_went_by_unheard_is_asked_for_again_though_nothing_runs_yet(
    home: EtcdHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit was just being started by the word before, which would let it run on unwatched."""
    monkeypatch.setattr(etcd_systemd, "STOP_S", 1.0)
    root = Root(home)
    home.install(PLAN, PAIR)
    etcd = SystemdEtcd(home, run=root.run)
    async with root.listening():
        await etcd.start(anew=False)
        await etcd.stop()
        await etcd.stop()
        assert root.words == ["start", "stop"], "it rests: there is nothing to ask for"
    (home.path / "wanted").write_text("start 1\n")
    asked = asyncio.create_task(SystemdEtcd(home, run=root.run).stop())
    await eventually(lambda: (home.path / "wanted").read_text().startswith("stop"))
    unheard = (home.path / "wanted").read_text()
    await eventually(lambda: (home.path / "wanted").read_text() != unheard)
    async with root.listening():
        await asked
    assert root.words == ["start", "stop", "stop"]


def test_what_is_not_roots_word_is_no_state(home: EtcdHome) -> None:
    root = Root(home)
    etcd = SystemdEtcd(home, run=root.run)
    for text in ("", "running\n", "running x\n", "running 1 2\n", "\xff\n"):
        root.says(text)
        assert etcd.state().pid == 0


def test_etcds_group_reads_what_the_agent_writes_and_writes_its_data_alone(home: EtcdHome) -> None:
    umask = os.umask(0o077)
    try:
        home.install(PLAN, PAIR)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.path.iterdir()}
        assert modes.pop("data") & 0o777 == 0o770
        assert set(modes.values()) == {0o640}
        (home.data / "member").mkdir()
        home.install(EtcdPlan(**{**{f: getattr(PLAN, f) for f in PLAN.__struct_fields__}, "member": 5}), PAIR)
        (home.data / "member").mkdir()
        assert home.retire()
    finally:
        os.umask(umask)
    assert sorted(path.name for path in home.path.iterdir()) == ["data.old", "trash"]
    assert len(list((home.path / "trash").iterdir())) == 1


def test_a_directory_that_is_not_as_the_role_makes_it_is_named(home: EtcdHome, tmp_path: Path) -> None:
    home.path.chmod(0o2777)
    with pytest.raises(StateUnusable, match="another owner or mode"):
        home.install(PLAN, PAIR)
    with pytest.raises(StateUnusable, match="No such file"):
        EtcdHome(tmp_path / "nothing", SharedFiles()).install(PLAN, PAIR)
