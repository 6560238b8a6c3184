"""Which policy covers this request: exactly one, or the request is refused (R-POL-01)."""

from __future__ import annotations

from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.request import RequestHead
from jwtguard.core.table import PolicyTable
from jwtguard.errors import Reason, Refusal


def route(table: PolicyTable, head: RequestHead) -> EndpointPolicy:
    """Find the most specific policy for the method and the path as the router sees them.

    Raises:
        Refusal: ``NO_POLICY``; what nobody wrote a policy for is closed.
    """
    policy = table.routes.find(head.method, head.path)
    if policy is None or (head.served_as and table.routes.find(head.served_as, head.path) is not policy):
        raise Refusal(Reason.NO_POLICY, "endpoint policy", "a policy for this method and path", None)
    return policy
