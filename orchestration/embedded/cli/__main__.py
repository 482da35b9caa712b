"""Run the command line as `python -m orchestration.embedded.cli`."""

from orchestration.embedded.cli.main import main

main()
