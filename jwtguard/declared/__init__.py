"""Policies written beside the functions they are for, and how they join the ones of the file."""

from jwtguard.declared.declaration import Declaration, declared_on
from jwtguard.declared.registry import Declarations
from jwtguard.declared.strictness import is_at_least, weaker_columns

__all__ = ["Declaration", "Declarations", "declared_on", "is_at_least", "weaker_columns"]
