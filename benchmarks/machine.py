"""What a run was made on: figures without it cannot be compared."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

from cryptography.hazmat.backends.openssl.backend import backend


def optimized() -> bool:
    """Tell whether this Python was built with profile-guided optimisation, as distributions do."""
    return "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS"))


def described() -> dict[str, object]:
    """Return interpreter, OpenSSL, processor and the version of every installed package."""
    return {
        "python": sys.version,
        "optimized": optimized(),
        "openssl": backend.openssl_version_text(),
        "system": platform.platform(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "packages": dict(sorted((dist.name, dist.version) for dist in distributions())),
    }


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
