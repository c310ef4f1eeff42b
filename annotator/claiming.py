"""Claims while a run goes on: taken as a worker is free, renewed beside the work, given back."""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from annotator.errors import EnvironmentFault
from annotator.store.engine import Store
from annotator.store.records import Held, Lease, PendingMedia

POLL_S = 2.0  # between two looks whether a file that another run holds has come free
RENEWALS = 4  # in the time of a lease: three may fail before it ends


def lease_of_this_process(seconds: float) -> Lease:
    """With an owner like no other: two runs of one machine are two."""
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    return Lease(owner, round(seconds * 1000))


class Claims:
    """The claims of one run; a context manager that renews them and gives them back.

    Args:
        store: of the run; used from a thread of our own too.
        run_id: of the run.
        model_id: files are claimed for one model.
        lease: of each claim.
        failed: told, from that thread, of a renewal that the database refused.
    """

    def __init__(
        self, store: Store, run_id: int, model_id: int, lease: Lease, failed: Callable[[str], None]
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._model_id = model_id
        self._lease = lease
        self._failed = failed
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="annotate claims", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        try:
            self._store.release(self._model_id, self._lease.owner)
        except EnvironmentFault:
            if error is None:
                raise  # else what ended the run is worth more than the leases, which end anyway

    def files(self) -> Iterator[PendingMedia]:
        """Files to do, claimed one at a time, until none is free."""
        while True:
            media_id = self._store.claim(self._run_id, self._model_id, self._lease)
            if media_id is None:
                return
            media = self._store.pending_media(media_id, self._model_id)
            if media is not None:  # another run, without claims, may have done it just now
                yield media

    def held_by_others(self) -> Held:
        """What is left of the run once all of our own is done."""
        return self._store.held_by_others(self._run_id, self._model_id, self._lease)

    def _renew(self) -> None:
        while not self._over.wait(self._lease.milliseconds / 1000 / RENEWALS):
            try:
                self._store.renew(self._model_id, self._lease)
            except EnvironmentFault as fault:
                self._failed(str(fault))
