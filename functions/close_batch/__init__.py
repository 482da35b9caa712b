"""Lambda close_batch."""
