"""Lambda receive_files."""
