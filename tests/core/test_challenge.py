"""What a refused client is told: one row per reason, fixed text, nothing about the token (R-ERR-01 to R-ERR-04)."""

from __future__ import annotations

import json

import pytest

from jwtguard import Reason
from jwtguard.core.challenge import OUTCOMES, RETRY_AFTER_S, Answer, Challenges, Outcome
from jwtguard.core.policy import EndpointPolicy
from tests.core.policies import policy

BEARER = 'Bearer error="{}", error_description="{}"'
REQUEST = "The request carries its credential in a way that is not allowed."
TOKEN = "The token is not acceptable here."
BAD_REQUEST = {"ambiguous_credentials", "malformed_credentials", "insecure_transport"}
FORBIDDEN = {"csrf", "rule_refused", "tenant_mismatch", "no_policy"}
CANNOT_TELL = {"keys_unavailable", "store_unavailable"}
OTHERS = BAD_REQUEST | FORBIDDEN | CANNOT_TELL | {"missing_token", "scope_missing"}
CHALLENGES = Challenges()
SCOPED = policy(scopes=frozenset({"b", "a:x"}), any_scopes=frozenset({"c"}))


def fields(answer: Answer) -> dict[str, str]:
    """Return the header fields, each of which occurs once."""
    found = {name.decode(): value.decode() for name, value in answer.headers}
    assert len(found) == len(answer.headers)
    return found


def expect(reasons: set[str], status: int, error: str | None, body: str, sentence: str) -> None:
    """Expect one and the same answer for these reasons, with and without a policy."""
    answers = [CHALLENGES.answer(Reason(name), given) for name in reasons for given in (None, SCOPED, policy())]
    assert {answer.status for answer in answers} == {status}
    assert {answer.body for answer in answers} == {
        json.dumps({"error": body, "error_description": sentence}, separators=(",", ":")).encode()
    }
    shown = [fields(answer) for answer in answers]
    assert all(one == shown[0] for one in shown)
    assert shown[0].get("www-authenticate") == (BEARER.format(error, sentence) if error else None)


def test_every_reason_has_a_row() -> None:
    """R-OBS-01: the table is complete, so that no reason can end without an answer."""
    assert set(OUTCOMES) == set(Reason)


def test_no_credential() -> None:
    """R-ERR-01: without a credential the challenge is bare (RFC 6750, section 3.1)."""
    answer = CHALLENGES.answer(Reason.MISSING_TOKEN, None)
    assert answer.status == 401
    assert fields(answer)["www-authenticate"] == "Bearer"
    assert json.loads(answer.body) == {"error": "no_credential", "error_description": "A credential is required."}


def test_a_malformed_request() -> None:
    """R-ERR-01: a credential malformed at the level of HTTP is the request's fault."""
    expect(BAD_REQUEST, 400, "invalid_request", "invalid_request", REQUEST)


def test_a_bad_token() -> None:
    """R-ERR-01, R-ERR-02: whatever is wrong with a token, too large and revoked included, the answer is one."""
    tokens = {reason.value for reason in Reason} - OTHERS
    assert {"too_large", "revoked", "replayed", "no_key", "expired", "bad_signature", "unproven_binding"} <= tokens
    expect(tokens, 401, "invalid_token", "invalid_token", TOKEN)


def test_forbidden() -> None:
    """R-ERR-01: what no better token could mend has no challenge and no hint."""
    expect(FORBIDDEN, 403, None, "forbidden", "This is not allowed.")


def test_nobody_can_tell() -> None:
    """R-ERR-01: if nobody can tell right now the client is asked to come back and keeps its token."""
    expect(CANNOT_TELL, 503, None, "cannot_tell", "No decision is possible right now.")
    for name in CANNOT_TELL:
        assert fields(CHALLENGES.answer(Reason(name), None))["retry-after"] == str(RETRY_AFTER_S)
    assert RETRY_AFTER_S == 1
    assert [reason for reason in Reason if "retry-after" in fields(CHALLENGES.answer(reason, None))] == [
        Reason.KEYS_UNAVAILABLE, Reason.STORE_UNAVAILABLE,
    ]  # fmt: skip


TOO_LITTLE = BEARER.format("insufficient_scope", "The token does not grant what this needs.")


@pytest.mark.parametrize(
    ("given", "parameters"),
    [
        (None, ""),
        (policy(scopes=frozenset({"b", "a:x"})), ', scope="a:x b"'),
        (policy(any_scopes=frozenset({"d", "c"})), ', scope="c d"'),
        (policy(scopes=frozenset({"!#$%&'()*+,-./:;<=>?@[]^_`{|}~"})), ', scope="!#$%&\'()*+,-./:;<=>?@[]^_`{|}~"'),
    ],
)
def test_a_missing_scope(given: EndpointPolicy | None, parameters: str) -> None:
    """R-POL-07, R-ERR-04: the scopes needed are named, in quotes that none of their characters can leave."""
    answer = CHALLENGES.answer(Reason.SCOPE_MISSING, given)
    assert answer.status == 403
    assert fields(answer)["www-authenticate"] == TOO_LITTLE + parameters
    assert json.loads(answer.body)["error"] == "insufficient_scope"


def test_every_needed_scope_is_named() -> None:
    """R-POL-07: where all of some and one of others are needed, the challenge names scopes of both."""
    named = fields(CHALLENGES.answer(Reason.SCOPE_MISSING, SCOPED))["www-authenticate"].partition('scope="')[2]
    assert set(named.strip('"').split()) >= {"a:x", "b", "c"}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_answer(reason: Reason) -> None:
    """R-ERR-03, R-ERR-09: no answer is stored; each is JSON of its stated length, and none names its reason."""
    answer = CHALLENGES.answer(reason, SCOPED)
    found = fields(answer)
    assert found["cache-control"] == "no-store"
    assert found["content-type"] == "application/json"
    assert found["content-length"] == str(len(answer.body))
    assert list(json.loads(answer.body)) == ["error", "error_description"]
    everything = repr(answer.headers) + repr(answer.body)
    assert reason.value not in everything.replace("A credential is required", "")
    assert all(value.isascii() and value.isprintable() for value in found.values())


def test_answers_are_made_once() -> None:
    """R-OBS-08: but for scopes an answer is fixed, and every outcome has one."""
    assert CHALLENGES.answer(Reason.EXPIRED, None) is CHALLENGES.answer(Reason.REVOKED, SCOPED)
    assert {OUTCOMES[reason] for reason in Reason} == set(Outcome)
