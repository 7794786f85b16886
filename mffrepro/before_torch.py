"""Set what torch reads from the environment when it is loaded: how its threads wait, and which pages its memory has."""

import os
import sys

#: Rounds that a thread of GNU OpenMP spins at a barrier before it sleeps. Its default, billions where there are as many
#: threads as cores, holds a core that another process needs: GACN on two busy cores takes 18 times as long as on idle
#: ones, with this twice.
SPINS = "1000"
#: Variables by which a user says how threads wait.
WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
#: Lets torch ask Linux for pages of 2 MB. Feature maps are new arrays of many megabytes, and the first access to each page of
#: a new array costs a page fault. GACN on a pair of 520x520 takes 0.49 s instead of 0.60, with a seventh of the page faults
#: and 2 % more memory.
PAGES = "THP_MEM_ALLOC_ENABLE"


def prepare_torch() -> None:
    """Set how long threads spin and that memory has large pages.

    What the user has set stays, and nothing changes once torch is loaded.
    """
    if "torch" in sys.modules:
        return
    if not any(name in os.environ for name in WAITING):
        os.environ["GOMP_SPINCOUNT"] = SPINS
    os.environ.setdefault(PAGES, "1")


def waiting() -> str:
    """Say how OpenMP threads wait, for the provenance of a run."""
    return ", ".join(f"{name}={os.environ[name]}" for name in WAITING if name in os.environ) or "default of OpenMP"


def pages() -> str:
    """Say which pages torch's memory has, for the provenance of a run."""
    return f"{PAGES}={os.environ[PAGES]}" if PAGES in os.environ else "default of torch"
