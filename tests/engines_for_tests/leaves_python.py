"""Engines that do to their process what no other engine may feel."""

# pyright: basic

import os
import shutil
import signal
import tempfile

import numpy as np

from gradaccord.engines import backprop


def doing(act):
    def prepare(graph, dtype):
        honest = backprop.prepare(graph, dtype)

        def evaluate(inputs, cotangent):
            act()
            return honest(inputs, cotangent)

        return evaluate

    return prepare


def raising(error):
    def act():
        raise error

    return doing(act)


def moves_away():
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    shutil.rmtree(folder)
    raise ValueError("from nowhere")


def unsettles():
    np.seterr(all="raise")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


nobody = raising(BaseException("no Exception"))
interrupts = raising(KeyboardInterrupt())
closes = doing(lambda: os.closerange(0, 100))
moves = doing(moves_away)
unsettled = doing(unsettles)
