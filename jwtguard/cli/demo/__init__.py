"""The demo: a real issuer and a protected API on loopback, with every request shown."""
