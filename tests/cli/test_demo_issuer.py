"""The demo issuer, driven over real HTTP."""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator

import httpx2
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError
from joserfc.jwk import KeySet

from jwtguard.cli.demo.issuer import SCOPES, DemoIssuer
from jwtguard.cli.demo.signing import new_signing_key

GRANT = {"grant_type": "client_credentials"}
ACCESS_CLAIMS = {"iss", "sub", "aud", "client_id", "exp", "iat", "jti", "scope"}


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoIssuer]:
    """A running issuer, in a process where Authlib's transport override is not set."""
    monkeypatch.delenv("AUTHLIB_INSECURE_TRANSPORT", raising=False)
    with DemoIssuer() as running:
        yield running


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    """A client that no proxy setting of the machine can send elsewhere."""
    with httpx2.Client(trust_env=False) as client:
        yield client


def request_token(http: httpx2.Client, issuer: DemoIssuer, *, scope: str | None = "reports:read") -> str:
    """Get a token the way a machine does."""
    data = GRANT if scope is None else {**GRANT, "scope": scope}
    answer = http.post(f"{issuer.issuer}/token", data=data, auth=(issuer.client_id, issuer.client_secret))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def published(http: httpx2.Client, issuer: DemoIssuer) -> KeySet:
    """Fetch the JWKS as keys."""
    return KeySet.import_key_set(http.get(issuer.jwks_uri).json())


def kids(http: httpx2.Client, issuer: DemoIssuer) -> list[str]:
    """Fetch the JWKS and list its kids."""
    return [key["kid"] for key in http.get(issuer.jwks_uri).json()["keys"]]


def header_of(token: str) -> dict[str, object]:
    """Read a JOSE header without verifying anything."""
    segment = token.partition(".")[0]
    header: dict[str, object] = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return header


@pytest.mark.parametrize(
    ("document", "model"),
    [
        ("openid-configuration", OpenIDProviderMetadata),
        ("oauth-authorization-server", AuthorizationServerMetadata),
    ],
)
def test_discovery_validates(
    issuer: DemoIssuer, http: httpx2.Client, document: str, model: type[AuthorizationServerMetadata]
) -> None:
    """Both well-known documents are valid metadata and name this issuer exactly."""
    metadata = http.get(f"{issuer.issuer}/.well-known/{document}").json()
    model(metadata).validate()
    assert metadata["issuer"] == issuer.issuer
    assert metadata["jwks_uri"] == issuer.jwks_uri
    assert metadata["scopes_supported"] == list(SCOPES)
    assert http.get(metadata["token_endpoint"]).status_code == 405


def test_jwks_is_public(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """The JWKS holds public members only, says its age limit, and names keys by RFC 7638 thumbprint."""
    answer = http.get(issuer.jwks_uri)
    assert answer.headers["cache-control"] == "max-age=60"
    assert answer.json() == issuer.public_jwks()
    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "use", "alg", "kid"}
    canonical = json.dumps({name: key[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    thumbprint = urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()
    assert key["kid"] == thumbprint == issuer.current_kid


def test_client_credentials_give_an_rfc9068_token(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """A machine's token verifies against the published JWKS and is typed and shaped as RFC 9068 says."""
    answer = http.post(
        f"{issuer.issuer}/token",
        data={**GRANT, "scope": "reports:read reports:write"},
        auth=(issuer.client_id, issuer.client_secret),
    )
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 600
    token = jwt.decode(answer.json()["access_token"], published(http, issuer), algorithms=["ES256"])
    assert token.header == {"alg": "ES256", "typ": "at+jwt", "kid": issuer.current_kid}
    assert set(token.claims) == ACCESS_CLAIMS
    assert token.claims["iss"] == issuer.issuer
    assert token.claims["sub"] == token.claims["client_id"] == "demo-service"
    assert token.claims["aud"] == issuer.audience
    assert token.claims["scope"] == "reports:read reports:write"
    assert token.claims["exp"] - token.claims["iat"] == 600


def test_both_ways_give_the_same_shape(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """A user's token differs from a machine's in the values of its claims only."""
    keys = published(http, issuer)
    machine = jwt.decode(request_token(http, issuer), keys)
    user = jwt.decode(issuer.issue_access("alice", "reports:read"), keys)
    assert user.header == machine.header
    assert set(user.claims) == set(machine.claims)
    same = ("iss", "aud", "client_id", "scope")
    assert [user.claims[name] for name in same] == [machine.claims[name] for name in same]
    assert user.claims["sub"] == "alice"
    assert user.claims["jti"] != machine.claims["jti"]


@pytest.mark.parametrize("name", ["demo-service", "stranger"])
@pytest.mark.parametrize("secret", ["wrong", "fälsch"])
def test_wrong_client_is_refused(issuer: DemoIssuer, http: httpx2.Client, name: str, secret: str) -> None:
    """An unknown client and a wrong secret get 401 invalid_client with a Basic challenge."""
    answer = http.post(f"{issuer.issuer}/token", data=GRANT, auth=(name, secret))
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_secret_counts_in_the_header_only(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """client_secret_basic is the one way to authenticate: the right secret in the form is refused."""
    form = {**GRANT, "client_id": issuer.client_id, "client_secret": issuer.client_secret}
    answer = http.post(f"{issuer.issuer}/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({**GRANT, "scope": "reports:read root"}, "invalid_scope"),
        ({"grant_type": "password", "username": "alice", "password": "x"}, "unsupported_grant_type"),
    ],
)
def test_unregistered_wishes_are_refused(
    issuer: DemoIssuer, http: httpx2.Client, form: dict[str, str], error: str
) -> None:
    """A scope or grant that is not registered gives 400 and no token."""
    answer = http.post(f"{issuer.issuer}/token", data=form, auth=(issuer.client_id, issuer.client_secret))
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_no_scope_means_the_least(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """A request without scope gets the default scope (RFC 6749, section 3.3)."""
    token = jwt.decode(request_token(http, issuer, scope=None), published(http, issuer))
    assert token.claims["scope"] == "reports:read"


def test_foreign_host_is_refused(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """A Host header that is not loopback gets 400, not a server error."""
    answer = http.post(f"{issuer.issuer}/token", data=GRANT, headers={"Host": "login.example.com"})
    assert answer.status_code == 400


def test_changes_replace_and_drop_claims(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """``changes`` replaces or adds a claim, and None leaves it out; the signature stays good."""
    token = issuer.issue_access("alice", "admin", exp=1, aud=["a", "b"], jti=None, tenant="t1")
    claims = jwt.decode(token, published(http, issuer)).claims
    assert (claims["exp"], claims["aud"], claims["tenant"]) == (1, ["a", "b"], "t1")
    assert set(claims) == ACCESS_CLAIMS - {"jti"} | {"tenant"}


def test_id_token_is_no_access_token(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """An ID token is for the client, not the API: its audience is the client and it holds no scope."""
    token = jwt.decode(issuer.issue_id_token("alice"), published(http, issuer))
    assert token.header["typ"] == "JWT"
    assert set(token.claims) == {"iss", "sub", "aud", "iat", "exp"}
    assert token.claims["aud"] == issuer.client_id


def test_rotation_keeps_the_old_key_published(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """After a rotation new tokens carry the new kid, and those of both keys verify."""
    first = issuer.current_kid
    old = request_token(http, issuer)
    second = issuer.rotate()
    new = request_token(http, issuer)
    assert first != second == issuer.current_kid
    assert kids(http, issuer) == [first, second]
    assert (header_of(old)["kid"], header_of(new)["kid"]) == (first, second)
    assert header_of(issuer.issue_access("alice", "admin"))["kid"] == second
    for token in (old, new):
        jwt.decode(token, published(http, issuer))


def test_withdrawn_key_is_gone(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """A withdrawn key leaves the JWKS at once, so its tokens verify no more."""
    first = issuer.current_kid
    old = issuer.issue_access("alice", "reports:read")
    second = issuer.rotate()
    issuer.withdraw(first)
    assert kids(http, issuer) == [second]
    with pytest.raises(InvalidKeyIdError):
        jwt.decode(old, published(http, issuer))
    with pytest.raises(KeyError):
        issuer.withdraw(first)


def test_sign_takes_claims_and_header_as_they_are(issuer: DemoIssuer) -> None:
    """``sign`` adds no member: what a forger writes is what is sent, unsigned tokens included."""
    header = {"alg": "nOnE", "crit": ["x"], "jku": "https://evil.example/keys"}
    token = issuer.sign({"sub": "alice"}, header)
    assert header_of(token) == header
    assert token.endswith(".")
    with pytest.raises(KeyError):
        issuer.sign({}, {"alg": "ES265"})


def test_sign_with_another_key(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """A token signed with a key of one's own under the issuer's kid does not verify."""
    header = {"alg": "ES256", "kid": issuer.current_kid}
    jwt.decode(issuer.sign({"sub": "alice"}, header), published(http, issuer))
    with pytest.raises(BadSignatureError):
        jwt.decode(issuer.sign({"sub": "alice"}, header, new_signing_key()), published(http, issuer))


def test_sign_with_published_bytes_as_secret(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """Any bytes, such as a published key in PEM, can be the HMAC secret of a confusion attack."""
    pem = next(iter(published(http, issuer))).as_pem(private=False)  # type: ignore[union-attr]
    signing_input, _, signature = issuer.sign({}, {"alg": "HS256"}, pem).rpartition(".")
    mac = urlsafe_b64encode(hmac.digest(pem, signing_input.encode(), "sha256")).rstrip(b"=").decode()
    assert signature == mac


def test_stop_and_start_on_the_same_port(issuer: DemoIssuer, http: httpx2.Client) -> None:
    """A stopped issuer refuses connections; started again it is the same issuer."""
    before = (issuer.issuer, kids(http, issuer), issuer.client_secret)
    token = request_token(http, issuer)
    issuer.stop()
    issuer.stop()
    with pytest.raises(httpx2.ConnectError):
        http.get(issuer.jwks_uri)
    issuer.start()
    issuer.start()
    assert (issuer.issuer, kids(http, issuer), issuer.client_secret) == before
    jwt.decode(token, published(http, issuer))


def test_leaving_the_block_stops_the_server() -> None:
    """Nothing is left running after the block: no thread and no listening port."""
    with DemoIssuer() as issuer:
        port = int(issuer.issuer.rpartition(":")[2])
        assert "demo-issuer" in {thread.name for thread in threading.enumerate()}
    assert "demo-issuer" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_taken_port_is_an_error(issuer: DemoIssuer) -> None:
    """A port in use raises OSError; it does not end the process."""
    port = int(issuer.issuer.rpartition(":")[2])
    with pytest.raises(OSError) as caught:  # noqa: PT011  (the number says which)
        DemoIssuer(port=port).start()
    assert caught.value.errno == errno.EADDRINUSE


def test_identifier_needs_a_port() -> None:
    """Without a port there is no issuer identifier; with a given one it is known before the start."""
    with pytest.raises(RuntimeError):
        _ = DemoIssuer().issuer
    assert DemoIssuer(port=8800).issuer == "http://127.0.0.1:8800"


def test_import_stays_off_deprecated_jose() -> None:
    """Running the issuer imports no authlib.jose, warns of nothing and leaves the environment alone."""
    script = (
        "import os, sys; before = dict(os.environ)\n"
        "from jwtguard.cli.demo.issuer import DemoIssuer\n"
        "with DemoIssuer() as issuer: issuer.issue_access('alice', 'admin')\n"
        "assert not [name for name in sys.modules if name.startswith('authlib.jose')]\n"
        "assert dict(os.environ) == before\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
