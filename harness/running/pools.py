"""Executors of `concurrent.futures` that units are sent to: this process, processes of this machine, a cluster."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from ..records.settings import Settings
from .cluster import Cluster
from .workers import begin

P = ParamSpec("P")
T = TypeVar("T")

FEW = 8  # units that a process must have to do, before it is worth its start of some seconds


def executor(settings: Settings, units: int) -> tuple[Executor, int]:
    """Where that many units are done, and how many at once. Raises CommandError for a cluster that cannot be used."""
    if settings.cluster:
        cluster = Cluster(settings.cluster, settings.engines)
        return cluster, settings.jobs or cluster.workers
    jobs = min(settings.jobs or min(cores(), units // FEW), units)
    return (Processes(jobs), jobs) if jobs > 1 else (ThisProcess(), 1)


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ThisProcess(Executor):
    """Does what is submitted at once, in the thread that submits it. An interrupt passes through."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future = Future[T]()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 as every executor does
            future.set_exception(error)
        return future


class Processes(Executor):
    """Spawned processes of this machine. One that dies takes along what is under way; what comes after gets new ones.

    Leaving the context kills what is still under way: nobody waits for it.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._before = {child.pid for child in multiprocessing.active_children()}
        self._pool = self._new()
        self._under_way = set[Future[Any]]()

    def _new(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")  # a forked copy of a threaded framework may deadlock
        return ProcessPoolExecutor(self._count, mp_context=context, initializer=begin)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        try:
            future = self._pool.submit(fn, *args, **kwargs)
        except BrokenProcessPool:
            self._pool.shutdown()
            self._pool = self._new()
            future = self._pool.submit(fn, *args, **kwargs)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._under_way:
            for child in multiprocessing.active_children():
                if child.pid not in self._before:
                    child.kill()
        self.shutdown(cancel_futures=True)
