"""The real process of a job with the real ansible-runner: what it runs, hides, bounds, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from aware_agent.agent.member import confine
from aware_agent.colony.jobs import JobState
from aware_agent.queen.jobs import protocol, run
from aware_agent.queen.jobs.builtin import OPERATIONS
from aware_agent.queen.jobs.protocol import Ended, RunOrder, Said
from aware_agent.security.colony_secret import CloudSecret, NamedSecret, TextSecret
from tests.unit.cli_support import Authority, FakeGateway, Reply

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ansible_runner") is None, reason="ansible-runner is not installed (extra: runner)"
)
ROOT = os.geteuid() == 0
HEAD = """
- hosts: all
  gather_facts: false
  connection: local
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FakeGateway]:
    fake = FakeGateway(Authority(tmp_path / "tls"))
    fake.say("GET /v1/inventory", inventory("one", "two"))
    yield fake
    fake.close()


def inventory(*names: str, **variables: Any) -> dict[str, Any]:
    hosts = {name: {"aware_status": "ready", "aware_url": "https://127.0.0.1:1", **variables} for name in names}
    return {"hosts": {**hosts, "gone": {"aware_status": "dead"}}, "groups": {"web": list(names[:1]), "store": ["gone"]}}


class Jobs:
    """Runs playbooks, and keeps what they said."""

    def __init__(self, directory: Path, gateway: FakeGateway) -> None:
        self.directory, self.gateway = directory, gateway
        self.cancelled = asyncio.Event()
        self.said: list[Said] = []
        self.hidden: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return "".join(said.text for said in self.said)

    def order(self, tasks: str, **changes: Any) -> RunOrder:
        playbook = self.directory / "play.yaml"
        playbook.write_text(HEAD + tasks)
        values = {
            "job": f"01{os.urandom(12).hex().upper()}",
            "term": 7,
            "attempt": 1,
            "playbook": str(playbook),
            "parameters": {},
            "secrets": (),
            "hosts": (),
            "castes": (),
            "time_limit_s": 120.0,
            "log_bytes": 64 * 1024,
            "memory_bytes": 2 << 30,
            "colony": "demo",
            "url": self.gateway.url,
            "ca": (self.directory / "tls" / "ca.crt").read_text(),
            "token": "the-token-of-this-job",
            "directory": str(self.directory / "jobs"),
            "user": "root" if ROOT else "",
            "hidden": self.hidden,
        }
        return RunOrder(**{**values, **changes})  # type: ignore[arg-type]

    async def run(self, order: RunOrder) -> Ended:
        async def said(what: Said) -> None:
            self.said.append(what)

        return await run.run_process(order, said, self.cancelled, as_root=ROOT)

    async def until(self, text: str) -> None:
        async with asyncio.timeout(90):
            while text not in self.text:
                await asyncio.sleep(0.05)

    def left(self) -> list[str]:
        """Files and processes of jobs."""
        infos = [process.info for process in psutil.process_iter(["cmdline", "cwd"])]
        lines = [" ".join([*(info["cmdline"] or []), info["cwd"] or ""]) for info in infos]
        jobs = self.directory / "jobs"
        return [line for line in lines if str(jobs) in line] + [str(path) for path in jobs.glob("*")]


@pytest.fixture
async def jobs(tmp_path: Path, gateway: FakeGateway) -> Jobs:
    return Jobs(tmp_path, gateway)


DEBUG = "    - debug: {msg: 'job {{ aware_job }} term {{ aware_term }} on {{ inventory_hostname }} {{ text }}'}\n"


async def test_it_runs_over_the_gateways_inventory_and_nothing_is_left(jobs: Jobs, gateway: FakeGateway) -> None:
    order = jobs.order(DEBUG, parameters={"text": "hello"})
    ended = await jobs.run(order)
    assert (ended.state, ended.message) == (JobState.SUCCEEDED, "done on 2 hosts"), jobs.text
    for host in ("one", "two"):
        assert f"job {order.job} term 7 on {host} hello" in jobs.text
    assert {name: host.ok for name, host in jobs.said[-1].progress.hosts.items()} == {"one": 1, "two": 1}
    assert [ask.headers["Authorization"] for ask in gateway.asked] == ["Bearer the-token-of-this-job"]
    assert jobs.left() == []


async def test_only_hosts_of_the_castes_and_of_those_only_the_wanted(jobs: Jobs) -> None:
    ended = await jobs.run(jobs.order(DEBUG, parameters={"text": ""}, castes=("web",)))
    assert list(jobs.said[-1].progress.hosts) == ["one"]
    assert ended.message == "done on 1 host"
    for changes, said in (({"castes": ("store",)}, "store"), ({"hosts": ("gone",)}, "gone")):
        ended = await jobs.run(jobs.order(DEBUG, **changes))
        assert (ended.state, ended.reason) == (JobState.FAILED, "no-hosts")
        assert said in ended.message


async def test_a_failure_names_the_host_and_a_playbook_that_is_none_says_so(jobs: Jobs) -> None:
    ended = await jobs.run(jobs.order("    - fail: {msg: 'the disk of {{ inventory_hostname }} is full'}\n"))
    assert (ended.state, ended.reason) == (JobState.FAILED, "hosts-failed")
    assert "one: the disk of one is full" in ended.message
    ended = await jobs.run(jobs.order("    - nonsense: 1\n"))
    assert (ended.state, ended.reason) == (JobState.FAILED, "playbook-failed")
    assert "nonsense" in jobs.text


async def test_what_a_caller_or_a_node_says_is_no_template(jobs: Jobs, gateway: FakeGateway, tmp_path: Path) -> None:
    proof = tmp_path / "jobs" / "proof"
    evil = f"{{{{ lookup('pipe', 'touch {proof}; echo ran') }}}}"
    gateway.say("GET /v1/inventory", inventory("one", aware_labels={"a": evil}))
    tasks = "    - debug: {msg: '{{ text }} {{ aware_labels.a }} {{ deep[0].x }}'}\n"
    order = jobs.order(tasks, parameters={"text": evil, "deep": [{"x": evil}]})
    assert (await jobs.run(order)).state is JobState.SUCCEEDED
    assert jobs.text.count("lookup(") == 3
    assert not proof.exists()


async def test_secrets_are_masked_and_no_log_is_kept(jobs: Jobs) -> None:
    tasks = """
    - debug: {msg: "password is {{ password }} and {{ password | b64encode }}"}
    - command: echo {{ other }}
      no_log: true
    - fail: {msg: "wrong password {{ password }}"}
"""
    parameters = {"password": 's3cret "quoted" pa55', "other": "hidden-by-no-log"}
    ended = await jobs.run(jobs.order(tasks, parameters=parameters, secrets=(parameters["password"],)))
    everything = jobs.text + ended.message + repr(jobs.said)
    assert "password is ********" in jobs.text
    assert "wrong password ********" in ended.message
    for text in ("s3cret", "pa55", "hidden-by-no-log", "czNjcmV0", "the-token-of-this-job"):
        assert text not in everything


async def test_nothing_secret_is_on_a_command_line_or_in_an_environment(jobs: Jobs) -> None:
    tasks = "    - debug: {msg: ready}\n    - wait_for: {timeout: 60}\n"
    order = jobs.order(tasks, parameters={"password": "s3cret-pa55"}, secrets=("s3cret-pa55",))
    work = asyncio.create_task(jobs.run(order))
    await jobs.until("ready")
    seen = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(run.MARK) == order.job:
                seen += 1
                shown = f"{process.cmdline()} {process.environ()}"
                assert "s3cret" not in shown
                assert order.token not in shown
    assert seen >= 3, "supervisor, ansible-playbook and its workers"
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert jobs.left() == []


async def test_the_agents_own_files_cannot_be_read_nor_anything_be_written(jobs: Jobs, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "colony.json").write_text("the colony's secret")
    (tmp_path / "beside").write_text("not hidden")
    jobs.hidden = (str(state), str(tmp_path / "no-such-file"))
    tasks = f"""
    - shell: |
        cat {tmp_path}/beside; cat {state}/colony.json; ls {state}; cat /proc/{os.getpid()}/environ
        cat /proc/{os.getpid()}/root{state}/colony.json; echo x > {tmp_path}/beside; echo x > {state}/new
        kill -0 {os.getpid()} && echo signalled; echo $HOME; echo own > $HOME/own && echo written; exit 0
      run_once: true
      register: said
    - debug: {{msg: "{{{{ said.stdout_lines }}}}"}}
      run_once: true
"""
    ended = await jobs.run(jobs.order(tasks))
    assert ended.state is JobState.SUCCEEDED, jobs.text
    assert "not hidden" in jobs.text
    assert "the colony's secret" not in jobs.text
    assert "PYTEST_CURRENT_TEST" not in jobs.text
    assert "signalled" not in jobs.text or confine.landlock() < 6
    assert "written" in jobs.text
    assert (tmp_path / "beside").read_text() == "not hidden"
    assert list(state.iterdir()) == [state / "colony.json"]


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
def test_a_roots_job_becomes_somebody_else(tmp_path: Path) -> None:
    """In the interpreter of the system: that of a checkout may lie in a home that nobody else can enter."""
    directory = Path(tempfile.mkdtemp(prefix="aware-confine-", dir="/var/tmp"))
    code = f"""
import os, sys
sys.path[:0] = {[path for path in sys.path if path]!r}
from pathlib import Path
from aware_agent.agent.member.confine import confine
confine("nobody", Path({str(directory)!r}), [Path({str(tmp_path)!r})], 2 << 30)
print(os.getresuid(), os.getresgid(), os.getgroups())
for line in open("/proc/self/status"):
    if line.startswith(("CapEff", "CapPrm", "NoNewPrivs")): print(line.strip())
try: os.setuid(0)
except PermissionError: print("no way back")
"""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "(65534, 65534, 65534) (65534, 65534, 65534) []" in done.stdout
        assert "CapEff:\t0000000000000000" in done.stdout
        assert "CapPrm:\t0000000000000000" in done.stdout
        assert "NoNewPrivs:\t1" in done.stdout
        assert "no way back" in done.stdout
        assert directory.stat().st_uid == 65534
    finally:
        directory.rmdir()


CLOUD = CloudSecret(
    cloud={
        "auth": {"auth_url": "https://keystone.example/v3", "username": "aware", "password": "cl0ud-pa55"},
        "region_name": "RegionOne",
    },
    ca="-----BEGIN CERTIFICATE-----\n",
)


@pytest.mark.skipif(importlib.util.find_spec("openstack") is None, reason="openstacksdk is not installed")
async def test_the_colonys_secrets_are_in_files_of_its_own_and_in_no_log(jobs: Jobs) -> None:
    """A text in a file, a cloud where openstacksdk looks for it; for the job's user alone, and masked."""
    used = (NamedSecret(name="lab", value=CLOUD), NamedSecret(name="key", value=TextSecret(text="t3xt-of-a-key")))
    tasks = """
    - command:
        argv:
          - "{{ ansible_playbook_python }}"
          - -c
          - |
            import os, sys
            from openstack.config import OpenStackConfig
            found = OpenStackConfig().get_one("lab")
            key, clouds, ca = sys.argv[1], os.environ["OS_CLIENT_CONFIG_FILE"], found.config["cacert"]
            print([oct(os.stat(path).st_mode & 0o777) for path in (key, clouds, ca)], found.verify)
            print(found.get_auth_args()["password"], found.config["region_name"], open(ca).read())
            print(open(key).read())
          - "{{ aware_secrets.key }}"
      run_once: true
      register: said
    - debug: {msg: "{{ said.stdout_lines }} of {{ aware_secrets.keys() | list }}"}
      run_once: true
"""
    ended = await jobs.run(jobs.order(tasks, used=used, time_limit_s=600.0))
    assert ended.state is JobState.SUCCEEDED, jobs.text
    assert "['0o600', '0o600', '0o600'] True" in jobs.text
    assert "******** RegionOne -----BEGIN CERTIFICATE-----" in jobs.text
    assert "of ['key']" in jobs.text
    for secret in ("cl0ud-pa55", "t3xt-of-a-key"):
        assert secret not in jobs.text + repr(jobs.said) + ended.message
    assert jobs.left() == []


async def test_a_job_cannot_see_the_files_of_another(jobs: Jobs, tmp_path: Path) -> None:
    if not confine.landlock():
        pytest.skip("this kernel has no Landlock")
    other = tmp_path / "jobs" / f"{protocol.PREFIX}other"
    other.mkdir(parents=True)
    (other / "clouds.yaml").write_text("of another job")
    tasks = f"""
    - shell: cat {other}/clouds.yaml; ls {tmp_path}/jobs; echo own > $HOME/own && cat $HOME/own; exit 0
      run_once: true
      register: said
    - debug: {{msg: "{{{{ said.stdout }}}} / {{{{ said.stderr }}}}"}}
      run_once: true
"""
    ended = await jobs.run(jobs.order(tasks))
    assert ended.state is JobState.SUCCEEDED, jobs.text
    assert "of another job" not in jobs.text
    assert "Permission denied" in jobs.text
    assert "own" in jobs.text


HANG = """
    - debug: {msg: hanging}
    - name: never ends
      shell: (setsid sleep 600 &) ; (setsid sh -c 'trap "" TERM HUP INT; sleep 601' &) ; sleep 602
"""


async def test_cancelling_ends_every_process(jobs: Jobs) -> None:
    order = jobs.order(HANG)
    work = asyncio.create_task(jobs.run(order))
    await jobs.until("hanging")
    await _processes(order, "sleep 60")
    async with asyncio.timeout(90):  # the task a host is at, and not the one it has done
        while {host.task for host in jobs.said[-1].progress.hosts.values()} != {"never ends"}:
            await asyncio.sleep(0.05)
    jobs.cancelled.set()
    ended = await work
    assert ended.state is JobState.CANCELLED
    assert marked(order) == []
    assert jobs.left() == []


async def test_a_playbook_that_hangs_is_ended_by_its_time_limit(jobs: Jobs) -> None:
    order = jobs.order(HANG, time_limit_s=12.0)
    ended = await jobs.run(order)
    assert (ended.state, ended.reason) == (JobState.TIMED_OUT, "time-limit"), jobs.text
    assert ended.message == "it took longer than 12 s"
    assert marked(order) == []
    assert jobs.left() == []


async def test_a_hundred_megabytes_are_cut(jobs: Jobs) -> None:
    """As one line, as lines, and the end is still there."""
    tasks = """
    - command: "{{ ansible_playbook_python }} -c \\"print('x' * 50_000_000); print('y' * 99 + chr(10), end='') \\""
      run_once: true
    - debug: {msg: "{{ lookup('pipe', 'yes 0123456789abcdef | head -c 1000000') }} {{ item }}"}
      loop: "{{ range(50) | list }}"
      loop_control: {label: x}
      run_once: true
    - debug: {msg: this is the end}
      run_once: true
"""
    ended = await jobs.run(jobs.order(tasks, memory_bytes=8 << 30))
    assert ended.state is JobState.SUCCEEDED, ended
    assert jobs.said[-1].printed > 50_000_000
    assert jobs.said[-1].cut > 49_000_000
    assert len(jobs.text) < 70 * 1024
    assert "this is the end" in jobs.text
    assert "were left out" in jobs.text


async def test_one_that_wants_too_much_memory_is_ended(jobs: Jobs) -> None:
    tasks = "    - command: \"{{ ansible_playbook_python }} -c 'x = bytearray(3 << 30)'\"\n"
    ended = await jobs.run(jobs.order(tasks, memory_bytes=1 << 30))
    assert ended.state is JobState.FAILED
    assert "MemoryError" in jobs.text


async def test_it_ends_by_itself_when_its_agent_dies(jobs: Jobs) -> None:
    """As after kill -9: the kernel closes its standard input, and nothing else happens."""
    order, process = await _alone(jobs)
    assert process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(30):
        await process.wait()
    assert marked(order) == []


async def test_it_ends_by_itself_when_its_agent_says_nothing_any_more(jobs: Jobs) -> None:
    """As with an agent that is stopped: its standard input stays open, and nothing comes."""
    order, process = await _alone(jobs)
    async with asyncio.timeout(protocol.SILENCE_S + 30):
        await process.wait()
    assert marked(order) == []
    assert process.stdin is not None
    process.stdin.close()


async def test_what_a_killed_process_leaves_is_ended_by_the_agent(jobs: Jobs) -> None:
    order = jobs.order(HANG)
    work = asyncio.create_task(jobs.run(order))
    await jobs.until("hanging")
    await _processes(order, "sleep 60")
    for process in psutil.process_iter(["cmdline"]):
        if "aware_agent.queen.jobs.process" in (process.info["cmdline"] or []) and order.job in _mark(process):
            process.send_signal(signal.SIGKILL)
    ended = await work
    assert (ended.state, ended.reason) == (JobState.FAILED, "process-died")
    assert "signal 9" in ended.message
    assert marked(order) == []
    assert jobs.left() == []


async def test_a_gateway_that_tells_no_inventory_is_named(
    jobs: Jobs, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.routes["GET /v1/inventory"] = lambda ask: Reply({"code": "unauthenticated"}, 401)
    ended = await jobs.run(jobs.order(DEBUG))
    assert (ended.state, ended.reason) == (JobState.FAILED, "no-inventory")
    assert "401" in ended.message


async def test_nobody_but_the_council_gets_the_token(jobs: Jobs, gateway: FakeGateway, tmp_path: Path) -> None:
    worker = FakeGateway(Authority(tmp_path / "tls"), worker=True)
    try:
        ended = await jobs.run(jobs.order(DEBUG, url=worker.url, ca=(tmp_path / "tls" / "ca.crt").read_text()))
    finally:
        worker.close()
    assert (ended.state, ended.reason) == (JobState.FAILED, "no-inventory")
    assert worker.asked == []


async def test_verify_as_it_comes_with_aware(jobs: Jobs, gateway: FakeGateway) -> None:
    gateway.say("GET /readyz", {"ready": True})
    gateway.say("GET /v1/inventory", inventory("one", "two", aware_url=gateway.url))
    ended = await jobs.run(msgspec.structs.replace(jobs.order(""), playbook=OPERATIONS[2].playbook))
    assert (ended.state, ended.message) == (JobState.SUCCEEDED, "done on 2 hosts"), jobs.text
    assert gateway.paths().count("GET /readyz") == 2


async def _alone(jobs: Jobs) -> tuple[RunOrder, asyncio.subprocess.Process]:
    """A process of a job whose agent is this test, which says nothing after the order."""
    order = jobs.order(HANG)
    directory = run.make_job_directory(Path(order.directory), as_root=ROOT)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aware_agent.queen.jobs.process",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, env=run._environment(order.job),
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(msgspec.structs.replace(order, directory=str(directory))) + b"\n")
    for _ in range(200):
        process.stdin.write(protocol.ALIVE)
        await asyncio.sleep(0.1)
        if any("sleep 602" in line for line in marked(order)):
            return order, process
    raise AssertionError(f"the playbook did not begin: {marked(order)}")


def _mark(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return process.environ().get(run.MARK, "")
    return ""


def marked(order: RunOrder) -> list[str]:
    """Command lines of the processes of a job that live."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _mark(process) == order.job and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
    return found


async def _processes(order: RunOrder, text: str) -> None:
    async with asyncio.timeout(60):
        while not any(text in line for line in marked(order)):
            await asyncio.sleep(0.05)
