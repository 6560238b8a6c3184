"""jwtguard: the policy boundary for JWTs in Python web apps."""

from jwtguard.asgi import JWTGuardMiddleware
from jwtguard.core import events, rules
from jwtguard.core.answering import PublicView
from jwtguard.core.claims_model import ClaimsModelError
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
from jwtguard.core.endpoint import (
    BEARER,
    Access,
    ActorRule,
    Carrier,
    Csrf,
    Demands,
    Endpoint,
    access,
    at,
    cookie,
    session_cookie,
)
from jwtguard.core.identity import Identity
from jwtguard.core.issuer import Discovery, InlineKeys, Issuer, JwksUri, KeyFile, Kind, Legacy
from jwtguard.core.limits import Limits
from jwtguard.core.login import NO_NONCE, LoginExpectations
from jwtguard.core.policy import Config, Mode, Override, Startup
from jwtguard.core.resource import Resource
from jwtguard.core.rules import AsyncRule, ClaimRule
from jwtguard.core.tenant import Tenant, TenantPlace
from jwtguard.current import current_identity, identity_of
from jwtguard.errors import ConfigurationError, JwtGuardError, Reason, Refusal, Unavailable
from jwtguard.guard import Guard
from jwtguard.outside import Hooks
from jwtguard.sockets import reauthenticate
from jwtguard.wsgi import JWTGuardWSGI

__all__ = [
    "BEARER",
    "EVERY_OTHER",
    "NO_AUDIENCE",
    "NO_NONCE",
    "UNBOUNDED",
    "Access",
    "ActorRule",
    "AsyncRule",
    "Audience",
    "AudienceCount",
    "Carrier",
    "ClaimRule",
    "ClaimsModelError",
    "Config",
    "ConfigurationError",
    "Csrf",
    "Demands",
    "Discovery",
    "Endpoint",
    "Expires",
    "Guard",
    "HeaderKey",
    "Hooks",
    "Identity",
    "InlineKeys",
    "Issuer",
    "JWTGuardMiddleware",
    "JWTGuardWSGI",
    "JwksUri",
    "JwtGuardError",
    "KeyFile",
    "Kind",
    "Legacy",
    "Limits",
    "LoginExpectations",
    "Marker",
    "Mode",
    "NoExpiry",
    "Override",
    "PublicView",
    "Reason",
    "Refusal",
    "Resource",
    "Startup",
    "Subject",
    "Tenant",
    "TenantPlace",
    "TokenClass",
    "Unavailable",
    "access",
    "at",
    "cookie",
    "current_identity",
    "events",
    "identity_of",
    "reauthenticate",
    "rules",
    "session_cookie",
]
