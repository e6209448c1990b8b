"""A journal in memory: the contract of the durable one, for tests, benches and backtests."""

from collections.abc import Iterator

import trio

from trader.journal.chain import GENESIS, chained, checked, decoded
from trader.journal.failures import JournalFenced
from trader.journal.moments import epoch_of
from trader.messages import Boot, Entry, encode
from trader.ports import Batch


class MemoryJournal:
    """Keeps the encoded bytes and decodes on reading, so that nothing passes that the durable journal would refuse."""

    def __init__(self) -> None:
        self.head_hash = GENESIS
        self.epoch = 0
        self._rows: list[tuple[int, bytes, str]] = []

    @property
    def head(self) -> int:
        """Sequence number of the last committed entry, 0 when there is none."""
        return len(self._rows)

    def begin_life(self) -> int:
        """The epoch of a new life; it begins when its LifeBegan is committed."""
        return self.epoch + 1

    async def commit(self, batch: Batch) -> None:
        """All of the batch, or JournalFenced."""
        await trio.lowlevel.cancel_shielded_checkpoint()
        self.write(batch)

    def write(self, batch: Batch) -> None:
        """The same without a checkpoint."""
        rows, epoch, head_hash = [], self.epoch, self.head_hash
        for sequence, entry in enumerate(batch.entries, self.head + 1):
            assert entry.sequence == sequence, "entries follow the head without a gap"
            is_new = isinstance(entry.input, Boot) and entry.input.epoch > epoch
            epoch = epoch_of(entry) if is_new else epoch
            if epoch_of(entry) != epoch or (isinstance(entry.input, Boot) and not is_new):
                raise JournalFenced("another life has begun on this journal")
            data = encode(entry)
            head_hash = chained(head_hash, data)
            rows.append((sequence, data, head_hash))
        self._rows += rows
        self.epoch, self.head_hash = epoch, head_hash

    async def read(self, after: int, limit: int) -> list[Entry]:
        """Committed entries with a sequence number above `after`, oldest first."""
        await trio.lowlevel.checkpoint()
        return [decoded(sequence, data) for sequence, data, _ in self._rows[after : after + limit]]

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """All committed entries, in order, their chain of hashes checked; raises JournalDamaged."""
        previous = self._rows[after - 1][2] if after else GENESIS
        rows = ((*row, ()) for row in self._rows[after:])
        return (link.entry for link in checked(rows, after, previous))
