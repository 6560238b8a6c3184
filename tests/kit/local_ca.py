"""A certificate authority for one test run."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from datetime import datetime

import trustme

from tests.kit.thread_server import Serve


class LocalCa:
    """Certificates that only its own clients trust."""

    def __init__(self) -> None:
        self._ca = trustme.CA(key_type=trustme.KeyType.ECDSA)

    @property
    def pem(self) -> bytes:
        """The certificate of the authority."""
        return self._ca.cert_pem.bytes()

    def server_context(self, host: str = "127.0.0.1", *, not_after: datetime | None = None) -> ssl.SSLContext:
        """Be the server that this host name or address belongs to."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = self._ca.issue_cert(host, not_after=not_after, key_type=trustme.KeyType.ECDSA)
        certificate.configure_cert(context)
        return context

    def self_signed_context(self) -> ssl.SSLContext:
        """Be a server that presents the certificate of the authority itself."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with self._ca.cert_pem.tempfile() as certificate, self._ca.private_key_pem.tempfile() as key:
            context.load_cert_chain(certificate, key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Be a client that trusts this authority and no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._ca.configure_trust(context)
        return context


def handshake_only(context: ssl.SSLContext) -> Serve:
    """Shake hands and wait. A handshake that fails ends with an alert, which asyncio's own servers do not send."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        while data := await reader.read(1024):
            incoming.write(data)
            with suppress(ssl.SSLError):  # including that more data is wanted
                tls.do_handshake()
            writer.write(outgoing.read())
            await writer.drain()

    return serve
