"""Which test process runs what: files that share what is dear stay together, and the longest work comes first."""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

SLOWEST_FIRST = ("chaos", "real traces", "test_crash.py", "test_machine.py", "test_stack.py")
"""Units that would be waited for if they began last. Chaos mostly waits itself: it belongs beside all the others."""


def unit(nodeid: str) -> str:
    """What stays together: a file; the chaos tests, on one deployment; the tests on real traces, each replayed once."""
    path = PurePosixPath(nodeid.split("::")[0])
    if path.parent.name == "chaos":
        return "chaos"
    return "real traces" if path.name.startswith("test_real_") else path.name


def place(nodeid: str) -> int:
    """Sort key: slow units first, everything else as it was."""
    name = unit(nodeid)
    return SLOWEST_FIRST.index(name) if name in SLOWEST_FIRST else len(SLOWEST_FIRST)


class Units(LoadScopeScheduling):
    """Hands out units instead of modules."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
