"""Stand-ins of gateways for tests of load balancers: TLS of a real CA, and an answer to "are you the queen?"."""

from __future__ import annotations

import time
from pathlib import Path

from hosts_support import HostsLab

from aware_agent.security import pki
from tests.patience import eventually

COLONY = "demo"
NAME = f"council.{COLONY}.aware"
# Reigns while /run/queen is there; the answer to most paths is the host's name. Slow answers come in two halves.
GATEWAY = """
import http.server, os, socket, ssl, time
class Gateway(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        queen = os.path.exists("/run/queen")
        metrics = self.path == "/metrics"
        body = (f"aware_node_queen {int(queen)}" if metrics else socket.gethostname()).encode() + b"\\n"
        self.send_response(503 if self.path == "/readyz/queen" and not queen else 200)
        self.send_header("Content-Type", "text/plain; version=0.0.4" if metrics else "text/plain")
        self.send_header("Content-Length", str(len(body) * (2 if self.path == "/slow" else 1)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/slow":
            while not os.path.exists("/run/finish"):
                time.sleep(0.05)
            self.wfile.write(body)
    def log_message(self, *words):
        pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8443), Gateway)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/run/gateway.crt", "/run/gateway.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
open("/run/serving", "w").close()
server.serve_forever()
"""


def start_gateways(lab: HostsLab, ca: pki.Pair, *hosts: str) -> None:
    """Stand-ins on ``hosts`` with certificates of ``ca``; none reigns."""
    for host in hosts:
        pair = pki.issue(
            ca,
            pki.make_key(),
            common_name=host,
            sans=pki.node_sans(COLONY, host, [lab.address(host)], eligible=True),
            now=time.time(),
        )
        lab.on(host, "sh", "-c", "cat > /run/gateway.crt", stdin=pair.certificate.decode())
        lab.on(host, "sh", "-c", "umask 077; cat > /run/gateway.key", stdin=pair.key.decode())
        lab.on(host, "sh", "-c", "systemctl stop gateway; rm -f /run/serving /run/queen; true")
        lab.on(host, "systemd-run", "--quiet", "--collect", "--unit=gateway", "python3", "-c", GATEWAY)
        eventually(
            lambda h=host: lab.on(h, "test", "-e", "/run/serving", check=False).returncode == 0, f"{host} serves"
        )


def queen_record(lab: HostsLab, queen: str, *others: str) -> None:
    """``queen`` reigns from now on, ``others`` do not."""
    for host in others:
        lab.sh(host, "rm -f /run/queen")
    lab.sh(queen, "touch /run/queen")


def ask(lab: HostsLab, address: str, ca: Path, path: str = "/", host: str = "") -> str:
    """What the gateway behind ``address`` says, over TLS verified by the colony's name; "" when nobody answers."""
    argv = ("curl", "-s", "--max-time", "5", "--cacert", str(ca), "--noproxy", "*")
    where = ("--resolve", f"{NAME}:8443:{address}", f"https://{NAME}:8443{path}")
    done = lab.on(host, *argv, *where, check=False) if host else lab.enter(*argv, *where, check=False)
    return str(done.stdout).strip()
