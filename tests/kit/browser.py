"""A real Chromium, for what only a browser decides: which cookies travel, who asks, what a page may read.

Every name and every address leads to 127.0.0.1 (``--host-resolver-rules``), so a page that asks for the world gets
nothing, and the tests may call their sites what they like. Seen from one at ``https://app.example.test:PORT``:

    https://blog.example.test:PORT       same site, another origin: SameSite=Strict cookies go along
    https://app.example.test:OTHER       the same: sites and cookies know no ports
    http://app.example.test:PORT         cross-site: a site has a scheme
    https://evil.example.net:PORT        cross-site

What Chromium 156 takes for trustworthy, and so sends ``Sec-Fetch-*`` to, and accepts ``Secure`` and ``__Host-``
cookies from: every https origin, a certificate it was told to overlook included; over plain http ``127.0.0.1``,
``localhost`` and all names under ``.localhost``. Not http under another name, though a host rule leads it to loopback
(``tests/browser/test_kit.py`` sees to it that this stays true). The tests use TLS and made-up names: that is what
production looks like.

Third-party cookies are allowed. Browsers differ in that, from one vendor and one year to the next, and where they are
blocked a cross-site attack comes without its cookie: a guard that refused nothing would pass the tests.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.kit.browser_program import VARIABLE

_PATIENCE_MS: Final = 20_000.0
_ARGUMENTS: Final = ("--host-resolver-rules=MAP * 127.0.0.1", "--no-proxy-server")
_PREFERENCES: Final = {"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}}


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Start the Chromium that ``make browser`` found, with a profile that ends with it."""
    arguments = list(_ARGUMENTS)
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # as root, Chromium does not start otherwise
    with tempfile.TemporaryDirectory(prefix="jwtguard-browser-") as folder, sync_playwright() as playwright:
        profile = Path(folder) / "Default"
        profile.mkdir()
        (profile / "Preferences").write_text(json.dumps(_PREFERENCES), "utf-8")
        # Only a profile on disk has preferences; the contexts of the tests, all in memory, inherit them.
        kept = playwright.chromium.launch_persistent_context(
            folder, executable_path=os.environ[VARIABLE], args=arguments
        )
        assert kept.browser is not None, "this Playwright shows no browser behind a profile on disk"
        try:
            yield kept.browser
        finally:
            kept.close()


@contextmanager
def new_context(browser: Browser) -> Iterator[BrowserContext]:
    """Open a context of its own: no cookie, no storage, no cache of another test."""
    context = browser.new_context(ignore_https_errors=True, service_workers="block")
    context.set_default_timeout(_PATIENCE_MS)
    try:
        yield context
    finally:
        context.close()
