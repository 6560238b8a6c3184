"""Events: typed values of configured names and closed words (R-OBS-03, R-OBS-04)."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from jwtguard import Reason, events
from jwtguard.core.events import printable
from jwtguard.core.keys import SkipReason

EVENTS = typing.get_args(events.Event)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("k1", "k1"),
        ("é ключ 😀", "é ключ 😀"),
        ("a" * 64, "a" * 64),
        ("a" * 65, "a" * 64),
        ("a\nb\r\tc", "a?b??c"),
        ("\x00\x1b[31m\x7f\x85", "??[31m??"),
        ("\u2028\u202e\u200b\ud800", "????"),
        ("\n" * 100, "?" * 64),
        (None, "None"),
        (7, "7"),
        (["k\n"], "['k\\n']"),
    ],
)
def test_foreign_text_is_made_safe(text: object, shown: str) -> None:
    """R-OBS-04, F24: at most 64 characters, none of them a control, whatever came from outside."""
    assert printable(text) == shown


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_an_event_does_not_change(event: type) -> None:
    """R-OBS-02: an event is a value: equal to its like, and nobody's to change."""
    values = {field.name: "x" for field in dataclasses.fields(event) if field.default is dataclasses.MISSING}
    made = event(**values)
    assert made == event(**values)
    assert hash(made) == hash(event(**values))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, dataclasses.fields(event)[0].name, "y")
    assert not hasattr(made, "__dict__")


def test_no_event_holds_a_token_or_a_claim() -> None:
    """R-OBS-03: the fields of all events are names, closed words, counts and ages, and there are no others."""
    assert {event.__name__: [field.name for field in dataclasses.fields(event)] for event in EVENTS} == {
        "Decided": ["policy", "reason", "issuer", "token_class"],
        "ConnectionEnded": ["policy", "reason"],
        "KeysRefreshed": ["issuer", "keys"],
        "RefreshFailed": ["issuer", "reason"],
        "KeysStale": ["issuer", "age_s"],
        "KeySkipped": ["issuer", "kid", "reason"],
        "PrivateKeyExposed": ["issuer", "kid"],
    }


def test_what_a_decision_says() -> None:
    """R-OBS-02: a decision names its policy and its reason; issuer and class only where a token was verified."""
    refused = events.Decided("reports", Reason.EXPIRED)
    assert (refused.policy, refused.reason, refused.issuer, refused.token_class) == ("reports", Reason.EXPIRED, "", "")
    allowed = events.Decided("reports", None, "login", "access")
    assert (allowed.reason, allowed.issuer, allowed.token_class) == (None, "login", "access")
    assert events.KeySkipped("login", "k1", SkipReason.WEAK).reason == "weak"
