"""The parts of uvicorn that serve HTTP in a loop of ours.

``import uvicorn`` would load its command line, with click and multiprocessing: 2 MiB in every worker for nothing.
Whoever needs a part of uvicorn takes it from here, so that none is loaded the long way by accident.
"""

from __future__ import annotations

from aware_agent.postponed import postpone, without_its_start

postpone("logging.config")  # uvicorn sets up no logs here
with without_its_start("uvicorn"):
    from uvicorn.config import Config
    from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
    from uvicorn.server import Server

__all__ = ["STATUS_LINE", "Config", "HttpToolsProtocol", "RequestResponseCycle", "Server"]
