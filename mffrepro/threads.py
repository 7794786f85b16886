"""Let idle OpenMP threads sleep soon, so that other work on the same cores does not slow this package out of proportion."""

import os
import sys

#: Rounds that a thread of GNU OpenMP spins at a barrier before it sleeps. Its default, billions where there are as many
#: threads as cores, holds a core that another process needs: GACN on two busy cores takes 18 times as long as on idle
#: ones, with this twice.
SPINS = "1000"
#: Variables by which a user says how threads wait.
VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def share_cores() -> None:
    """Set how long threads spin, unless the user has, or torch is loaded."""
    if "torch" not in sys.modules and not any(name in os.environ for name in VARIABLES):
        os.environ["GOMP_SPINCOUNT"] = SPINS


def waiting() -> str:
    """Say how OpenMP threads wait, for the provenance of a run."""
    return ", ".join(f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ) or "default of OpenMP"
