"""An engine that kills its own process, as a fault in compiled code does."""

# pyright: basic

import os
import signal


def prepare(graph, dtype):
    def evaluate(inputs, cotangent):
        os.kill(os.getpid(), signal.SIGKILL)

    return evaluate
