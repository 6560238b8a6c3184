"""What we hand out: the cookies that carry tokens to browsers."""

from jwtguard.issuing.cookies import (
    CookieTooLargeError,
    CookieValueError,
    CsrfCookie,
    SameSite,
    TokenCookie,
    Weakness,
)

__all__ = ["CookieTooLargeError", "CookieValueError", "CsrfCookie", "SameSite", "TokenCookie", "Weakness"]
