"""Start an entry script with the host's words blocked: `launch.py <entry.py> --job <folder>`.

A thread takes over which signals are blocked from the one that starts it, and numpy and the vendors' packages
start threads while they are imported. A word that met a thread without the block would end the process, or in
a container, whose first process it is, be lost. What is blocked outlives `exec`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.contract.job import END, GO

if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, (GO, END))
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
