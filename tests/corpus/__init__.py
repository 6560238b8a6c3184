"""A corpus of tokens and requests with the verdict a strict guard must reach, and its runner."""
