"""A Django site behind jwtguard, in one file. What each endpoint demands is in jwtguard.toml, beside it.

make demo ARGS=--serve                     # an issuer; prints how to get a token
python examples/django_app.py runserver    # this site; or: uvicorn --app-dir examples django_app:app
curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/reports/7
"""

from __future__ import annotations

import sys
from pathlib import Path

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost", "testserver"],
    MIDDLEWARE=["jwtguard.adapters.django.JWTGuardMiddleware"],
    JWTGUARD={"CONFIG": Path(__file__).with_name("jwtguard.toml")},
    ROOT_URLCONF=__name__,
    SECRET_KEY="not used here",
)


@require_GET
def health(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "up"})


@require_GET
def hello(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"hello": request.identity.subject if request.identity.is_authenticated else "stranger"})


@require_GET
async def read(request: HttpRequest, number: int) -> JsonResponse:
    return JsonResponse({"report": number, "read_by": request.identity.subject, "kind": request.identity.kind})


@require_POST
def create(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"report": 9, "written_by": request.identity.subject}, status=201)


urlpatterns = [
    path("health", health),
    path("hello", hello),
    path("reports", create),
    path("reports/<int:number>", read),
]
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
else:
    app, wsgi_app = get_asgi_application(), get_wsgi_application()
