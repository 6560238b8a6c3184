"""Decisions, sans-IO: no await, socket, clock, log, lock, environment or randomness in here."""
