"""Runs a job's script in this process; an exception is written to a file, in the words of Glue.

Usage: run_script.py ERROR_FILE SCRIPT [ARGUMENT…]
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run the script as Glue does."""
    error_file, script, *arguments = sys.argv[1:]
    sys.argv = [script, *arguments]
    try:
        runpy.run_path(script, run_name="__main__")
    except Exception as error:
        Path(error_file).write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        raise


if __name__ == "__main__":
    main()
