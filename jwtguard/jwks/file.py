"""Keys in a file of this machine, read again whenever it changes (R-JWK-02).

The rules:

- a look is one ``stat``, at most once a second, by whoever asks for a decision then or by the lifespan; only a file
  that changed is read, and that costs what importing its keys costs: at most ``jwks_keys`` of them;
- it follows links, so a file that is replaced by renaming and a link that is moved (as Kubernetes does) are seen;
- what cannot be used never replaces good keys, however it came about: half written, empty, gone, unreadable;
- a key that is no longer in the file is out of force at that look, for remembered tokens too.

Replace the file by renaming another over it. While it is written in place, keys that are not there yet are missing.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from jwtguard.core import events
from jwtguard.core.issuer import Issuer
from jwtguard.core.key_import import Published, import_key_set, read_pem
from jwtguard.core.keys import NO_KEYS, HeldKeys, KeySet
from jwtguard.core.limits import Limits
from jwtguard.core.strict_json import json_reader
from jwtguard.errors import ConfigurationError
from jwtguard.jwks.ring import Emit, report_keys
from jwtguard.portal import in_every_child

_Signature: TypeAlias = tuple[int, ...]

_NEVER = float("inf")
_DEPTH = 16
_BOM = b"\xef\xbb\xbf"
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


class FileFault(StrEnum):
    """Why a key file is not used. Closed, so that events can be counted."""

    MISSING = "file_missing"
    NOT_A_FILE = "not_a_file"
    UNREADABLE = "file_unreadable"
    TOO_LARGE = "file_too_large"
    NOT_KEYS = "not_a_key_set"
    PRIVATE_PEM = "private_key"
    TOO_MANY = "too_many_keys"
    NOT_USABLE = "no_usable_key"


_PASSING = (FileFault.MISSING, FileFault.NOT_A_FILE, FileFault.UNREADABLE)  # nothing was read, so look again


class _Faulty(Exception):  # noqa: N818 - control flow inside this file, not an error of the caller
    def __init__(self, fault: FileFault) -> None:
        self.fault = fault


class FileKeys:
    """The keys of one issuer, kept in a file.

    Attributes:
        held: The keys in force; they end with what replaces them.
    """

    def __init__(self, issuer: Issuer, path: str, limits: Limits, emit: Emit) -> None:
        """Read the file for the first time.

        Raises:
            ConfigurationError: It cannot be read, or no key in it can be used.
        """
        self._issuer = issuer
        self._path = path
        self._limits = limits
        self._emit = emit
        self._lock = threading.Lock()
        self._fault: FileFault | None = None
        try:
            self._seen: _Signature | None = _signature_of(path)
            key_set = self._read(NO_KEYS)
        except _Faulty as faulty:
            message = f"the key file {path} cannot be used: {faulty.fault.replace('_', ' ')}"
            raise ConfigurationError(message, key=f"issuers.{issuer.name}.jwks_file", rule="R-JWK-02") from None
        self.held = HeldKeys(key_set, _NEVER, _NEVER)
        in_every_child(self._forked)

    def refresh_if_due(self) -> None:
        """Look whether the file changed, and read it if it did. Nobody waits for somebody else who reads it."""
        try:
            seen = _signature_of(self._path)
        except _Faulty as faulty:
            self._keep(faulty.fault)
            return
        if seen != self._seen and self._lock.acquire(blocking=False):
            try:
                self._replace(seen)
            finally:
                self._lock.release()

    def _replace(self, seen: _Signature) -> None:
        self._seen = seen  # taken before reading: what is written meanwhile is another change
        try:
            key_set = self._read(self.held.key_set)
        except _Faulty as faulty:
            self._keep(faulty.fault)
            return
        self._fault = None
        self.held.key_set = key_set
        self._emit(events.KeysRefreshed(self._issuer.name, len(key_set.live)))

    def _keep(self, fault: FileFault) -> None:
        """Keep the keys, and tell once why."""
        if fault in _PASSING:
            self._seen = None
        if fault is not self._fault:
            self._fault = fault
            self._emit(events.RefreshFailed(self._issuer.name, fault))

    def _read(self, previous: KeySet) -> KeySet:
        jwks = _jwks_of(_content_of(self._path, self._limits.jwks_bytes), self._limits)
        # A file of our own is like keys written in the policy: it may hold the secret of an HMAC issuer.
        key_set = import_key_set(jwks, self._issuer.algorithms, Published.INLINE, previous)
        report_keys(self._issuer.name, key_set, self._emit)
        if not key_set.live:
            raise _Faulty(FileFault.NOT_USABLE)
        return key_set

    def _forked(self) -> None:
        self._lock = threading.Lock()  # the parent's may be held by a thread that this process does not have


def _signature_of(path: str) -> _Signature:
    """Return what changes when a file does: which one it is, its size, and when it was written and changed."""
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        raise _Faulty(FileFault.MISSING) from None
    except (OSError, ValueError):  # ValueError: a path that holds NUL
        raise _Faulty(FileFault.UNREADABLE) from None
    if not stat.S_ISREG(found.st_mode):  # a pipe would hold up whoever opens it
        raise _Faulty(FileFault.NOT_A_FILE)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _content_of(path: str, most_bytes: int) -> bytes:
    try:
        # It may have become a pipe since it was looked at: opening one waits, unless told not to.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _Faulty(FileFault.NOT_A_FILE)
            content = file.read(most_bytes + 1)
    except FileNotFoundError:
        raise _Faulty(FileFault.MISSING) from None
    except OSError:
        raise _Faulty(FileFault.UNREADABLE) from None
    if len(content) > most_bytes:
        raise _Faulty(FileFault.TOO_LARGE)
    return content.removeprefix(_BOM)  # some editors write a byte order mark


def _jwks_of(content: bytes, limits: Limits) -> list[object]:
    """Read a JWK set, one JWK, or the PEM texts of public keys."""
    jwks = _pem_keys(content) if b"-----BEGIN " in content else _json_keys(content, limits)
    if len(jwks) > limits.jwks_keys:
        raise _Faulty(FileFault.TOO_MANY)
    return jwks


def _json_keys(content: bytes, limits: Limits) -> list[object]:
    try:
        document = json_reader(depth=_DEPTH, members=limits.json_members)(content)
    except ValueError:
        raise _Faulty(FileFault.NOT_KEYS) from None
    keys = document.get("keys", [document] if "kty" in document else None)
    if not isinstance(keys, list):
        raise _Faulty(FileFault.NOT_KEYS)
    return keys


def _pem_keys(content: bytes) -> list[object]:
    found = [match.group() for match in _PEM.finditer(content.decode("utf-8", "replace"))]
    if any("PRIVATE" in text for text in found):
        raise _Faulty(FileFault.PRIVATE_PEM)
    try:
        return [read_pem(text) for text in found]
    except ValueError:
        raise _Faulty(FileFault.NOT_KEYS) from None
