"""Rules over a policy table, each with an id of docs/requirements.md (R-GOV-01)."""

from jwtguard.lint.findings import Finding, Severity
from jwtguard.lint.rules import lint, stop_on_errors

__all__ = ["Finding", "Severity", "lint", "stop_on_errors"]
