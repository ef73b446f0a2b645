"""Standard input and output as a TCP connection, for ssh's ProxyCommand: pipe.py HOST PORT."""

from __future__ import annotations

import os
import socket
import sys
import threading


def send(connection: socket.socket) -> None:
    """Until standard input ends."""
    while data := os.read(0, 65536):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def main() -> None:
    """Ends when the other side closes."""
    connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
    connection.settimeout(None)
    threading.Thread(target=send, args=(connection,), daemon=True).start()
    while data := connection.recv(65536):
        while data:
            data = data[os.write(1, data) :]


if __name__ == "__main__":
    main()
