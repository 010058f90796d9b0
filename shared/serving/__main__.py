"""The delivered command line: `python -m shared.serving --delivery DIR COMMAND`."""

from __future__ import annotations

import sys

from shared.serving.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
