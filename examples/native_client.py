"""An app on a device: the access token in the platform's key store, sent in a header: the preset native.

make demo ARGS=--serve             # an issuer and an API; prints how to get a token
python examples/native_client.py   # asks for the token, keeps it, and reads a report with it

No secret is built into the app: whoever has the app has it too. The API's policy is in docs/storage.md.
"""

from __future__ import annotations

from getpass import getpass

import httpx2

API, USER = "http://127.0.0.1:8811", "alice"


class KeyStore:
    """Stands for the key store of the platform: Keychain, Credential Locker, Secret Service.

    ``pip install keyring``: the module ``keyring`` has these two functions, and what they keep is encrypted for this
    user of this device. This stand-in forgets everything when the program ends.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, name: str) -> str | None:
        """Return a secret, or ``None``."""
        return self._kept.get((service, name))

    def set_password(self, service: str, name: str, secret: str) -> None:
        """Keep a secret."""
        self._kept[service, name] = secret


def log_in() -> str:
    """In place of your issuer's login: the system's browser, a code and PKCE (RFC 8252). Never a form of the app's."""
    return getpass("Access token: ").strip()


def read(path: str, store: KeyStore) -> httpx2.Response:
    """Read with the token kept; without one, or where it no longer holds, after one login."""
    token, is_new = store.get_password(API, USER), False
    while True:
        if not token:
            token, is_new = log_in(), True
            store.set_password(API, USER, token)
        # Redirects are not followed: the token is for this API alone.
        answer = httpx2.get(API + path, headers={"Authorization": f"Bearer {token}"}, follow_redirects=False)
        if answer.status_code != httpx2.codes.UNAUTHORIZED or is_new:
            return answer
        token = None


if __name__ == "__main__":
    print(read("/reports/7", KeyStore()).text)
