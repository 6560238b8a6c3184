"""Decorators on Flask's functions and views, alone and behind the WSGI shell."""

from __future__ import annotations

import pytest
from flask import Blueprint, Flask, jsonify, request
from flask.views import MethodView

from jwtguard import ConfigurationError, current_identity, identity_of
from jwtguard.core.endpoint import access
from jwtguard.current import CURRENT
from jwtguard.wsgi import JWTGuardWSGI
from tests.kit.guarded import guard, token

READ = access(scopes={"reports:read"})
CREDENTIALS = {
    "none": {},
    "good": {"Authorization": f"Bearer {token(sub='ada').decode()}"},
    "too little": {"Authorization": f"Bearer {token(scope='').decode()}"},
    "rubbish": {"Authorization": "Bearer rubbish"},
}


def build(*, shell: bool) -> Flask:
    """An application with a function, a view class, a method and a blueprint."""
    policy = guard()
    app, prints = Flask("declared"), Blueprint("prints", "prints", url_prefix="/prints")

    @app.get("/function/<int:number>")
    @policy.protect(READ)
    def function(number: int) -> object:
        return jsonify(number=number, subject=current_identity().subject)

    @policy.protect(READ)
    class Whole(MethodView):
        def get(self) -> object:
            return jsonify(subject=current_identity().subject)

    class Parts(MethodView):
        @policy.protect(READ)
        def get(self) -> object:
            return jsonify(subject=current_identity().subject)

        @policy.public
        def post(self) -> object:
            return jsonify(anonymous=not current_identity().is_authenticated)

    @prints.get("/")
    @policy.protect(READ)
    def printed() -> object:
        return jsonify(subject=current_identity().subject)

    app.add_url_rule("/whole", view_func=Whole.as_view("whole"))
    app.add_url_rule("/parts", view_func=Parts.as_view("parts"))
    app.register_blueprint(prints)
    if shell:
        policy.bind(app)
        app.wsgi_app = JWTGuardWSGI(app.wsgi_app, guard=policy)  # type: ignore[method-assign]
    return app


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/function/7"), ("HEAD", "/function/7"), ("GET", "/whole"), ("GET", "/parts"), ("POST", "/parts"),
        ("GET", "/prints/"),
    ],
)  # fmt: skip
def test_the_same_answer_with_and_without_the_shell(method: str, path: str, credential: str) -> None:
    """R-EXT-14: in Flask, decorators alone answer as behind the shell: status, challenge, body."""
    found = []
    for shell in (False, True):
        client = build(shell=shell).test_client()
        answer = client.open(path, method=method, headers=CREDENTIALS[credential], base_url="https://api.example.com")
        found.append((answer.status_code, answer.headers.get("WWW-Authenticate"), answer.data))
    assert found[0] == found[1]
    expected = {"none": 401, "good": 200, "too little": 403, "rubbish": 401}[credential]
    assert found[0][0] == (200 if method == "POST" else expected)


def test_no_identity_outlasts_its_request() -> None:
    """R-IDN-05: Flask serves many requests in one thread; none sees the identity of another."""
    app = build(shell=False)
    app.get("/whoever")(lambda: str(CURRENT.get(None)))
    client = app.test_client()
    good = client.get("/function/7", headers=CREDENTIALS["good"], base_url="https://api.example.com")
    assert good.get_json()["subject"] == "ada"
    assert client.get("/whoever").text == "None"


def test_the_environ_has_the_identity() -> None:
    """R-IDN-01: ``identity_of`` finds it in the environ, without the shell too."""
    policy = guard()
    app = Flask("declared")

    @app.get("/who")
    @policy.protect(READ)
    def who() -> str:
        return identity_of(request.environ).subject

    answer = app.test_client().get("/who", headers=CREDENTIALS["good"], base_url="https://api.example.com")
    assert answer.text == "ada"


def test_routes_become_patterns() -> None:
    """R-POL-06: Flask's rules become patterns, each view with its own methods."""
    policy = guard()
    app = Flask("declared", static_folder=None)

    def view(**parameters: object) -> str:
        return str(parameters)

    app.add_url_rule("/reports/<int:number>", "report", policy.protect(READ)(view))
    app.add_url_rule("/tree/<path:rest>", "tree", policy.protect(READ)(view), methods=["PUT"])
    policy.bind(app)
    assert [endpoint.patterns for endpoint in policy.table.endpoints] == [
        ("GET /reports/{number}",),
        ("PUT /tree/**",),
    ]


def test_decorators_in_the_wrong_order() -> None:
    """R-POL-01: Flask too registers what stands beneath its decorator; the start finds a policy above it."""
    policy = guard()
    app = Flask("declared", static_folder=None)

    def read() -> str:
        return "x"

    policy.protect(READ)(app.get("/read")(read))
    with pytest.raises(ConfigurationError, match="without its policy"):
        policy.bind(app)
