"""A real OAuth 2 issuer on loopback, for the demo and the integration tests.

Authlib's authorization server decides about clients, grants and scopes; Flask and werkzeug serve it.
Machines get their tokens from ``POST /token``. A user's token comes from ``issue_access``: how a
person logs in is not what the demo is about. Forgeries come from ``sign``.

``AUTHLIB_INSECURE_TRANSPORT`` stays unset: it would allow plain http in the whole process, and
Authlib allows http to a loopback address anyway (RFC 8252, section 7.3).
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from types import TracebackType
from typing import Self, cast

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, Response, jsonify
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from jwtguard.cli.demo.signing import ALGORITHM, SigningKeys

HOST = "127.0.0.1"
CLIENT_ID = "demo-service"
SCOPES = ("reports:read", "reports:write", "admin")
DEFAULT_SCOPE = "reports:read"
TOKEN_LIFETIME_S = 600
JWKS_MAX_AGE_S = 60


class DemoIssuer(SigningKeys):
    """An issuer that runs inside a ``with`` block and can be switched off and on.

    Keys, client secret and port outlive ``stop()``: a restarted issuer is the same issuer.
    """

    def __init__(self, *, port: int = 0, audience: str = "https://api.example.com") -> None:
        """Make the keys and the client; nothing listens yet.

        Args:
            port: The loopback port; 0 takes a free one at the first start and keeps it.
            audience: The ``aud`` of access tokens.
        """
        super().__init__()
        self.audience = audience
        self.client_id = CLIENT_ID
        self.client_secret = secrets.token_urlsafe(24)
        self._port = port
        self._running: tuple[BaseWSGIServer, threading.Thread] | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, whatever happened."""
        self.stop()

    def start(self) -> None:
        """Listen and answer. A running issuer is left alone.

        Raises:
            OSError: The port is taken.
        """
        if self._running is not None:
            return
        # Bound here because werkzeug answers a taken port with sys.exit; it duplicates the socket.
        with socket.create_server((HOST, self._port)) as listener:
            self._port = listener.getsockname()[1]
            server = make_server(
                HOST, self._port, _app(self), threaded=True, request_handler=_Quiet, fd=listener.fileno()
            )
        # The argument is the poll interval, which is how long stop() may wait.
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="demo-issuer", daemon=True)
        thread.start()
        self._running = (server, thread)

    def stop(self) -> None:
        """Close the port, so that connections are refused. A stopped issuer is left alone."""
        if self._running is None:
            return
        server, thread = self._running
        self._running = None
        server.shutdown()
        thread.join()  # the thread closes the listening socket on its way out

    @property
    def issuer(self) -> str:
        """The issuer identifier; ``RuntimeError`` while no port is known, before the first start."""
        if self._port == 0:
            message = "the demo issuer has no port before its first start"
            raise RuntimeError(message)
        return f"http://{HOST}:{self._port}"

    @property
    def jwks_uri(self) -> str:
        """Where the JWKS is published."""
        return f"{self.issuer}/jwks.json"

    def issue_access(self, subject: str, scope: str, **changes: object) -> str:
        """Issue an access token (RFC 9068) of the shape that ``POST /token`` gives.

        Args:
            subject: The ``sub``.
            scope: Scopes, separated by spaces. Not checked: the caller is the issuer.
            changes: Claims to replace or add; ``None`` leaves the claim out.
        """
        own = {"aud": self.audience, "client_id": self.client_id, "scope": scope}
        claims = {**self._dated(subject), **own, "jti": secrets.token_urlsafe(16), **changes}
        kept = {name: value for name, value in claims.items() if value is not None}
        return self.sign(kept, {"alg": ALGORITHM, "typ": "at+jwt", "kid": self.current_kid})

    def issue_id_token(self, subject: str) -> str:
        """Issue an OpenID Connect ID token for the demo client: proof of a login, not an access right."""
        claims = {**self._dated(subject), "aud": self.client_id}
        return self.sign(claims, {"alg": ALGORITHM, "typ": "JWT", "kid": self.current_kid})

    def metadata(self) -> dict[str, object]:
        """Return what both well-known documents say."""
        return {
            "issuer": self.issuer,
            "jwks_uri": self.jwks_uri,
            "token_endpoint": f"{self.issuer}/token",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "grant_types_supported": ["client_credentials"],
            "scopes_supported": list(SCOPES),
            # Required (RFC 8414, section 2) even without an authorization endpoint, where it means nothing.
            "response_types_supported": ["none"],
            "subject_types_supported": ["public"],
            # RS256 must be listed (OpenID Connect Discovery, section 3); this issuer never signs with it.
            "id_token_signing_alg_values_supported": [ALGORITHM, "RS256"],
        }

    def _dated(self, subject: str) -> dict[str, object]:
        now = int(time.time())  # noqa: TID251  (Authlib dates the tokens of POST /token the same way)
        return {"iss": self.issuer, "sub": subject, "iat": now, "exp": now + TOKEN_LIFETIME_S}


class _AccessTokens(JWTBearerTokenGenerator):
    """Authlib's own RFC 9068 generator with our key, audience and lifetime."""

    def __init__(self, issuer: DemoIssuer) -> None:
        super().__init__(issuer.issuer, alg=ALGORITHM, expires_generator=lambda *_request: TOKEN_LIFETIME_S)
        self._demo = issuer

    def get_jwks(self) -> object:
        return self._demo.signing_jwks()

    def get_audiences(self, *_request: object) -> str:
        return self._demo.audience


class _DemoClient:
    """The one registered client, in the methods Authlib asks for (its ``ClientMixin``)."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or DEFAULT_SCOPE

    def check_client_secret(self, secret: str) -> bool:
        # Bytes, because compare_digest raises on text that is not ASCII.
        return secrets.compare_digest(secret.encode(), self._secret)

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


class _Quiet(WSGIRequestHandler):
    """A handler without werkzeug's request log: the demo shows requests its own way."""

    log_request = lambda *_request: None  # noqa: E731


def _app(issuer: DemoIssuer) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.config["OAUTH2_SCOPES_SUPPORTED"] = list(SCOPES)
    # Authlib raises past its own error answers when the Host header is not loopback: 400, not 500.
    app.config["TRUSTED_HOSTS"] = [HOST, "localhost"]
    clients = {CLIENT_ID: _DemoClient(issuer.client_secret)}
    server = AuthorizationServer()
    server.init_app(app, query_client=clients.get, save_token=lambda *_token: None)
    server.register_token_generator("default", _AccessTokens(issuer))
    server.register_grant(ClientCredentialsGrant)

    @app.get("/.well-known/openid-configuration")
    @app.get("/.well-known/oauth-authorization-server")
    def metadata() -> Response:
        return jsonify(issuer.metadata())

    @app.get("/jwks.json")
    def jwks() -> Response:
        response = jsonify(issuer.public_jwks())
        response.headers["Cache-Control"] = f"max-age={JWKS_MAX_AGE_S}"
        return response

    @app.post("/token")
    def token() -> Response:
        # The stubs know the framework-free base class only, where this is a tuple.
        return cast("Response", server.create_token_response())

    return app
