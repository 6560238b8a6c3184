"""The demo, played as a user plays it, and its judgement when something is not as expected."""

from __future__ import annotations

import dataclasses
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from typing import IO

import httpx2
import pytest
import typer
from rich.console import Console

from jwtguard import Reason
from jwtguard.cli.demo import run, scenes
from jwtguard.cli.demo.scenes import SCENES, Scene, Verdict
from jwtguard.cli.demo.servers import AttackerServer
from jwtguard.cli.demo.show import play
from jwtguard.cli.demo.stage import running
from jwtguard.cli.demo.world import Decisions, World
from jwtguard.core.events import Decided, KeysRefreshed

TOKEN = re.compile(r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
PROMISED = {  # section 7 of the issue, each by the reason or the words that show it
    "good token": "a user's token",
    "none": "missing_token",
    "tampered": "bad_signature",
    "expired": "expired",
    "wrong audience": "bad_audience",
    "ID token as access token": "wrong_class",
    "alg none": "alg none",
    "HS256 signed with the public key": "HS256, signed with the public key",
    "jku to an attacker": "bad_header",
    "unknown kid": "unknown kid",
    "missing scope": "scope_missing",
    "rotation": "a token by the new key",
    "issuer off": "The issuer is off",
    "withdrawn key": "the withdrawn key's token",
}


@pytest.fixture(scope="module")
def played() -> subprocess.CompletedProcess[str]:
    """The whole demo, in a process of its own."""
    command = [sys.executable, "-X", "utf8", "-W", "error", "-m", "jwtguard", "demo"]
    return subprocess.run(command, capture_output=True, timeout=120, check=False, encoding="utf-8")


def test_everything_is_as_expected(played: subprocess.CompletedProcess[str]) -> None:
    """Section 7: the demo exits with 0, ticks every line, and writes nothing to standard error."""
    assert (played.returncode, played.stderr) == (0, "")
    lines = [line for line in played.stdout.splitlines() if line.startswith(("\u2713", "\u2717"))]
    assert len(lines) == len(SCENES) + 1
    assert all(line.startswith("\u2713") for line in lines)
    assert f"{len(lines)} of {len(lines)} as expected" in played.stdout


@pytest.mark.parametrize("scene", PROMISED)
def test_every_promised_scene_is_there(played: subprocess.CompletedProcess[str], scene: str) -> None:
    """Section 7: each scene that the demo promises is shown."""
    assert PROMISED[scene] in played.stdout


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.title)
def test_a_line_shows_the_whole_verdict(played: subprocess.CompletedProcess[str], scene: Scene) -> None:
    """Section 7: request, verdict, status, challenge and reason stand on one line."""
    (line,) = (line for line in played.stdout.splitlines() if line[2:].startswith(f"{scene.title}  "))
    verdict = "refused" if scene.expected.reason else "allowed"
    for part in (
        scene.request,
        verdict,
        str(scene.expected.status),
        scene.expected.reason or "",
        scene.expected.challenge,
    ):
        assert part in line


def test_no_token_is_shown(played: subprocess.CompletedProcess[str]) -> None:
    """R-OBS-03: the output holds no token, and no part of one."""
    assert TOKEN.search(played.stdout) is None
    assert "eyJ" not in played.stdout


def test_the_end_tells_how_to_go_on(played: subprocess.CompletedProcess[str]) -> None:
    """Section 7: the demo ends by telling how to keep it running and how to call it."""
    end = played.stdout.partition("as expected")[2]
    assert "make demo ARGS=--serve" in end
    assert "curl -i http://127.0.0.1:" in end
    assert "0 visits" in played.stdout


@pytest.fixture
def free_pair() -> int:
    """A port that is free, like the one after it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as one:
            port: int = one.getsockname()[1]
            try:
                with socket.create_server(("127.0.0.1", port + 1)):
                    return port
            except (OSError, OverflowError):
                continue


def test_it_keeps_running(free_pair: int) -> None:
    """Section 7: with --serve the printed lines get a token and use it, until Ctrl-C ends the demo with 0."""
    command = [sys.executable, "-X", "utf8", "-m", "jwtguard", "demo", "--serve", "--port", str(free_pair)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as demo:
        assert demo.stdout is not None
        output = read_until(demo.stdout, "Ctrl-C")
        try:
            said = re.search(r"-u (\S+):(\S+) .*?(http://\S+/token) .*(http://\S+)\n", output, re.DOTALL)
            assert said is not None
            user, secret, token_url, api_url = said.groups()
            assert api_url == f"http://127.0.0.1:{free_pair}/reports/7"
            grant = {"grant_type": "client_credentials", "scope": "reports:read"}
            issued = httpx2.post(token_url, data=grant, auth=(user, secret), trust_env=False)
            headers = {"Authorization": f"Bearer {issued.json()['access_token']}"}
            assert httpx2.get(api_url, headers=headers, trust_env=False).status_code == 200
        finally:
            demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0


def read_until(stream: IO[str], word: str) -> str:
    """Read lines to the first that holds a word."""
    lines = []
    for line in stream:
        lines.append(line)
        if word in line:
            break
    return "".join(lines)


@pytest.fixture
def world() -> Iterator[World]:
    """The servers of the demo."""
    with running(0) as world:
        yield world


def lines_of(scenes: list[Scene], world: World) -> tuple[list[str], str]:
    """Play some scenes; return the mismatches and what was printed."""
    output = StringIO()
    return play(scenes, world, Console(file=output, width=200)), output.getvalue()


def wrong(scene: Scene, **changes: object) -> Scene:
    """A scene that expects something else than it should."""
    return dataclasses.replace(scene, expected=dataclasses.replace(scene.expected, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"status": 200}, {"reason": Reason.EXPIRED}, {"reason": None}, {"challenge": "Bearer"}, {"challenge": ""}],
)
def test_a_wrong_expectation_is_found(world: World, changes: dict[str, object]) -> None:
    """Section 7: status, reason and challenge all count; what differs is crossed, and listed at the end."""
    tampered = next(scene for scene in SCENES if scene.title.startswith("tampered"))
    mismatches, output = lines_of([tampered, wrong(tampered, **changes)], world)
    assert len(mismatches) == 1
    assert "got 401 bad_signature" in mismatches[0]
    assert (output.count("\u2713"), output.count("\u2717")) == (2, 1)
    assert "2 of 3 as expected" in output
    assert mismatches[0] in output


def test_a_visit_to_the_attacker_is_found(world: World) -> None:
    """F24: had anything followed the jku, the demo would say so and fail."""
    with pytest.raises(httpx2.HTTPError):
        httpx2.get(world.attacker.url, timeout=0.2, trust_env=False)
    mismatches, output = lines_of([], world)
    assert mismatches == ["the attacker's server: expected 0 visits, got 1"]
    assert "1 visits" in output


def test_a_mismatch_ends_with_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 7: the command exits non-zero if any verdict differs."""
    monkeypatch.setattr(scenes, "SCENES", (wrong(SCENES[0], status=404),))
    with pytest.raises(typer.Exit) as ended:
        run.demo()
    assert ended.value.exit_code == 1


def test_a_taken_port_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """A port that is taken ends the command with one line, not with a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(typer.Exit) as ended:
        run.demo(port=min(taken.getsockname()[1], 65534))
    assert ended.value.exit_code == 2
    assert "choose another port" in capsys.readouterr().err


def test_output_without_unicode(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that knows only ASCII gets other marks."""
    monkeypatch.setattr(Console, "encoding", "ascii")
    _, output = lines_of([SCENES[0], wrong(SCENES[0], status=404)], world)
    assert output.isascii()


def test_decisions_are_matched_to_requests() -> None:
    """A reason is shown only if it must be that request's: no decision, or two, is an error."""
    decisions = Decisions()
    decisions(KeysRefreshed("demo", 1))
    with pytest.raises(RuntimeError, match="decided 0"):
        decisions.take()
    decisions(Decided("a", Reason.EXPIRED))
    assert decisions.take().reason is Reason.EXPIRED
    decisions(Decided("a", None))
    decisions(Decided("b", Reason.NO_KEY))
    with pytest.raises(RuntimeError, match="decided 2"):
        decisions.take()


def test_the_attacker_counts_connections() -> None:
    """F24: the attacker's server sees a connection even if nothing is sent."""
    with AttackerServer() as attacker:
        assert attacker.visits() == 0
        port = int(attacker.url.rpartition(":")[2].partition("/")[0])
        socket.create_connection(("127.0.0.1", port)).close()
        assert (attacker.visits(), attacker.visits()) == (1, 1)


def test_verdict_in_words() -> None:
    """A mismatch reads like the line it belongs to."""
    assert Verdict(200).text == "200 allowed"
    assert Verdict(401, Reason.MISSING_TOKEN, "Bearer").text == "401 missing_token Bearer"
