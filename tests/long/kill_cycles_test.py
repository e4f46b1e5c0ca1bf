#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""200 times kill -9 of the agent, 50 of the executor, 50 of both: tests/support/kill_cycles.py.

DISTCRON_CYCLES scales it (default 300 cycles); DISTCRON_SEED chooses order and moments.
"""

import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import kill_cycles  # noqa: E402

if __name__ == "__main__":
    sixth = max(1, int(os.environ.get("DISTCRON_CYCLES", "300")) // 6)
    sys.exit(kill_cycles.run(4 * sixth, sixth, sixth))
