"""Every face, made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Final

import pytest

from tests.scenarios.faces.asgi_faces import ASGI_FACES
from tests.scenarios.faces.gunicorn_face import gunicorn
from tests.scenarios.faces.seen import Face
from tests.scenarios.faces.wsgi_faces import (
    bare_wsgi,
    decorated_django,
    decorated_flask,
    django_asgi,
    django_wsgi,
    flask,
)

WSGI_FACES: Final[Mapping[str, Callable[[], Face]]] = {
    "bare_wsgi": bare_wsgi,
    "flask": flask,
    "decorated_flask": decorated_flask,
}
DJANGO_FACES: Final[Mapping[str, Callable[[], AbstractContextManager[Face]]]] = {
    "django_wsgi": django_wsgi,
    "django_asgi": django_asgi,
    "decorated_django_wsgi": partial(decorated_django, "wsgi"),
    "decorated_django_asgi": partial(decorated_django, "asgi"),
}
FACES = ("flask_gunicorn", *WSGI_FACES, *DJANGO_FACES, *ASGI_FACES)


@pytest.fixture(scope="package", params=FACES)
def face(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Face]:
    """One way to stand before an application."""
    name: str = request.param
    if name in ASGI_FACES:
        yield ASGI_FACES[name]()
    elif name in WSGI_FACES:
        yield WSGI_FACES[name]()
    else:
        folder = tmp_path_factory.mktemp("gunicorn")
        with gunicorn(folder) if name == "flask_gunicorn" else DJANGO_FACES[name]() as found:
            yield found
