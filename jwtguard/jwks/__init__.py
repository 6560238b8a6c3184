"""Key sets over HTTP or from files: where they are (source, file), how they are fetched, how long they live (cache)."""
