"""Token cookies, set and cleared in one way (R-STO-01, R-STO-02, R-STO-09).

A token cookie has the strongest form browsers offer: a ``__Host-`` name, ``Secure``, ``HttpOnly``, ``Path=/``, no
``Domain``, ``SameSite=Strict``, and a life that ends with the token's. Whatever is weaker has its reason written beside
it, under the name of what it gives up; ``weaker`` is read-only and can be listed::

    SESSION = TokenCookie()
    REFRESH = TokenCookie(name="__Secure-refresh", path="/renew")
    SHARED = TokenCookie(name="__Secure-token", domain="example.com", weaker={"domain": "two sites until March"})

``set`` and ``clear`` return header fields, ``Set-Cookie`` and then ``Cache-Control: no-store``. In a response of

- Starlette or FastAPI: ``for field in SESSION.clear(): response.headers.append(*field)``
- Flask: ``response.headers.extend(SESSION.clear())``
- Django: ``(_, cookie), (name, value) = SESSION.clear(); response.cookies.load(cookie); response[name] = value``

Chromium and Firefox take ``Secure`` cookies from ``http://localhost`` too, so development needs nothing weaker.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from jwtguard.errors import ConfigurationError, JwtGuardError, unknown

Fields: TypeAlias = tuple[tuple[str, str], tuple[str, str]]

_NAME_AND_VALUE_BYTES = 4096  # what every browser keeps (RFC 6265, section 6.1)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_OCTETS = re.compile(r"[!#-+\--:<-\[\]-~]+")  # cookie-octet: RFC 6265, section 4.1.1
_PATH = re.compile(r"/[ -:<-~]*")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
# What a browser demands of a name that begins so: the longest match is the one that counts.
_HOST, _SECURE = ("__Host-Http-", "__Host-"), ("__Http-", "__Secure-")
_PREFIXES = (*_HOST, *_SECURE)
_RULE = "R-STO-01"


class CookieTooLargeError(JwtGuardError):
    """Name and value together are longer than browsers keep; they would drop the cookie without a word."""


class CookieValueError(JwtGuardError):
    """A value cannot be put in a cookie, or its life has no end. The message shows nothing of it."""


class SameSite(StrEnum):
    """Which requests of other sites a browser sends the cookie with."""

    STRICT = "Strict"
    LAX = "Lax"
    NONE = "None"


class Weakness(StrEnum):
    """What a token cookie may give up, with a reason."""

    SECURE = "secure"  # sent over plain http
    HTTP_ONLY = "http_only"  # readable by scripts
    DOMAIN = "domain"  # sent to every sub-domain, and set by every one
    SAME_SITE = "same_site"  # sent with every request of any site
    PREFIX = "prefix"  # a name that does not make the browser hold the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCookie:
    """A cookie that carries a token.

    Attributes:
        name: With the prefix ``__Host-`` or ``__Host-Http-``; ``__Secure-`` or ``__Http-`` if it is limited to a path.
        path: Other than ``/`` only for what few paths need, such as a refresh token.
        same_site: ``Strict``, or ``Lax`` where links from other sites should arrive signed in.
        domain: The site whose every host shares the cookie; empty, as it should be: this host alone.
        weaker: The reason for everything given up (``Weakness``). To leave out ``Secure`` or ``HttpOnly``, the reason
            is all there is to write; a domain, ``SameSite=None`` or a name without prefix needs one.
    """

    name: str = "__Host-token"
    path: str = "/"
    same_site: SameSite = SameSite.STRICT
    domain: str = ""
    weaker: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Refuse a cookie that browsers would refuse, and one that is weaker than it says.

        Raises:
            ConfigurationError: It is malformed, contradicts its prefix, or gives something up without a reason, or
                has a reason but gives nothing up.
        """
        reasons: Mapping[str, object] = self.weaker
        for name, reason in reasons.items():
            if name not in set(Weakness):
                what = "attribute"
                raise unknown(what, name, Weakness, key=f"{self._key}.weaker", rule=_RULE)
            if not isinstance(reason, str) or not reason.strip():
                self._refuse(f"weaker.{name}", "needs a reason")
        object.__setattr__(
            self, "weaker", MappingProxyType({Weakness(name): self.weaker[name] for name in self.weaker})
        )
        _check_form(self)
        self._check_prefix()
        self._check_reasons()

    @property
    def _key(self) -> str:
        return f"cookies.{self.name}"

    def _refuse(self, column: str, message: str) -> None:
        raise ConfigurationError(message, key=f"{self._key}.{column}", rule=_RULE)

    def _check_prefix(self) -> None:
        prefix = _prefix_of(self.name)
        if prefix and Weakness.SECURE in self.weaker:
            self._refuse("name", f"browsers take {prefix} cookies only with Secure")
        if prefix in _HOST and (self.path != "/" or self.domain):
            self._refuse("name", f"browsers take {prefix} cookies only with Path=/ and no Domain; use __Secure-")
        if "Http-" in prefix and Weakness.HTTP_ONLY in self.weaker:
            self._refuse("name", f"browsers take {prefix} cookies only with HttpOnly")
        if self.same_site == SameSite.NONE and Weakness.SECURE in self.weaker:
            self._refuse("same_site", "browsers take SameSite=None only with Secure")

    def _check_reasons(self) -> None:
        strongest = _SECURE if self.path != "/" or self.domain else _HOST
        given_up = {
            Weakness.DOMAIN: bool(self.domain),
            Weakness.SAME_SITE: self.same_site == SameSite.NONE,
            Weakness.PREFIX: _prefix_of(self.name) not in strongest,
        }
        for weakness, true in given_up.items():
            if true and weakness not in self.weaker:
                hint = f" (the name could begin with {strongest[-1]})" if weakness is Weakness.PREFIX else ""
                message = f"is weaker than it could be{hint}; give the reason: weaker={{{weakness.value!r}: '…'}}"
                self._refuse("name" if weakness is Weakness.PREFIX else weakness, message)
            if not true and weakness in self.weaker:
                self._refuse(f"weaker.{weakness}", "is a reason for nothing: this cookie does not give that up")

    def set(self, token: str | bytes, *, expires_at: float, now: float) -> Fields:
        """Return the header fields that give a token to a browser.

        A token that has no whole second left to live is not sent: the fields are then those of ``clear``.

        Args:
            token: The token, which neither errors nor ``repr`` ever show.
            expires_at: When it expires, as a NumericDate. The cookie never lives longer.
            now: The present, as a NumericDate.

        Raises:
            CookieTooLargeError: Name and value exceed 4096 bytes.
            CookieValueError: The value is empty or holds what no cookie may hold, or ``expires_at`` is no date.
        """
        return _fields(self.name, _value(self.name, token), _life(expires_at, now), self._attributes())

    def clear(self) -> Fields:
        """Return the header fields that take it back: a browser matches name, path and domain."""
        return _fields(self.name, "", 0, self._attributes())

    def _attributes(self) -> str:
        domain = f"; Domain={self.domain}" if self.domain else ""
        secure = "" if Weakness.SECURE in self.weaker else "; Secure"
        http_only = "" if Weakness.HTTP_ONLY in self.weaker else "; HttpOnly"
        return f"; Path={self.path}{domain}{secure}{http_only}; SameSite={self.same_site}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CsrfCookie:
    """The cookie half of a double submit: a page's script reads it and sends its value back in a header (R-STO-04).

    So it has no ``HttpOnly``; it holds a proof about the session (``jwtguard.core.csrf``), never a token.

    Attributes:
        name: Begins with ``__Host-``, so that no other host of the site can plant one.
        same_site: As the token cookie it goes with.
    """

    name: str = "__Host-csrf"
    same_site: SameSite = SameSite.STRICT

    def __post_init__(self) -> None:
        """Refuse a name that another host could set, or that scripts could not read.

        Raises:
            ConfigurationError: The name is malformed or begins otherwise, or ``SameSite`` is ``None``.
        """
        _check_name(self.name)
        if _prefix_of(self.name) != "__Host-":
            message = "must begin with __Host-, and not with __Host-Http-: scripts read this cookie"
            raise ConfigurationError(message, key=f"cookies.{self.name}.name", rule="R-STO-04")
        if self.same_site not in (SameSite.STRICT, SameSite.LAX):
            message = "must be Strict or Lax"
            raise ConfigurationError(message, key=f"cookies.{self.name}.same_site", rule="R-STO-04")

    def set(self, value: str, *, expires_at: float, now: float) -> Fields:
        """Return the header fields, as ``TokenCookie.set`` does, for the value of ``csrf_token``."""
        return _fields(self.name, _value(self.name, value), _life(expires_at, now), self._attributes())

    def clear(self) -> Fields:
        """Return the header fields that take it back."""
        return _fields(self.name, "", 0, self._attributes())

    def _attributes(self) -> str:
        return f"; Path=/; Secure; SameSite={self.same_site}"


def _prefix_of(name: str) -> str:
    return next((prefix for prefix in _PREFIXES if name.startswith(prefix)), "")


def _check_name(name: str) -> None:
    """Refuse what is no name, or one whose prefix only the browser would see: browsers compare without case."""
    folded = next((prefix for prefix in _PREFIXES if name.lower().startswith(prefix.lower())), "")
    if not _NAME.fullmatch(name) or folded != _prefix_of(name) or name in _PREFIXES:
        message = f"{name!r} is no cookie name; one such as __Host-token is"
        raise ConfigurationError(message, key="cookies", rule=_RULE)


def _check_form(cookie: TokenCookie) -> None:
    _check_name(cookie.name)
    malformed = {
        "path": not _PATH.fullmatch(cookie.path),
        "domain": bool(cookie.domain) and not _DOMAIN.fullmatch(cookie.domain),
        "same_site": cookie.same_site not in set(SameSite),
    }
    for column in (column for column, bad in malformed.items() if bad):
        message = f"{getattr(cookie, column)!r} cannot be used"
        raise ConfigurationError(message, key=f"cookies.{cookie.name}.{column}", rule=_RULE)


def _life(expires_at: float, now: float) -> int:
    if not math.isfinite(expires_at) or not math.isfinite(now):
        message = "a token that never expires belongs in no cookie; give the NumericDate of its exp"
        raise CookieValueError(message)
    return max(0, math.floor(expires_at - now))


def _value(name: str, value: str | bytes) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not _OCTETS.fullmatch(text):
        message = f"the value for the cookie {name} is empty, or holds characters that no cookie may hold"
        raise CookieValueError(message)
    if (size := len(name) + len(text)) > _NAME_AND_VALUE_BYTES:
        message = (
            f"the cookie {name} would take {size} bytes of name and value, and browsers keep {_NAME_AND_VALUE_BYTES}. "
            "Use a server-side reference: keep the token on the server, and put a random name for it in the cookie"
        )
        raise CookieTooLargeError(message)
    return text


def _fields(name: str, value: str, life_s: int, attributes: str) -> Fields:
    cookie = f"{name}={value if life_s else ''}; Max-Age={life_s}{attributes}"
    return ("Set-Cookie", cookie), ("Cache-Control", "no-store")
