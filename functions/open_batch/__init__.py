"""Lambda open_batch."""
