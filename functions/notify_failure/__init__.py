"""Lambda notify_failure."""
