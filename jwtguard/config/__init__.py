"""The policy file: ``jwtguard.toml`` read strictly into the one form a guard runs on (R-POL-06)."""

from jwtguard.config.document import load, parse
from jwtguard.config.mistakes import PolicyFileError, mistakes_in

__all__ = ["PolicyFileError", "load", "mistakes_in", "parse"]
