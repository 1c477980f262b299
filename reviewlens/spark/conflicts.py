"""What Delta raises when two runs commit to one table at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager

from delta import exceptions

from reviewlens.errors import BusyError

# In Python these have no base class of their own: DeltaConcurrentModificationException is a sibling of the others.
CONFLICTS = (
    exceptions.ConcurrentAppendException,
    exceptions.ConcurrentDeleteDeleteException,
    exceptions.ConcurrentDeleteReadException,
    exceptions.ConcurrentTransactionException,
    exceptions.ConcurrentWriteException,
    exceptions.DeltaConcurrentModificationException,
    exceptions.MetadataChangedException,
    exceptions.ProtocolChangedException,
)


@contextmanager
def busy_on_conflict(message: str) -> Iterator[None]:
    """Run a commit; where another run's came first, it is `BusyError` with this message."""
    try:
        yield
    except CONFLICTS as error:
        raise BusyError(message) from error
