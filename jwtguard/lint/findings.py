"""What the lint says: one finding is one place where a policy is weaker than it could be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """``ERROR`` stops start-up in production; the others are for the reader."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        rule: The requirement it rests on, for example ``R-CLM-05``.
        severity: How bad it is.
        at: Where, for example ``classes.custom.expiry``.
        message: What is wrong and what would mend it, in one sentence.
    """

    rule: str
    severity: Severity
    at: str
    message: str
