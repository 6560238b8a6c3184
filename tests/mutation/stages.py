"""Which tests answer for which stage: its own file first, then the ones that prove the same rules from further away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A stage of the core, and its tests beside tests/core/test_<stage>.py, if there is one: their names there, or paths.
_CORE: Mapping[str, Sequence[str]] = {
    "routing": ("tests/test_wsgi_environ.py",),
    "columns": (),
    "paths": ("test_table",),
    "extraction": ("test_limits",),
    "origins": ("test_csrf", "test_demands", "test_policy"),
    "csrf": ("test_pipeline",),
    "recall": ("test_pipeline",),
    "jws": ("test_limits",),
    "strict_json": ("test_jws", "test_limits"),
    "classification": ("test_class_matrix", "test_pipeline"),
    "keys": ("test_key_refresh", "test_pipeline"),
    "key_import": ("test_keys", "test_key_strength", "test_key_refresh", "test_hostile_keys"),
    "signature": ("test_key_strength",),
    "claims": ("test_class_claims", "test_limits"),
    "tenant": ("test_tenants", "test_demands"),
    "principal": ("test_tenants", "test_identity", "test_demands"),
    "authorization": ("test_demands", "test_principal", "test_tenants", "test_pipeline", "tests/test_outside.py"),
    "unfinished": ("test_pipeline", "tests/test_outside.py"),
    "claims_model": ("test_demands",),
    "login": (),
    "identity": ("test_demands", "test_principal", "test_pipeline", "tests/test_declared.py"),
    "challenge": ("test_pipeline", "test_answering", "tests/test_metadata.py"),
    "answering": (),
    "resource": ("test_metadata",),
    "metadata": (),
    "pipeline": ("test_key_refresh", "test_recall", "tests/test_outside.py", "tests/test_metadata.py"),
    "classes": ("test_class_claims", "test_class_matrix", "test_table", "test_provider_shapes"),
    "issuer": ("test_provider_shapes", "test_table", "test_limits"),
    "endpoint": ("test_policy", "test_demands", "test_columns", "test_csrf", "test_extraction"),
    "policy": ("test_table", "test_limits"),
    "table": ("test_class_matrix", "test_provider_shapes"),
}
_SURVIVORS = "tests/core/test_survivors.py"
# A module above the core, by its name in the package, and its tests.
_ABOVE: Mapping[str, Sequence[str]] = {
    "outside": (
        "tests/test_outside.py",
        "tests/core/test_answering.py",
        "tests/core/test_needs_and_drive.py",
        _SURVIVORS,
    ),
    "logins": ("tests/test_logins.py",),
    "nonces": ("tests/test_nonces.py",),
    "bodies": ("tests/test_bodies.py", "tests/test_wsgi.py"),
    "incoming": ("tests/test_asgi_scope.py", "tests/test_wsgi_environ.py", "tests/adapters/test_django.py"),
    "declared.strictness": ("tests/test_declared_strictness.py",),
    "issuing.cookies": ("tests/issuing/test_cookies.py",),
    "jwks.file": ("tests/jwks/test_file.py",),
}
STAGES = (*_CORE, *_ABOVE)


def own_files(stage: str) -> Sequence[str]:
    """Return the files that are asked first."""
    if stage in _ABOVE:
        return _ABOVE[stage]
    asked = (f"test_{stage}", *_CORE[stage])
    names = [name if "/" in name else f"tests/core/{name}.py" for name in asked]
    return [*(name for name in names if (ROOT / name).is_file()), _SURVIVORS]


def wider_files(stage: str) -> Sequence[str]:
    """Return the files that a survivor of its own files has to pass as well."""
    asked = set(own_files(stage))
    found = [
        *(ROOT / "tests/core").glob("test_*.py"),
        *(ROOT / "tests/attacks").glob("test_*.py"),
        ROOT / "tests/test_asgi_credentials.py",
    ]
    names = sorted(path.relative_to(ROOT).as_posix() for path in found)
    return [name for name in names if name not in asked]


def module_of(stage: str) -> str:
    """Return the name of a stage's module."""
    return f"jwtguard.{stage}" if stage in _ABOVE else f"jwtguard.core.{stage}"


def source_of(stage: str) -> Path:
    """Return the file of a stage's module."""
    return ROOT.joinpath(*module_of(stage).split(".")).with_suffix(".py")
