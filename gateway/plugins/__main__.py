"""`python -m gateway.plugins`: the process of one plugin, begun by the gateway and never by hand.

Owns how it loads: what it needs takes a fifth of a second of a processor, none of which the gateway shall miss.
"""

import os
import sys
import threading

NICENESS = 5  # a quarter of a processor that is wanted elsewhere, all of one that is not; in time where it is honest
IDLE_S_MAX = 2.0  # then it loads like anybody of its niceness: nothing is left over on this machine
_AT_ONCE = "--at-once"


def _load() -> None:
    """In a thread of its own, since its priority cannot be raised again; modules are the whole process's."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    import gateway.plugins.worker  # noqa: F401, PLC0415 - not before


def main() -> int:
    """Load, and be the plugin's process; 1 if the plugin was at fault."""
    if _AT_ONCE not in sys.argv:
        # A terminal's Ctrl-C is for the gateway; and what it begins ends with it. In a session of its own it would have
        # as much of a processor as the gateway, whatever its niceness: Linux divides by sessions first.
        os.setpgid(0, 0)
        os.nice(NICENESS)
        loading = threading.Thread(target=_load, daemon=True)
        loading.start()
        loading.join(IDLE_S_MAX)
        if loading.is_alive():  # what it holds half loaded would be waited for: begin anew
            os.execv(sys.executable, [sys.executable, "-m", "gateway.plugins", _AT_ONCE])  # noqa: S606 - this program
    from gateway.plugins.worker import main as work  # noqa: PLC0415 - not before

    return work()


if __name__ == "__main__":
    sys.exit(main())
