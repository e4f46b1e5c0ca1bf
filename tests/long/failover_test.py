#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""50 times kill -9 of the scheduler: tests/support/failover.py.

DISTCRON_KILLS scales it; DISTCRON_JOBS puts that many more jobs into the state.
"""

import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import failover  # noqa: E402

if __name__ == "__main__":
    sys.exit(failover.run(int(os.environ.get("DISTCRON_KILLS", "50")),
                          int(os.environ.get("DISTCRON_JOBS", "0"))))
