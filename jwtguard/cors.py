"""A CORS layer inside of the guard, asked as if it were outside of it (R-EXT-13).

Browsers send preflights without a credential, and show a page nothing of a refusal without CORS headers.
So the CORS layer belongs outside of the guard. Where it was added in the other order, it is found below
the guard, answers genuine preflights alone, and lends its headers to what the guard answers.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from starlette.middleware.cors import CORSMiddleware

_ORIGIN, _METHOD = b"origin", b"access-control-request-method"
_BODY = (b"content-length", b"transfer-encoding")


class CorsLayer:
    """The CORS layer below an application, looked for when first needed: by then Starlette has built it.

    Args:
        app: The application that the guard stands before.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._layer: CORSMiddleware | None = None
        self._looked = False

    async def answers(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer a genuine preflight, and say whether it was one that somebody here answers."""
        if not _is_preflight(scope) or (layer := self._found()) is None:
            return False
        from starlette.datastructures import Headers  # noqa: PLC0415 - browsers of other origins only

        await layer.preflight_response(request_headers=Headers(scope=scope))(scope, receive, send)
        return True

    def clothe(self, scope: Scope, send: Send) -> Send:
        """Return a ``send`` that gives an answer of ours the CORS headers of the application's own."""
        if scope["type"] != "http" or (layer := self._found()) is None:
            return send
        from starlette.datastructures import Headers  # noqa: PLC0415 - see above

        return partial(layer.send, send=send, request_headers=Headers(scope=scope))

    def _found(self) -> CORSMiddleware | None:
        if not self._looked:
            self._layer, self._looked = _below(self._app), True
        return self._layer


def _is_preflight(scope: Scope) -> bool:
    """Whether this is a request as browsers make it (Fetch, section 4.8): nothing else may pass for one."""
    if scope["type"] != "http" or scope["method"] != "OPTIONS":
        return False
    names = [name.lower() for name, value in scope["headers"] if not (name.lower() == _BODY[0] and value == b"0")]
    return names.count(_ORIGIN) == names.count(_METHOD) == 1 and not any(name in names for name in _BODY)


def _below(app: object) -> CORSMiddleware | None:
    """Walk down the layers, by the attribute under which Starlette's keep the next."""
    from starlette.applications import Starlette  # noqa: PLC0415 - once, and not for other frameworks
    from starlette.middleware.cors import CORSMiddleware  # noqa: PLC0415 - once

    seen: set[int] = set()
    while app is not None and id(app) not in seen:
        if isinstance(app, CORSMiddleware):
            return app
        seen.add(id(app))
        if isinstance(app, Starlette):
            if app.middleware_stack is None:
                app.middleware_stack = app.build_middleware_stack()  # as its first request would
            app = app.middleware_stack
        else:
            app = getattr(app, "app", None)
    return None
