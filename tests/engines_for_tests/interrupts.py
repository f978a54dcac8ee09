"""A sound engine that presses Ctrl-C, or terminates the run, when it meets an input called `stop`, then hangs.

It lives in a process of its own, below the one that does units, which may be below that of the command.
"""

# pyright: basic

import os
import signal
import time
from pathlib import Path

from gradaccord.engines import backprop


def pressed_in(process, number=signal.SIGINT):
    def prepare(graph, dtype):
        if "stop" in graph.by_name:
            time.sleep(1)  # the units before this one are complete by then
            os.kill(process(), number)
            time.sleep(60)
        return backprop.prepare(graph, dtype)

    return prepare


def grandparent():
    return int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])


prepare = pressed_in(os.getppid)
of_a_job = pressed_in(grandparent)
terminates = pressed_in(os.getppid, signal.SIGTERM)
