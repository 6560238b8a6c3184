"""Keys in a file: read, watched, replaced; nothing bad ever replaces good keys (R-JWK-02)."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from typer.testing import CliRunner

from jwtguard import ConfigurationError, Guard, JwksUri, Limits, Reason, Refusal, events
from jwtguard.cli import application
from jwtguard.core.issuer import Issuer, KeyFile
from jwtguard.core.policy import Config
from tests.kit.fake_clock import FakeClock
from tests.kit.guarded import FORGE, ISSUER, Events, protected
from tests.kit.token_forge import OMIT

LOOK_S = 1.0


def jwk(kid: str, alg: str = "ES256") -> dict[str, Any]:
    """A public key (or secret) of the forge."""
    key = FORGE.key(alg, kid)
    return dict(key.private_jwk() if alg.startswith("HS") else key.public_jwk())


def jwks(*kids: str) -> bytes:
    """The text of a key set."""
    return json.dumps({"keys": [jwk(kid) for kid in kids]}).encode()


def pem(kid: str, alg: str = "ES256") -> bytes:
    """A public key as PEM."""
    private = FORGE.key(alg, kid).private
    assert not isinstance(private, bytes)
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(kid: str) -> bytes:
    """A private key as PEM."""
    private = FORGE.key("ES256", kid).private
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def replace(path: Path, content: bytes) -> None:
    """Replace a file as one should: by renaming another over it."""
    other = path.with_suffix(".new")
    other.write_bytes(content)
    other.replace(path)


class World:
    """A guard whose only issuer keeps its keys in a file."""

    def __init__(self, path: Path, **changes: Any) -> None:
        self.path = path
        self.clock = FakeClock()
        self.events = Events()
        self.issuer = dataclasses.replace(ISSUER, **{"keys": KeyFile(path), **changes})
        self.guard = Guard(self.config(), on_event=self.events, clock=self.clock)
        self.events.clear()

    def config(self, **changes: Any) -> Config:
        """Its policy, changed."""
        return Config(**{"issuers": [self.issuer], "endpoints": [protected("/x")], **changes})

    def token(self, kid: str | None = "k1", *, alg: str = "ES256") -> bytes:
        """A good token that a key of this name signed."""
        claims = FORGE.access_claims(now=self.clock.now(), jti=f"{alg} {kid}")
        header = {} if kid else {"kid": OMIT}
        return FORGE.sign(claims, key=FORGE.key(alg, kid or {"ES256": "k1"}.get(alg, "e1")), header=header)

    def verdict(self, token: bytes) -> Reason | None:
        """Why a token is refused; ``None`` if it is not."""
        try:
            self.guard.verify(token, accept="access")
        except Refusal as refusal:
            return refusal.reason
        return None

    def known(self) -> set[str | None]:
        """The kids in force."""
        return {key.kid for key in self.guard.snapshot.ring.held["login"].key_set.live}

    def look(self) -> set[str | None]:
        """Let a second pass and a request come; the kids in force then."""
        self.clock.advance(LOOK_S)
        self.verdict(b"x")
        return self.known()

    def faults(self) -> list[str]:
        """What was told of failed refreshes."""
        return [event.reason for event in self.events if isinstance(event, events.RefreshFailed)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A key file with one key."""
    found = tmp_path / "keys.json"
    found.write_bytes(jwks("k1"))
    return found


@pytest.mark.parametrize(
    ("content", "kid"),
    [
        (jwks("k1"), "k1"),
        (b"\xef\xbb\xbf" + jwks("k1"), "k1"),
        (json.dumps(jwk("k1")).encode(), "k1"),
        (pem("k1"), None),
        (b"the key of the mesh\n\n" + pem("k1"), None),
    ],
)
def test_a_file_may_hold_a_set_a_key_or_pems(path: Path, content: bytes, kid: str | None) -> None:
    """R-JWK-02: a JWK set, one JWK, or PEM public keys all yield the same kind of key."""
    path.write_bytes(content)
    world = World(path)
    assert world.verdict(world.token(kid)) is None
    assert world.verdict(world.token("k2")) is Reason.NO_KEY


def test_several_pems_make_several_keys(path: Path) -> None:
    """R-JWK-02: all of them are read, as keys without a name: one of an algorithm fits, two do not (R-JWK-14)."""
    path.write_bytes(pem("k1") + b"\n" + pem("e1", "Ed25519"))
    world = World(path, algorithms=("ES256", "Ed25519"))
    assert [world.verdict(world.token(None, alg=alg)) for alg in ("ES256", "Ed25519")] == [None, None]
    replace(path, pem("k1") + pem("k2") + pem("e1", "Ed25519"))
    world.look()
    assert [world.verdict(world.token(None, alg=alg)) for alg in ("ES256", "Ed25519")] == [Reason.NO_KEY, None]


def _rename(path: Path, content: bytes) -> None:
    replace(path, content)


def _in_place(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _backwards(path: Path, content: bytes) -> None:
    """As a package or a restored backup does: another file, older than the one before."""
    replace(path, content)
    os.utime(path, ns=(1, 1))


def _gone_for_a_while(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("change", [_rename, _in_place, _backwards, _gone_for_a_while])
def test_a_change_is_seen_however_it_is_made(path: Path, change: Any) -> None:
    """R-JWK-02: rewritten, renamed over, restored with an old date: the new keys count at the next look."""
    world = World(path)
    change(path, jwks("k2", "k3"))
    assert world.look() == {"k2", "k3"}
    assert world.events[-2:-1] == [events.KeysRefreshed("login", 2)]
    assert world.verdict(world.token("k3")) is None
    assert world.verdict(world.token("k1")) is Reason.NO_KEY


def test_a_change_without_trace_in_size_and_date_is_seen(path: Path) -> None:
    """R-JWK-02: rewritten in place, as long as before, its date set back: the inode's own change time tells."""
    world, dated = World(path), path.stat().st_mtime_ns
    path.write_bytes(jwks("k2"))
    os.utime(path, ns=(dated, dated))
    assert len(jwks("k1")) == len(jwks("k2"))
    assert world.look() == {"k2"}


def test_a_link_that_is_moved_is_seen(tmp_path: Path) -> None:
    """R-JWK-02: as Kubernetes updates a secret: the file is a link through a link, and that one is renamed."""
    for version, kid in (("1", "k1"), ("2", "k2")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "keys.json").write_bytes(jwks(kid))
    (tmp_path / "data").symlink_to("1")
    (tmp_path / "keys.json").symlink_to("data/keys.json")
    world = World(tmp_path / "keys.json")
    assert world.known() == {"k1"}
    (tmp_path / "data_tmp").symlink_to("2")
    (tmp_path / "data_tmp").replace(tmp_path / "data")
    shutil.rmtree(tmp_path / "1")
    assert world.look() == {"k2"}


def test_a_withdrawn_key_dies_for_remembered_tokens_too(path: Path) -> None:
    """R-JWK-02: what was verified under a key counts no longer once the key has left the file."""
    path.write_bytes(jwks("k1", "k2"))
    world = World(path)
    first, second = world.token("k1"), world.token("k2")
    assert [world.verdict(first), world.verdict(second)] == [None, None]
    assert len(world.guard.snapshot.context.memory) == 2
    replace(path, jwks("k2"))
    world.clock.advance(LOOK_S)
    assert [world.verdict(first), world.verdict(second)] == [Reason.NO_KEY, None]


def test_a_key_that_stays_keeps_its_remembered_tokens(path: Path) -> None:
    """R-JWK-02: an unchanged key is the same key after a change beside it."""
    world = World(path)
    (before,) = world.guard.snapshot.ring.held["login"].key_set.live
    replace(path, jwks("k1", "k2"))
    assert world.look() == {"k1", "k2"}
    assert before in world.guard.snapshot.ring.held["login"].key_set.live


def test_after_an_idle_night_the_first_request_meets_the_new_keys(path: Path) -> None:
    """R-JWK-02: a key withdrawn while nobody asked is not accepted once more."""
    world = World(path)
    token = world.token("k1")
    assert world.verdict(token) is None
    replace(path, jwks("k2"))
    world.clock.advance(60)
    assert world.verdict(token) is Reason.NO_KEY


def test_a_second_passes_between_two_looks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-JWK-02: however many requests come, the file is looked at once a second, and read only if it changed."""
    world = World(path)
    looks, reads, plain_stat, plain_open = [], [], Path.stat, os.open

    def count_stat(self: Path, **more: Any) -> os.stat_result:
        looks.extend([1] * (self == path))
        return plain_stat(self, **more)

    def count_open(opened: Any, *args: Any, **more: Any) -> Any:
        reads.extend([1] * (str(opened) == str(path)))
        return plain_open(opened, *args, **more)

    monkeypatch.setattr(Path, "stat", count_stat)
    monkeypatch.setattr(os, "open", count_open)
    token = world.token()
    for _ in range(3):
        world.clock.advance(LOOK_S)
        for _ in range(5):
            assert world.verdict(token) is None
    assert (len(looks), len(reads)) == (3, 0)
    for number, content in enumerate([jwks("k1", "k2"), b"torn"], start=1):
        replace(path, content)
        for _ in range(3):
            world.look()
        assert (len(looks), len(reads)) == (3 + 3 * number, number)


BAD: list[tuple[str, bytes]] = [
    ("not_a_key_set", b""),
    ("not_a_key_set", b" \n"),
    ("not_a_key_set", b"{}"),
    ("not_a_key_set", b"[]"),
    ("not_a_key_set", b'{"keys": {}}'),
    ("not_a_key_set", jwks("k2")[:-20]),
    ("not_a_key_set", jwks("k2") + b"x"),
    ("not_a_key_set", jwks("k2").replace(b'"keys"', b'"keys": [], "keys"')),
    ("not_a_key_set", b"[" * 100_000),
    ("not_a_key_set", b"\xff\xfe" + jwks("k2")),
    ("not_a_key_set", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    ("not_a_key_set", pem("k2") + b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    ("private_key", private_pem("k2")),
    ("private_key", pem("k2") + private_pem("k3")),
    ("file_too_large", jwks("k2") + b" " * 262_144),
    ("too_many_keys", json.dumps({"keys": [jwk("k2")] * 65}).encode()),
    ("no_usable_key", b'{"keys": []}'),
    ("no_usable_key", b'{"keys": [{"kty": "EC"}]}'),
    ("no_usable_key", b"-----BEGIN PUBLIC KEY-----\n"),
    ("no_usable_key", pem("k2") + pem("k3")),
    ("no_usable_key", json.dumps({"keys": [jwk("s", "HS256")]}).encode()),
]


@pytest.mark.parametrize(("fault", "content"), BAD)
def test_a_bad_file_never_replaces_good_keys(path: Path, fault: str, content: bytes) -> None:
    """F20: the keys serve on, one event says why in a closed word, and a good file is taken as soon as it comes."""
    world = World(path)
    token = world.token()
    replace(path, content)
    for _ in range(3):
        assert world.look() == {"k1"}
    assert world.verdict(token) is None
    assert world.faults() == [fault]
    replace(path, jwks("k2"))
    assert world.look() == {"k2"}
    replace(path, content)
    assert world.look() == {"k2"}
    assert world.faults() == [fault, fault]


@pytest.mark.parametrize(("fault", "content"), BAD)
def test_nothing_starts_with_a_bad_file(path: Path, fault: str, content: bytes) -> None:
    """R-JWK-02: at the start there are no good keys to keep, so it is a configuration error."""
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        World(path)
    assert (caught.value.key, caught.value.rule) == ("issuers.login.jwks_file", "R-JWK-02")
    assert fault.replace("_", " ") in caught.value.message
    assert str(path) in caught.value.message


def test_one_bad_key_costs_only_itself(path: Path) -> None:
    """F21: the good ones count, the bad one is reported, private members are dropped and reported."""
    world = World(path)
    secret = {**jwk("k3"), "d": "AAAA"}
    replace(path, json.dumps({"keys": [{"kty": "EC", "kid": "torn"}, jwk("k2"), secret]}).encode())
    assert world.look() == {"k2", "k3"}
    assert [event.kid for event in world.events if isinstance(event, events.KeySkipped)] == ["torn"]
    assert [event.kid for event in world.events if isinstance(event, events.PrivateKeyExposed)] == ["k3"]


def _absent(path: Path) -> str:
    path.unlink()
    return "file_missing"


def _without_folder(path: Path) -> str:
    shutil.rmtree(path.parent)
    return "file_missing"


def _folder(path: Path) -> str:
    path.unlink()
    path.mkdir()
    return "not_a_file"


def _pipe(path: Path) -> str:
    path.unlink()
    os.mkfifo(path)
    return "not_a_file"


def _link_to_itself(path: Path) -> str:
    path.unlink()
    path.symlink_to(path)
    return "file_unreadable"


@pytest.fixture(params=[_absent, _without_folder, _folder, _pipe, _link_to_itself])
def taken_away(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Path, str]]:
    """A world whose file was there at the start, and is no longer; what that is called."""
    (tmp_path / "keys").mkdir()
    path = tmp_path / "keys" / "keys.json"
    path.write_bytes(jwks("k1"))
    world = World(path)
    assert world.verdict(world.token()) is None
    yield world, path, request.param(path)
    assert threading.active_count() < 50


def test_a_file_that_is_gone_leaves_its_keys(taken_away: tuple[World, Path, str]) -> None:
    """R-JWK-02: deleted, or no file any more: the last keys serve on, and one event says so; nothing blocks."""
    world, path, fault = taken_away
    for _ in range(3):
        assert world.look() == {"k1"}
    assert world.verdict(world.token()) is None
    assert world.faults() == [fault]
    with pytest.raises(ConfigurationError, match=fault.replace("_", " ")):
        World(path)


def test_a_file_that_comes_back_is_read(path: Path) -> None:
    """R-JWK-02: also if it is the very file that was there before; the next loss is told again."""
    world, aside = World(path), path.with_suffix(".aside")
    for _ in range(2):
        path.rename(aside)
        assert world.look() == {"k1"}
        aside.rename(path)
        assert world.look() == {"k1"}
    assert world.faults() == ["file_missing", "file_missing"]
    assert events.KeysRefreshed("login", 1) in world.events


def deep(levels: int) -> bytes:
    """A key set whose arrays and objects nest as deep as that."""
    nested: object = 1
    for _ in range(levels - 3):  # the set, its list and the key are three
        nested = [nested]
    return json.dumps({"keys": [jwk("k2") | {"note": nested}]}).encode()


def test_the_bounds_of_a_file(path: Path) -> None:
    """F20, R-JWK-02: as many bytes and as many levels as the bounds say are read, and not one more."""
    world = World(path)
    full = jwks("k2").ljust(Limits().jwks_bytes)
    for good, bad, fault in ((full, full + b" ", "file_too_large"), (deep(16), deep(17), "not_a_key_set")):
        replace(path, good)
        assert world.look() == {"k2"}
        replace(path, jwks("k1"))
        assert world.look() == {"k1"}
        replace(path, bad)
        assert world.look() == {"k1"}
        assert world.faults()[-1] == fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [(OSError(24, "Too many open files"), "file_unreadable"), (FileNotFoundError(2, "gone"), "file_missing")],
)
def test_a_file_that_cannot_be_opened_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, fault: str
) -> None:
    """F27: without a free file descriptor, or between two files, the keys serve on; then the change is seen."""
    world, plain = World(path), os.open
    replace(path, jwks("k2"))

    def fail(*args: Any, **more: Any) -> Any:
        raise error

    monkeypatch.setattr(os, "open", fail)
    assert [world.look(), world.look()] == [{"k1"}, {"k1"}]
    assert world.faults() == [fault]
    monkeypatch.setattr(os, "open", plain)
    assert world.look() == {"k2"}


def test_a_secret_may_stay_in_a_file_and_out_of_the_policy(path: Path) -> None:
    """R-ISS-03: an HMAC issuer's secret comes from a file; nothing shows it."""
    path.write_bytes(json.dumps(jwk("s1", "HS256")).encode())
    world = World(path, algorithms=("HS256",), shared_secret=True)
    assert world.verdict(world.token("s1", alg="HS256")) is None
    replace(path, json.dumps({"keys": [jwk("s2", "HS256")]}).encode())
    assert world.look() == {"s2"}
    assert jwk("s2", "HS256")["k"] not in repr(vars(world.guard)) + repr(world.events) + repr(world.issuer)


def test_a_secret_is_still_never_fetched() -> None:
    """R-ALG-09: HMAC and a published key set do not go together."""
    with pytest.raises(ConfigurationError, match="cannot be fetched"):
        Issuer(
            name="x", issuer="https://x.example", algorithms=("HS256",), keys=JwksUri("https://x.example/k"),
            shared_secret=True,
        )  # fmt: skip


def test_a_public_key_in_the_file_is_no_secret(path: Path) -> None:
    """R-ALG-03: with HMAC allowed, a file of public keys holds no usable key at all."""
    with pytest.raises(ConfigurationError, match="no usable key"):
        World(path, algorithms=("HS256",), shared_secret=True)


def test_a_reload_keeps_the_keys_of_a_file_that_went_bad(path: Path) -> None:
    """R-JWK-02: a policy must be replaceable while a key file is broken."""
    world = World(path)
    replace(path, b"torn")
    world.guard.reload(world.config(endpoints=[protected("/y")]))
    assert world.verdict(world.token()) is None
    assert world.look() == {"k1"}
    replace(path, jwks("k2"))
    world.guard.reload(world.config())
    assert world.known() == {"k2"}


def test_a_reload_with_other_limits_reads_the_file_anew(path: Path) -> None:
    """R-JWK-02: what shapes the keys shapes them from the reload on; a bad file then fails it, and nothing changes."""
    world = World(path)
    with pytest.raises(ConfigurationError, match="too many keys"):
        world.guard.reload(world.config(limits=Limits(jwks_keys=0)))
    assert world.verdict(world.token()) is None


def test_two_who_look_at_once_do_not_wait_for_each_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-JWK-02: while one reads a slow file, others go on with the keys in force."""
    world, plain = World(path), os.open
    reading, let_go = threading.Event(), threading.Event()
    replace(path, jwks("k2"))

    def slow(*args: Any, **more: Any) -> Any:
        reading.set()
        assert let_go.wait(30)
        return plain(*args, **more)

    monkeypatch.setattr(os, "open", slow)
    ring = world.guard.snapshot.ring
    other = threading.Thread(target=ring.refresh_due)
    other.start()
    assert reading.wait(30)
    ring.refresh_due()
    assert world.known() == {"k1"}
    let_go.set()
    other.join(30)
    assert world.known() == {"k2"}


def test_a_process_forked_while_the_file_is_read_still_reads_it(path: Path) -> None:
    """F67: a lock held by a thread of the parent holds up no child."""
    world = World(path)
    keys = world.guard.snapshot.ring._files["login"]
    keys._lock.acquire()
    replace(path, jwks("k2"))
    assert world.look() == {"k1"}
    keys._forked()
    assert world.look() == {"k2"}


POLICY = f"""
[issuers.login]
issuer     = "{FORGE.issuer}"
audience   = "{FORGE.audience}"
algorithms = ["ES256"]
jwks_file  = "keys/login.json"

[[endpoints]]
match  = "/x"
accept = "access"
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy file with a key file in a folder beside it."""
    (tmp_path / "app" / "keys").mkdir(parents=True)
    (tmp_path / "app" / "keys" / "login.json").write_bytes(jwks("k1"))
    found = tmp_path / "app" / "jwtguard.toml"
    found.write_text(POLICY, "utf-8")
    return found


@pytest.mark.parametrize("named", ["app/jwtguard.toml", "absolute"])
def test_a_path_counts_from_the_folder_of_the_policy_file(
    policy: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-JWK-02: wherever the process was started, and however the policy file was named."""
    monkeypatch.chdir(policy.parents[1])
    guard = Guard.from_file(policy if named == "absolute" else named, clock=FakeClock())
    token = FORGE.sign(FORGE.access_claims(), key=FORGE.key())
    assert guard.verify(token, accept="access").subject == "user-1"


def test_an_absolute_path_stays_as_it_is(policy: Path, tmp_path: Path) -> None:
    """R-JWK-02: secrets are often mounted elsewhere."""
    (tmp_path / "login.json").write_bytes(jwks("k1"))
    policy.write_text(POLICY.replace("keys/login.json", str(tmp_path / "login.json")), "utf-8")
    shutil.rmtree(policy.parent / "keys")
    Guard.from_file(policy)


def test_the_command_line_names_the_file(policy: Path) -> None:
    """R-JWK-02: ``check`` shows where the keys are, and says what is wrong with them."""
    shown = CliRunner().invoke(application(), ["check", str(policy)])
    assert shown.exit_code == 0, shown.output
    assert "file " in shown.output
    assert "login.json" in shown.output
    (policy.parent / "keys" / "login.json").unlink()
    shown = CliRunner().invoke(application(), ["check", str(policy)])
    assert shown.exit_code == 1
    assert "R-JWK-02" in shown.output
    assert "file missing" in shown.output


def test_the_lint_judges_the_keys_of_a_file(policy: Path) -> None:
    """R-JWK-13: private members in the file are a warning, as they are inline."""
    content = json.dumps({"keys": [{**jwk("k1"), "d": "AAAA"}]})
    (policy.parent / "keys" / "login.json").write_text(content, "utf-8")
    shown = CliRunner().invoke(application(), ["check", str(policy)])
    assert "R-JWK-13" in shown.output
    assert "a key of the file holds private members" in shown.output
