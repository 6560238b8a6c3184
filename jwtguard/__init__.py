"""jwtguard: the policy boundary for JWTs in Python web apps."""

from jwtguard.asgi import JWTGuardMiddleware, identity_of
from jwtguard.core import events
from jwtguard.core.classes import (
    EVERY_OTHER,
    NO_AUDIENCE,
    UNBOUNDED,
    Audience,
    AudienceCount,
    Expires,
    HeaderKey,
    Marker,
    NoExpiry,
    Subject,
    TokenClass,
)
from jwtguard.core.identity import Identity, Kind
from jwtguard.core.issuer import Discovery, InlineKeys, Issuer, JwksUri, Legacy
from jwtguard.core.limits import Limits
from jwtguard.core.policy import BEARER, Access, Carrier, Config, Endpoint, Mode, Override, Startup, cookie
from jwtguard.core.rules import ClaimRule
from jwtguard.errors import ConfigurationError, JwtGuardError, Reason, Refusal, Unavailable
from jwtguard.guard import Guard

__all__ = [
    "BEARER",
    "EVERY_OTHER",
    "NO_AUDIENCE",
    "UNBOUNDED",
    "Access",
    "Audience",
    "AudienceCount",
    "Carrier",
    "ClaimRule",
    "Config",
    "ConfigurationError",
    "Discovery",
    "Endpoint",
    "Expires",
    "Guard",
    "HeaderKey",
    "Identity",
    "InlineKeys",
    "Issuer",
    "JWTGuardMiddleware",
    "JwksUri",
    "JwtGuardError",
    "Kind",
    "Legacy",
    "Limits",
    "Marker",
    "Mode",
    "NoExpiry",
    "Override",
    "Reason",
    "Refusal",
    "Startup",
    "Subject",
    "TokenClass",
    "Unavailable",
    "cookie",
    "events",
    "identity_of",
]
