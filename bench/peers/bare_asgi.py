"""The floor of any Python HTTP API: an ASGI application that answers every request with the same bytes, on uvicorn."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.processes import Process, clean_environment

if TYPE_CHECKING:
    from bench.lab import Lab


class Bare:
    """A server of files, by path. ``tls``: with a node's certificate of ``lab``."""

    def __init__(self, lab: Lab, bodies: dict[str, bytes], port: int, *, tls: bool) -> None:
        from bench.lab import ADDRESS, ROOT

        directory = lab.directory / f"bare{port}"
        directory.mkdir()
        for path, body in bodies.items():
            (directory / path.strip("/").replace("/", "+")).write_bytes(body)
        argv = [sys.executable, "-m", "bench.peers.bare_asgi", "--port", str(port), "--directory", str(directory)]
        if tls:
            state = next(iter(lab.agents.values())).state_dir
            argv += ["--cert", str(state / "node.crt"), "--key", str(state / "node.key")]
        self.url = f"{'https' if tls else 'http'}://{ADDRESS}:{port}"
        self.process = Process(argv, lab.directory / f"bare{port}.log", cwd=ROOT, env=clean_environment())


def application(bodies: dict[str, bytes]) -> Any:
    """The ASGI application: one look into a dictionary, two messages."""
    messages = {
        path: (
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))],
            },
            {"type": "http.response.body", "body": body},
        )
        for path, body in bodies.items()
    }

    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        start, body = messages[scope["path"]]
        await send(start)
        await send(body)

    return app


def _main() -> None:
    import uvicorn

    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--cert", default=None)
    parser.add_argument("--key", default=None)
    options = parser.parse_args()
    bodies = {"/" + file.name.replace("+", "/"): file.read_bytes() for file in options.directory.iterdir()}
    uvicorn.run(
        application(bodies),
        host="127.0.0.1",
        port=options.port,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        backlog=1024,
        ssl_certfile=options.cert,
        ssl_keyfile=options.key,
    )


if __name__ == "__main__":
    _main()
