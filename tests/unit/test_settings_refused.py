"""Settings that cannot be used: one sentence each that names the file and the field, and no secret of a URL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from aware_agent.agent.settings import Settings, SettingsInvalid, load_settings
from aware_agent.agent.settings_environment import is_section
from aware_agent.security.founding_key import make_founding_key

GOOD = 'colony = "demo"\nstate_dir = "/var/lib/aware-agent"\nname = "n1"\naddress = "127.0.0.1"\n'
ODD = [
    ('[discovery]\nseeds = ["https://[::1"]', "discovery.seeds"),
    ('[discovery]\nseeds = ["https://host:99999"]', "discovery.seeds"),
    ('[discovery]\nseeds = ["http://127.0.0.1:1"]', "discovery.seeds"),
    ('[discovery]\nseeds = ["https://u:secret@127.0.0.1:1/x?y"]', "discovery.seeds"),
    ('[discovery]\nseeds = ["https://h\\u0000:1"]', "discovery.seeds"),
    ("labels = " + "[" * 3000 + "]" * 3000, "are not TOML"),
    ("priority = " + "9" * 5000, "are not TOML"),
    ('token_file = "a\\u0000b"', "token_file"),
    ("priority = 99999999999999999999999999", "priority"),
    ("priority = -1000001", "priority"),
    ('zone = "a\\nb"', "zone"),
    ('zone = "\\u001b[31mred"', "zone"),
    ('zone = "' + "z" * 300 + '"', "zone"),
    ('[gateway]\nbind = "everywhere"', "gateway.bind"),
    ('[gateway]\nbind = "127.0.0.1:8443"', "gateway.bind"),
    ('[gateway]\nbind = "ff02::1"', "gateway.bind"),
    ("[gateway]\nport = 0", "gateway.port"),
    ('[channel]\nbind = "everywhere"', "channel.bind"),
    ("[channel]\nport = -1", "channel.port"),
    ("[channel]\nport = 8443", "channel.port"),
    ("[discovery]\nport = 70000", "discovery.port"),
    ("[discovery]\ninterval_s = -1.0", "discovery.interval_s"),
    ("[discovery]\ninterval_s = 0.0", "discovery.interval_s"),
    ("[discovery]\ninterval_s = 1e300", "discovery.interval_s"),
    ("[discovery]\ninterval_s = nan", "discovery.interval_s"),
    ("[discovery]\nfind_timeout_s = -3.0", "discovery.find_timeout_s"),
    ("[discovery]\nfind_timeout_s = 0.0", "discovery.find_timeout_s"),
    ('[discovery]\ninterfaces = ["eth 0"]', "discovery.interfaces"),
    ('[discovery]\ninterfaces = ["a-name-longer-than-15"]', "discovery.interfaces"),
    ('[discovery]\ninterfaces = ["../eth0"]', "discovery.interfaces"),
    ("[store]\nstartup_timeout_s = 0", "store.startup_timeout_s"),
    ("[store]\nstartup_timeout_s = 1e12", "store.startup_timeout_s"),
    ('[store]\nendpoints = ["etcd"]', "store.endpoints"),
    ('[store]\nendpoints = ["ftp://etcd:2379"]', "store.endpoints"),
    ('[store]\nendpoints = ["https://u:secret@etcd:2379"]', "store.endpoints"),
    ('[store]\nendpoints = ["etcd:2379/x"]', "store.endpoints"),
    ('[store]\nendpoints = ["etcd:2379\\n"]', "store.endpoints"),
    ('[store]\nendpoints = [""]', "store.endpoints"),
    ("[timing]\nqueen_ttl_s = 99999999999999999999", "timing.queen_ttl_s"),
    ("[timing]\npresence_ttl_s = 5000", "timing.presence_ttl_s"),
    ("[timing]\nretry_s = 1e-9", "timing.retry_s"),
    ("[timing]\nabstain_s = 1e9", "timing.abstain_s"),
    ('[backup]\ndirectory = "backups"', "backup.directory"),
    ('[backup]\nkey_file = "~/key"', "backup.key_file"),
    ('[backup]\ns3_endpoint = "s3.example.org"', "backup.s3_endpoint"),
    ('[backup]\ns3_bucket = "a\\nb"', "backup.s3_bucket"),
]


def write(directory: Path, text: str) -> Path:
    path = directory / "agent.toml"
    path.write_text(GOOD + text + "\n")
    return path


@pytest.mark.parametrize(("text", "complaint"), ODD, ids=[text[:60].replace("\n", " ") for text, _ in ODD])
def test_what_cannot_be_used_is_one_sentence(tmp_path: Path, text: str, complaint: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(path, {})
    assert complaint in caught.value.message
    assert str(path) in caught.value.message
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '[gateway]\nbind = "0.0.0.0"',
        '[gateway]\nbind = "::"',
        '[store]\nendpoints = ["etcd-1:2379", "https://[::1]:2379", "http://127.0.0.1:2379/"]',
        '[discovery]\ninterfaces = ["eth0.7", "wlp3s0", "br-lan"]\ninterval_s = 0.2',
        'zone = "Zürich 東"\npriority = -5',
        '[backup]\ndirectory = "/srv/back up"\ns3_endpoint = "https://s3.example.org"',
    ],
)
def test_what_is_sound_stays_accepted(tmp_path: Path, text: str) -> None:
    assert load_settings(write(tmp_path, text), {}).name == "n1"


def agent(command: str, path: Path) -> subprocess.CompletedProcess[str]:
    """``aware-agent COMMAND`` with these settings and none of the environment."""
    return subprocess.run(
        [sys.executable, "-m", "aware_agent.daemon", command, "--config", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={name: text for name, text in os.environ.items() if not name.startswith("AWARE_")},
    )


KEY = make_founding_key("demo", b"k" * 32).text()
OTHER = make_founding_key("hive", b"k" * 32).text()


@pytest.mark.parametrize(
    ("field", "content", "mode", "said"),
    [
        ("founding_key_file", KEY, 0o644, "its mode 0644 lets other users read it"),
        ("founding_key_file", KEY[:-2] + "zz", 0o600, "typo"),
        ("founding_key_file", "\0\1\2", 0o600, "this is not a founding key"),
        ("founding_key_file", OTHER, 0o600, "is of colony 'hive', this node is to be of 'demo'"),
        ("token_file", "aware1.typo", 0o600, "token"),
    ],
)
def test_check_and_run_say_the_same_of_what_lets_a_node_in(
    tmp_path: Path, field: str, content: str, mode: int, said: str
) -> None:
    """Also of a file that only a run needs; one that is missing may still come, and only a run refuses that."""
    secret = tmp_path / "way-in"
    text = GOOD.replace("/var/lib/aware-agent", str(tmp_path / "state"))
    path = tmp_path / "agent.toml"
    path.write_text(f'{text}{field} = "{secret}"\n')
    assert agent("check", path).returncode == 0
    secret.write_text(content)
    secret.chmod(mode)
    check, run = agent("check", path), agent("run", path)
    assert said in check.stderr
    assert (check.returncode, check.stderr.splitlines()[-1]) == (run.returncode, run.stderr.splitlines()[-1])
    assert check.returncode != 0


@pytest.mark.parametrize("command", ["check", "run"])
def test_check_and_run_say_the_same_of_odd_values(tmp_path: Path, command: str) -> None:
    path = write(tmp_path, '[gateway]\nbind = "everywhere"')
    done = agent(command, path)
    assert done.returncode == SettingsInvalid.exit_code
    assert f"settings {path}: gateway.bind 'everywhere' is not an IP address to serve on" in done.stderr


def test_every_field_that_holds_a_number_or_an_address_has_a_bound(tmp_path: Path) -> None:
    """A field that is added later is judged too, or this test asks for it."""
    for name, kind in _fields(Settings):
        section, _, field = name.rpartition(".")
        if kind not in (int, float):
            continue
        for value in ("-99999999", "99999999999"):
            text = f"[{section}]\n{field} = {value}" if section else f"{field} = {value}"
            with pytest.raises(SettingsInvalid, match=field):
                load_settings(write(tmp_path, text), {})


def _fields(part: type[msgspec.Struct], where: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for field in msgspec.structs.fields(part):
        inner = is_section(field.type)
        found += _fields(field.type, f"{field.name}.") if inner else [(f"{where}{field.name}", field.type)]
    return found


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("AWARE_GATEWAY_PORT", "8444", "AWARE_GATEWAY__PORT?"),
        ("AWARE_LOG_LEVEL", "debug", "AWARE_LOG__LEVEL?"),
        ("AWARE_ADRESS", "127.0.0.1", "AWARE_ADDRESS?"),
        ("AWARE_LABEL", "a=b", "AWARE_LABELS?"),
        ("AWARE_NMAE", "x", "AWARE_NAME?"),
        ("AWARE_STORE__ENDPIONTS", "x:1", "AWARE_STORE__ENDPOINTS?"),
        ("AWARE_QUEEN__RANK", "x", "no setting"),
        ("AWARE_GATEWAY__PORT", "9" * 5000, "AWARE_GATEWAY__PORT"),
        ("AWARE_PRIORITY", "many", "AWARE_PRIORITY"),
        ("AWARE_LABELS", "a=b,a=c", "twice"),
        ("AWARE_ZONE", "a\nb", "zone"),
        ("AWARE_ZONE", "\udcff", "zone"),
        ("AWARE_GATEWAY__BIND", "everywhere", "gateway.bind"),
    ],
)
def test_a_variable_that_cannot_be_meant_is_refused(tmp_path: Path, name: str, value: str, complaint: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(write(tmp_path, ""), {name: value})
    assert complaint in str(caught.value)


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    others = ("CONTEXT", "ENDPOINTS", "CA_PATH", "TOKEN", "DEBUG", "ORIGIN", "ETCD", "LAB", "DOCS", "USER", "ROOT")
    environment = {f"AWARE_{name}": "x" for name in others} | {"AWARE_GATEWAY_PORT": "tcp://10.0.0.1:8443"}
    assert load_settings(path, environment) == load_settings(path, {})


def test_a_section_that_is_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="gateway is a section"):
        load_settings(write(tmp_path, "gateway = 3"), {"AWARE_GATEWAY__PORT": "1"})


def test_settings_are_an_ordinary_file_of_a_bounded_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_text(GOOD + "# " + "x" * (1 << 20))
    for name, complaint in (("pipe", "not an ordinary file"), ("large", "larger than 1 MiB"), ("none", "No such file")):
        with pytest.raises(SettingsInvalid, match=complaint):
            load_settings(tmp_path / name, {})
    with pytest.raises(SettingsInvalid, match="not an ordinary file"):
        load_settings(Path("/dev/zero"), {})
