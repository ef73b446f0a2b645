#!/bin/sh
# Make this server a node of an AWARE colony: install the agent, configure it, start it, wait until it is ready, and
# tell Heat how it went. Needs Python 3.11 or newer; runs as root, once, from cloud-init. Repeating it does no harm.
#
# Every value is a file of its own below AWARE_BOOTSTRAP, so that none is ever parsed by a shell:
#   colony          name of the colony                          (needed)
#   token           join token                                  (needed without a founding key)
#   founding        founding key: found a colony with the other servers that have it
#   council         how many servers carry that colony          (needed with a founding key)
#   etcd            URL of an etcd release, .tar.gz#sha256=...  (default: the distribution's, when none is here)
#   source          what pip installs: a requirement, a URL or a wheel's path  (needed)
#   index           package index for pip                       (default: pip's own)
#   ca              certificates that pip trusts, PEM           (default: pip's own)
#   wait            seconds until the node must be ready        (default: 300)
#   seeds           gateway URLs, separated by commas           (default: found by broadcast)
#   zone            availability zone the node reports          (default: none)
#   hook            path of a signed URL to call when ready     (default: none)
#   endpoint, auth  where to signal, and the token for it       (default: no signal)
# AWARE_ROOT is put before every path that is written; AWARE_USER is whom the agent runs as.
set -eu
umask 077

IN=${AWARE_BOOTSTRAP:-/run/aware-bootstrap}
ROOT=${AWARE_ROOT:-}
USER_NAME=${AWARE_USER:-aware}
WAIT_S=300
PYTHON=${AWARE_PYTHON:-python3}
PREFIX=$ROOT/opt/aware
ETC=$ROOT/etc/aware
STATE=$ROOT/var/lib/aware
UNIT=$ROOT/etc/systemd/system/aware-agent.service
GATEWAY_PORT=${AWARE_GATEWAY_PORT:-8443}
CHANNEL_PORT=${AWARE_CHANNEL_PORT:-8444}
DISCOVERY_PORT=${AWARE_DISCOVERY_PORT:-20100}
ETCD_PORT=${AWARE_ETCD_PORT:-2379}
ETCD_PEER_PORT=${AWARE_ETCD_PEER_PORT:-2380}
# The agent would take them for slips of AWARE_GATEWAY__PORT and so on.
unset AWARE_GATEWAY_PORT AWARE_CHANNEL_PORT AWARE_DISCOVERY_PORT AWARE_ETCD_PORT AWARE_ETCD_PEER_PORT
NAME=
ADDRESS=${AWARE_ADDRESS:-}

say() {
    printf 'aware-bootstrap: %s\n' "$1"
}

# The last thing that happens, whatever happens.
finish() {
    code=$?
    trap - EXIT
    if [ "$code" -eq 0 ]; then
        say "$NAME is ready"
        signal SUCCESS "$NAME is ready" || say "warning: Heat was not told; it may have stopped waiting"
    else
        say "error: ${WHY:-a command failed}"
        signal FAILURE "${WHY:-the bootstrap failed; its output is in the console log}" || true
    fi
    exit "$code"
}

fail() {
    WHY=$1
    exit 1
}

# value NAME: the content of a file as one line; an empty one when there is none.
value() {
    if [ -f "$IN/$1" ]; then tr '\n' ' ' <"$IN/$1" | sed 's/ *$//'; fi
    echo
}

# check NAME PATTERN: refuse the value unless all of it matches the extended regular expression.
# Not inside $(...): what fails there could not say why.
check() {
    value "$1" | grep -Exq "$2" || fail "parameter $1 is missing or malformed"
}

signal() {
    if [ ! -s "$IN/endpoint" ]; then return 0; fi
    "$PYTHON" - "$IN" "$1" "$2" "${NAME:-$(hostname)}" "${ADDRESS:+https://$ADDRESS:$GATEWAY_PORT}" <<'PYTHON'
import json, pathlib, sys, time, urllib.request
place, status, reason, name, url = sys.argv[1:]
read = lambda key: (pathlib.Path(place) / key).read_text().strip()
body = json.dumps({"status": status, "reason": reason[:250], "id": name, "data": url}).encode()
headers = {"X-Auth-Token": read("auth"), "Content-Type": "application/json", "Accept": "application/json"}
for attempt in range(5):
    try:
        request = urllib.request.Request(read("endpoint"), body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=20):
            sys.exit(0)
    except OSError as error:
        print(f"aware-bootstrap: signal: {error}", file=sys.stderr)
        if getattr(error, "code", 500) in (400, 401, 403, 404):
            break
        time.sleep(2 * attempt)
sys.exit(1)
PYTHON
}

need_python() {
    if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        fail "Python 3.11 or newer is needed; $("$PYTHON" --version 2>&1 || echo none) is here"
    fi
    if "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then return; fi
    say "installing python3-venv"
    if command -v apt-get >/dev/null 2>&1; then
        { DEBIAN_FRONTEND=noninteractive apt-get -q update && apt-get -qy install python3-venv; } ||
            fail "python3-venv could not be installed"
    else
        fail "Python's venv module is missing; use an image that has it"
    fi
}

install_agent() {
    case $(value source) in
    '' | -* | *[[:space:]]*) fail "parameter source is missing or malformed" ;;
    esac
    mkdir -p "$PREFIX"
    chmod 0755 "$PREFIX"
    umask 022
    "$PYTHON" -m venv "$PREFIX/venv" || fail "no virtual environment could be made in $PREFIX"
    # The index may hold a password: by environment, not by argument.
    PIP_INDEX_URL=$(value index)
    if [ -n "$PIP_INDEX_URL" ]; then export PIP_INDEX_URL; else unset PIP_INDEX_URL; fi
    if [ -s "$IN/ca" ]; then export PIP_CERT="$IN/ca"; fi
    "$PREFIX/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$(value source)" ||
        fail "pip could not install the agent"
    unset PIP_INDEX_URL PIP_CERT
    umask 077
}

# need_etcd: founders run etcd. The agent starts it; the distribution's own unit would take its ports.
need_etcd() {
    if [ ! -s "$IN/founding" ]; then return 0; fi
    if "$PREFIX/venv/bin/python" -c 'from aware_agent.store.etcd_binary import find_etcd; find_etcd()' 2>/dev/null; then return 0; fi
    if [ -n "$(value etcd)" ]; then
        fetch_etcd || fail "etcd could not be fetched, or it is not what its sha256 says"
    elif command -v apt-get >/dev/null 2>&1; then
        say "installing etcd"
        systemctl mask etcd.service || fail "systemd could not keep etcd's own unit from starting"
        { DEBIAN_FRONTEND=noninteractive apt-get -q update && apt-get -qy install etcd-server; } ||
            fail "etcd-server could not be installed"
    else
        fail "there is no etcd; use an image that has it, or give parameter etcd"
    fi
}

fetch_etcd() {
    "$PYTHON" - "$(value etcd)" "$ROOT/usr/local/bin" <<'PYTHON'
import hashlib, io, os, pathlib, sys, tarfile, urllib.request
url, _, digest = sys.argv[1].partition("#sha256=")
with urllib.request.urlopen(url, timeout=60) as answer:
    data = answer.read(256 * 1024 * 1024)
if hashlib.sha256(data).hexdigest() != digest:
    sys.exit(f"aware-bootstrap: {url} is not what its sha256 says")
target = pathlib.Path(sys.argv[2])
target.mkdir(mode=0o755, parents=True, exist_ok=True)
with tarfile.open(fileobj=io.BytesIO(data)) as archive:
    found = next(member for member in archive if member.isfile() and member.name.rpartition("/")[2] == "etcd")
    new = target / ".etcd.new"
    new.write_bytes(archive.extractfile(found).read())
new.chmod(0o755)
os.replace(new, target / "etcd")
PYTHON
}

# The host's name as a node's: lower-case letters, digits and -, from a letter on.
node_name() {
    hostname | sed 's/\..*//' | tr '[:upper:]' '[:lower:]' | tr -c 'a-z0-9\n' '-' |
        sed 's/^[^a-z]/n-&/; s/^\(.\{63\}\).*/\1/; s/-*$//'
}

own_address() {
    "$PYTHON" -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("192.0.2.1", 9))
print(s.getsockname()[0])'
}

configure() {
    check colony '[a-z]([a-z0-9-]{0,46}[a-z0-9])?'
    if [ -s "$IN/founding" ]; then
        check founding 'aware-found1\.[a-z]([a-z0-9-]{0,46}[a-z0-9])?\.[A-Za-z0-9_-]{43}\.[a-z2-7]{8}'
        check council '[1357]'
        check etcd '(https?://[^[:space:]]+#sha256=[0-9a-f]{64})?'
    else
        check token '[A-Za-z0-9._-]+'
    fi
    check seeds '(https://[A-Za-z0-9.:_-]+(,https://[A-Za-z0-9.:_-]+)*)?'
    check zone '[A-Za-z0-9._-]{0,63}'
    check wait '[0-9]{0,5}'
    colony=$(value colony)
    seeds=$(value seeds | sed 's/,/", "/g; s/..*/"&"/')
    zone=$(value zone)
    if [ -n "$(value wait)" ]; then WAIT_S=$(value wait); fi
    NAME=$(node_name)
    if [ -z "$ADDRESS" ]; then
        ADDRESS=$(own_address) || fail "this server has no IPv4 route yet"
    fi
    id -u "$USER_NAME" >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin "$USER_NAME"
    mkdir -p "$ETC" "$STATE" "$(dirname "$UNIT")"
    cat >"$ETC/agent.toml" <<TOML
# Written by the Heat bootstrap.
colony = "$colony"
name = "$NAME"
state_dir = "$STATE"
address = "$ADDRESS"
zone = "$zone"
TOML
    credential >>"$ETC/agent.toml"
    cat >>"$ETC/agent.toml" <<TOML

[gateway]
port = $GATEWAY_PORT

[channel]
port = $CHANNEL_PORT

[discovery]
port = $DISCOVERY_PORT
seeds = [$seeds]
TOML
    chown -R "$USER_NAME" "$ETC" "$STATE"
}

# credential: how the node comes into a colony, as settings. The agent deletes a founding key when it has served.
credential() {
    if [ -s "$IN/founding" ]; then
        if [ ! -e "$STATE/colony.json" ]; then value founding >"$STATE/founding.key"; fi
        printf 'founding_key_file = "%s"\n\n[council]\nsize = %s\n' "$STATE/founding.key" "$(value council)"
        printf 'client_port = %s\npeer_port = %s\n' "$ETCD_PORT" "$ETCD_PEER_PORT"
    else
        printf %s "$(value token)" >"$ETC/join-token"
        printf 'token_file = "%s"\n' "$ETC/join-token"
    fi
}

start() {
    cat >"$UNIT" <<SYSTEMD
[Unit]
Description=AWARE agent
Wants=network-online.target
After=network-online.target

[Service]
User=$USER_NAME
ExecStart=$PREFIX/venv/bin/aware-agent run --config $ETC/agent.toml
Restart=on-failure
RestartSec=2
# Refused for good: settings, state, token, another colony, removed, an identity that lives elsewhere.
RestartPreventExitStatus=2 10 11 12 13 20 23
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ReadWritePaths=$STATE

[Install]
WantedBy=multi-user.target
SYSTEMD
    chmod 0644 "$UNIT"
    systemctl daemon-reload
    systemctl enable --now aware-agent.service || fail "systemd could not start the agent"
}

# wait_ready: until the node says over TLS, verified with the colony's CA, that it is ready.
wait_ready() {
    "$PYTHON" - "$STATE/ca.crt" "https://$ADDRESS:$GATEWAY_PORT/readyz" "$WAIT_S" <<'PYTHON' ||
import pathlib, ssl, sys, time, urllib.request
ca, url, limit = sys.argv[1:]
until = time.monotonic() + float(limit)
why = "it has not joined"
while time.monotonic() < until:
    if pathlib.Path(ca).exists():
        try:
            context = ssl.create_default_context(cafile=ca)
            with urllib.request.urlopen(url, timeout=5, context=context):
                sys.exit(0)
        except (OSError, ssl.SSLError) as error:
            why = str(error)
    time.sleep(1)
sys.exit(f"aware-bootstrap: not ready after {limit} s: {why}")
PYTHON
        fail "$NAME was not ready after $WAIT_S s; see journalctl -u aware-agent"
    # It has a certificate now. Whoever breaks in later finds no token here.
    rm -f "$ETC/join-token"
}

# call_hook: POST the signed URL to our own node, which names the queen; the URL's host is never taken from outside.
call_hook() {
    if [ ! -s "$IN/hook" ]; then return 0; fi
    "$PYTHON" - "$STATE/ca.crt" "https://$ADDRESS:$GATEWAY_PORT" "$IN/hook" "$NAME" <<'PYTHON' ||
import json, pathlib, ssl, sys, time, urllib.error, urllib.parse, urllib.request
ca, gateway, file, name = sys.argv[1:]
parts = urllib.parse.urlsplit(pathlib.Path(file).read_text().strip())
path = parts.path + "?" + parts.query
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None
opener = urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
body, headers = json.dumps({"reference": name}).encode(), {"Content-Type": "application/json"}
for attempt in range(10):
    try:
        with opener.open(urllib.request.Request(gateway + path, body, headers, method="POST"), timeout=10) as answer:
            print(f"aware-bootstrap: hook {json.load(answer)['id']} accepted")
            sys.exit(0)
    except urllib.error.HTTPError as error:
        queen = error.headers.get("X-Aware-Queen", "")
        if error.code == 307 and queen.startswith("https://"):
            gateway = queen
            continue
        if error.code != 503:
            sys.exit(f"aware-bootstrap: hook refused: {error.code} {error.read(500).decode(errors='replace')}")
    except OSError as error:
        print(f"aware-bootstrap: hook: {error}", file=sys.stderr)
    time.sleep(2)
sys.exit("aware-bootstrap: no queen took the hook")
PYTHON
        say "warning: the hook was not called; the node itself is fine"
}

trap finish EXIT
need_python
configure
install_agent
need_etcd
start
wait_ready
call_hook
