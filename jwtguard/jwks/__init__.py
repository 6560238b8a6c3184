"""Key sets over HTTP: where they are (source), how they are fetched, how long they live (cache)."""
