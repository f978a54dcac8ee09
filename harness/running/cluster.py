"""Workers of a cluster that somebody has started: Dask's, reached by the address of its scheduler."""

# Dask's client is untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from importlib.metadata import version
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from ..errors import CommandError, one_line
from ..words import counted
from .answers import prepared, prepared_along
from .loading import checked, loaded
from .place import let_go

P = ParamSpec("P")
T = TypeVar("T")

SECONDS_TO_CONNECT = 5
SECONDS_FOR_A_WORKER = 10  # to appear in a cluster that has none yet


class Cluster(Executor):
    """A Dask cluster as an executor. Raises CommandError, within seconds, where it cannot be reached or used."""

    def __init__(self, address: str, engines: Sequence[str]) -> None:
        try:
            from distributed import Client
            from distributed.comm.addressing import get_address_host_port
        except ModuleNotFoundError as error:
            raise CommandError(f"--cluster needs {error.name}: pip install 'gradaccord[cluster]'") from None
        try:
            get_address_host_port(address)  # a client of an address without one fails late, and not cleanly
            self._client: Any = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        except Exception as error:  # noqa: BLE001 for a wrong address it raises what its parts raise
            raise CommandError(
                f"no cluster at {address}: expected the address of a running Dask scheduler, such as "
                f"`tcp://localhost:8786` ({one_line(error)})"
            ) from None
        try:
            self.workers = self._usable(address, engines)
        except BaseException:
            self._client.close()
            raise
        # Not `pure`: a unit asked for again, perhaps of another version of an engine's file, is done again.
        self._executor: Executor = self._client.get_executor(pure=False)

    def _usable(self, address: str, engines: Sequence[str]) -> int:
        """The number of workers; each has one thread, this version of gradaccord, and can find the engines."""
        try:
            self._client.wait_for_workers(1, timeout=SECONDS_FOR_A_WORKER)
        except TimeoutError:
            raise CommandError(
                f"the cluster at {address} has no workers: start some by `dask worker {address} --nthreads 1`"
            ) from None
        threads = cast("Mapping[str, int]", self._client.nthreads())
        for worker, count in threads.items():
            if count != 1:
                raise CommandError(
                    f"worker {worker} has {counted(count, 'thread')}, expected 1, since the precision of balls is one "
                    f"for a whole process: start it by `dask worker {address} --nthreads 1 --nworkers N`"
                )
        replies: Mapping[str, object] = self._client.run(_begin, version("gradaccord"), engines, on_error="return")
        for worker, reply in replies.items():
            if reply is not None:
                problem = one_line(reply) if isinstance(reply, Exception) else str(reply)
                raise CommandError(f"worker {worker} cannot be used: {problem}")
        return len(threads)

    @property
    def _connected(self) -> bool:
        return self._client.status == "running"

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if not self._connected:  # what a client takes without a scheduler may never come back
            raise ConnectionError("the connection to the cluster's scheduler is lost")
        return self._executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if self._connected:
            self._executor.shutdown(wait and not cancel_futures)
        self._client.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.shutdown(cancel_futures=True)


def _begin(ours: str, engines: Sequence[str]) -> str | None:
    """On a worker, before its first unit: what is wrong there. Files of engines may have changed since the last run."""
    here = version("gradaccord")
    if here != ours:
        return f"it has gradaccord {here}, expected {ours} as here"
    let_go()
    for cache in (loaded, prepared, prepared_along):
        cache.cache_clear()
    try:
        checked(engines)
    except CommandError as problem:
        return f"{problem} (a file must have the same path on every worker)"
    return None
