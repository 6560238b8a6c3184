"""The corpus as a test: what every release must get right, and proof that the runner can tell right from wrong."""

from __future__ import annotations

import copy
import json
import socket
from pathlib import Path

import pytest

from jwtguard import ConfigurationError, Guard, Reason
from tests.corpus import __main__ as command
from tests.corpus import run
from tests.corpus.build import config_of
from tests.corpus.case import Case, corpus_folders, read_folders
from tests.corpus.outcome import REASON_WORDS, Outcome
from tests.corpus.report import Report

HERE = Path(__file__).parent / "corpus"


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Every case of the folders in use."""
    return list(read_folders(corpus_folders()))


@pytest.fixture(scope="module")
def report(cases: list[Case]) -> Report:
    """What running them all found."""
    return Report.of(run.run_cases(cases))


def one_case(cases: list[Case], level: str, expect: str) -> Case:
    """Return a copy of the first undisputed case of a level with a verdict."""
    chosen = next(c for c in cases if c["level"] == level and c["expect"] == expect and not c.get("strict"))
    return copy.deepcopy(chosen)


def outcome_of(case: Case) -> Outcome:
    """Run one case."""
    ((_, outcome),) = run.run_cases([case])
    return outcome


def test_every_undisputed_verdict_is_right(report: Report) -> None:
    """F54: no forged, confused or malformed token is accepted, and no valid one refused."""
    assert report.wrong == []


def test_nothing_but_an_answer_comes_out(report: Report) -> None:
    """R-HDR-13: hostile input yields a typed refusal, never another exception; F24: and nothing is fetched."""
    assert report.foreign == []


def test_reasons_are_named_rightly(report: Report) -> None:
    """R-OBS-01: at least 97 % of the refusals name a reason the case allows."""
    assert report.total.refusals > 0
    assert report.reason_share >= 0.97, report.remarks


def test_no_case_is_left_out(report: Report) -> None:
    """R-OBS-01: every line of every file is counted, so that no case can be skipped."""
    files = [path for folder in corpus_folders() for path in folder.glob("*.jsonl")]
    lines = sum(bool(line) for path in files for line in path.read_bytes().split(b"\n"))
    assert report.total.cases + report.total.strict == lines
    assert sum(score.cases + score.strict for score in report.families.values()) == lines


def test_every_reason_has_a_translation() -> None:
    """R-OBS-01: a new reason needs a word of the corpus, or the statement that there is none."""
    assert set(REASON_WORDS) == set(Reason)


@pytest.mark.parametrize("level", ["jwt", "http"])
@pytest.mark.parametrize("expect", ["accept", "reject"])
def test_a_wrong_verdict_is_seen(cases: list[Case], level: str, expect: str) -> None:
    """R-HDR-13: the runner reports a verdict that differs from the expected one, in either direction."""
    case = one_case(cases, level, expect)
    assert Report.of([(case, outcome_of(case))]).passed
    case["expect"] = "reject" if expect == "accept" else "accept"
    case["reject_reason"] = "malformed"
    assert not Report.of([(case, outcome_of(case))]).passed


def test_a_wrong_identity_is_seen(cases: list[Case]) -> None:
    """R-IDN-03: accepting a token for another subject than the expected one is a wrong verdict."""
    case = one_case(cases, "jwt", "accept")
    case["expect_identity"]["sub"] += "-other"
    assert not outcome_of(case).is_right(case)


def test_a_wrong_reason_is_seen(cases: list[Case]) -> None:
    """R-OBS-01: a refusal for another reason is a right verdict with a wrong reason."""
    case = one_case(cases, "jwt", "reject")
    case["reject_reason"], case["reason_alts"] = "none of ours", []
    report = Report.of([(case, outcome_of(case))])
    assert report.passed
    assert report.reason_share == 0


def test_a_foreign_exception_is_seen(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """R-ERR-06: whatever else the code under test raises fails the run, also in a disputed case."""
    case = one_case(cases, "jwt", "reject")
    case["strict"] = True
    monkeypatch.setattr(Guard, "verify", lambda *_, **__: 1 / 0)
    report = Report.of(run.run_cases([case]))
    assert not report.passed
    assert "ZeroDivisionError" in report.foreign[0]


@pytest.mark.parametrize("reach", ["connect", "resolve"])
def test_the_network_is_out_of_reach(cases: list[Case], monkeypatch: pytest.MonkeyPatch, reach: str) -> None:
    """F24: an attempt to fetch while a case runs is a foreign outcome, even if the code hides its failure."""

    def fetch(*_: object, **__: object) -> None:
        try:
            if reach == "resolve":
                socket.getaddrinfo("issuer.example.com", 443)
            else:
                with socket.socket() as connection:
                    connection.connect(("127.0.0.1", 9))
        except Exception:  # noqa: BLE001 - as code that hides a failed fetch would
            return

    monkeypatch.setattr(Guard, "verify", fetch)
    assert "NetworkReached" in str(outcome_of(one_case(cases, "jwt", "accept")).foreign)


def test_a_warm_request_decided_otherwise_is_seen(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """F69: a remembered token that is judged otherwise than a new one fails the run."""
    answers = iter([Outcome(accepted=True, identity=("i", "s")), Outcome(reason=Reason.EXPIRED)])

    async def send_request(*_: object) -> Outcome:
        return next(answers)

    monkeypatch.setattr(run, "send_request", send_request)
    assert outcome_of(one_case(cases, "http", "accept")).foreign is not None


def test_explicit_absences_are_needed(cases: list[Case]) -> None:
    """R-GOV-02: without its overrides a case that leaves a check out does not start in production."""
    config = config_of(one_case(cases, "jwt", "accept"))
    bare = type(config)(
        issuers=config.issuers, endpoints=config.endpoints, classes=config.classes, limits=config.limits
    )
    with pytest.raises(ConfigurationError, match="R-CLM-08"):
        Guard(bare)


def test_the_command_reports(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """R-HDR-13: `python -m tests.corpus` ends with the totals, and exits 1 on a wrong verdict of a named folder."""
    lines = (HERE / "http.jsonl").read_text("utf-8").splitlines()
    case = next(case for case in map(json.loads, lines) if case["expect"] == "accept" and not case.get("strict"))
    keys = (HERE / "jwks.json").read_bytes()
    (tmp_path / "some-jwks.json").write_bytes(keys)
    monkeypatch.setattr("sys.argv", ["corpus"])
    monkeypatch.setattr(command, "corpus_folders", lambda: [tmp_path])
    for expect, status in (("accept", 0), ("reject", 1)):
        (tmp_path / "one.jsonl").write_text(json.dumps({**case, "expect": expect, "reject_reason": "expired"}) + "\n")
        assert command.main() == status
        shown = capsys.readouterr().out.splitlines()
        assert shown[-1].startswith(f"1 cases: verdicts {1 - status}/1, wrong accepts {status}, ")
        assert any(case["id"] in line for line in shown) is bool(status)


def test_folders_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """R-HDR-13: JWTGUARD_CORPUS adds folders, and one without cases is an error rather than a clean run."""
    monkeypatch.setenv("JWTGUARD_CORPUS", f"{tmp_path}:")
    assert corpus_folders() == [HERE, tmp_path]
    with pytest.raises(ValueError, match="holds no"):
        list(read_folders([tmp_path]))
