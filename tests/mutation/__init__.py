"""Break the core on purpose, one place at a time, and see that the tests notice."""
