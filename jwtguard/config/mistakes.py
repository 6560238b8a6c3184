"""Mistakes in a policy file, told with the file's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jwtguard.errors import ConfigurationError


class PolicyFileError(ConfigurationError):
    """A policy file that cannot be used as written.

    ``str()`` begins with the file's name; ``message``, ``key`` and ``rule`` are those of the mistake.

    Args:
        mistake: What is wrong.
        file: The name of the file, as the reader knows it.
    """

    def __init__(self, mistake: ConfigurationError, file: str) -> None:
        """Put the file's name before the mistake."""
        super().__init__(mistake.message, key=mistake.key, rule=mistake.rule)
        self.args = (f"{file}: {mistake}",)
        self.file = file


@contextmanager
def mistakes_in(file: str) -> Iterator[None]:
    """Name the file in every ``ConfigurationError`` of the block.

    A policy is read here but proven elsewhere, so whoever goes on to build a table from a file wraps
    that too: the author should always learn which file to open.

    Args:
        file: The name of the file, as the reader knows it.

    Raises:
        PolicyFileError: In place of any other ``ConfigurationError``.
    """
    try:
        yield
    except PolicyFileError:
        raise
    except ConfigurationError as mistake:
        raise PolicyFileError(mistake, file) from None
