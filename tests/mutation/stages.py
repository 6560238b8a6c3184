"""Which tests answer for which stage: its own file first, then the ones that prove the same rules from further away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "jwtguard.core"

# Beside tests/core/test_<stage>.py, if there is one.
_EXTRAS: Mapping[str, Sequence[str]] = {
    "routing": (),
    "paths": ("test_table",),
    "extraction": ("test_limits",),
    "recall": ("test_pipeline",),
    "jws": ("test_limits",),
    "strict_json": ("test_jws", "test_limits"),
    "classification": ("test_class_matrix", "test_pipeline"),
    "keys": ("test_key_refresh", "test_pipeline"),
    "key_import": ("test_keys", "test_key_strength", "test_key_refresh", "test_hostile_keys"),
    "signature": ("test_key_strength",),
    "claims": ("test_class_claims", "test_limits"),
    "authorization": ("test_pipeline",),
    "identity": ("test_pipeline",),
    "challenge": ("test_pipeline",),
    "pipeline": ("test_key_refresh", "test_recall", "test_needs_and_drive"),
    "classes": ("test_class_claims", "test_class_matrix", "test_table", "test_provider_shapes"),
    "issuer": ("test_provider_shapes", "test_table", "test_limits"),
    "policy": ("test_table", "test_limits"),
    "table": ("test_class_matrix", "test_provider_shapes"),
}
STAGES = tuple(_EXTRAS)
_SURVIVORS = "tests/core/test_survivors.py"


def own_files(stage: str) -> Sequence[str]:
    """Return the files that are asked first."""
    names = [f"tests/core/{name}.py" for name in (f"test_{stage}", *_EXTRAS[stage])]
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


def source_of(stage: str) -> Path:
    """Return the file of a stage's module."""
    return ROOT / "jwtguard" / "core" / f"{stage}.py"
