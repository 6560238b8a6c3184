"""Type-checked, never run: skipping the signature does not type-check (R-IDN-04)."""

from jwtguard.core.claims import ClaimsSet, validate_claims
from jwtguard.core.jws import UnverifiedJws
from jwtguard.core.policy import Profile
from jwtguard.core.signature import VerifiedJws


def verified_first(jws: VerifiedJws, profile: Profile) -> ClaimsSet:
    """A verified token may be validated."""
    return validate_claims(jws, [profile], 255, 0.0)


def unverified_never(jws: UnverifiedJws, profile: Profile) -> ClaimsSet:
    """An unverified one is a type error."""
    return validate_claims(jws, [profile], 255, 0.0)  # type: ignore[arg-type]
