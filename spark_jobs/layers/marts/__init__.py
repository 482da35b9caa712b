"""Mart kinds: pure transforms from change logs to mart rows, and their incremental publishing."""
