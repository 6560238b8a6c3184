"""One server process of ``servers``: an application of ``apps`` under uvicorn on a free loopback port.

Reads the issuer's JWK from standard input, prints the port, and serves until it is told to end. It trusts
``X-Forwarded-Proto`` from loopback, as a server behind a TLS proxy does (``--proxy-headers``).
"""

from __future__ import annotations

import json
import socket
import sys

import uvicorn

from benchmarks.apps import APPS


def main(name: str) -> None:
    """Serve one application."""
    app = APPS[name](json.loads(sys.stdin.readline()))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, forwarded_allow_ips="127.0.0.1")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
