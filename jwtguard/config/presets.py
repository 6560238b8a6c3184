"""Storage patterns: where tokens are kept decides what an endpoint must demand (R-STO-10 to R-STO-15).

Each preset is a complete policy in the words of a policy file. In a file an endpoint, or a policy of the
author's own, says ``use = "browser_cookie"`` and adds to it; in Python, ``preset("browser_cookie", scopes=…)``.
docs/storage.md compares them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Unpack

from jwtguard.core.classes import READY_MADE
from jwtguard.core.endpoint import Additions, Demands
from jwtguard.errors import unknown

PRESETS: Mapping[str, Mapping[str, object]] = {
    # A page of the server's own: the token in a cookie that no script reads.
    "browser_cookie": {
        "accept": "access",
        "carriers": [{"cookie": "__Host-token"}],
        "csrf": "origin",
        "login_page": "/login",
    },
    # A backend for a frontend: the browser holds the name of a session, the server its tokens.
    "bff": {
        "accept": "access",
        "carriers": [{"session": "__Host-session"}],
        "csrf": "origin",
        "login_page": "/login",
    },
    # A single-page app: the access token in its memory, sent in a header by its script.
    "spa": {"accept": "access", "carriers": "bearer", "kinds": ["user"]},
    # An app on a device: tokens in the platform's key store, sent in a header.
    "native": {"accept": "access", "carriers": "bearer", "kinds": ["user"]},
    # Machines calling machines: a header, no cookie, no user.
    "service": {"accept": "access", "carriers": "bearer", "kinds": ["client", "workload"]},
}


def preset(name: str, **additions: Unpack[Additions]) -> Demands:
    """Return the policy of a storage pattern, for ``guard.protect`` or ``at``.

    Args:
        name: One of ``PRESETS``.
        additions: Columns of ``Demands``, in addition to those of the preset or in their place.

    Raises:
        ConfigurationError: There is no such preset or column, or the result contradicts itself.
    """
    from jwtguard.config.endpoints import EndpointReader  # noqa: PLC0415 - it reads the presets too

    what = "preset"
    if name not in PRESETS:
        raise unknown(what, name, PRESETS, key=what, rule="R-STO-15")
    for column in additions:
        if column not in Additions.__annotations__:
            what = "column"
            raise unknown(what, column, Additions.__annotations__, key=f"preset.{name}", rule="R-STO-15")
    policy = EndpointReader((), frozenset(READY_MADE), None).policy(name)
    return dataclasses.replace(policy, **additions)
