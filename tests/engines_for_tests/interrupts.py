"""A sound engine that presses Ctrl-C when it meets an input called `stop`, then hangs."""

# pyright: basic

import os
import signal
import time

from gradaccord.engines import backprop


def pressed_in(process):
    def prepare(graph, dtype):
        if "stop" in graph.by_name:
            time.sleep(1)  # the units before this one are complete by then
            os.kill(process(), signal.SIGINT)
            time.sleep(60)
        return backprop.prepare(graph, dtype)

    return prepare


prepare = pressed_in(os.getpid)
parent = pressed_in(os.getppid)
