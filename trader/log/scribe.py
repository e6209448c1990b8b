"""Follows the journal by sequence number, never pushed, and writes what the narrator tells; at most a reader behind."""

from collections.abc import Awaitable, Callable

from trader import steps
from trader.log.events import Event
from trader.log.fold import Fold, Repeated
from trader.log.narrator import Narrator
from trader.log.position import position_in
from trader.log.writer import LogWriter
from trader.messages import Entry
from trader.ports import Journal, JournalFailed

READ_ENTRIES_MAX = 500


def _nothing(_: object) -> None:
    return None


class Scribe:
    """Tells the journal to the log from where the log ended, and new entries (after the head of now) to `heard` too.

    A log of another journal is left as it is: then only what is new is told. `complain` hears once when the log
    begins to have a gap.
    """

    def __init__(
        self,
        journal: Journal,
        writer: LogWriter,
        *,
        heard: Callable[[Event], None] = _nothing,
        complain: Callable[[str], None] = _nothing,
    ) -> None:
        self.sequence = 0  # of the last entry told
        self._journal = journal
        self._writer = writer
        self._heard = heard
        self._complain = complain
        self._narrator = Narrator()
        self._news_after = journal.head
        self._log = position_in(writer.path)
        self._skip_to = self._log.sequence
        self._is_foreign = False
        if self._log.sequence > journal.head:
            self._disown()
        else:
            self._narrator.fold.credit(self._log.minute, self._log.counts)

    async def follow(self, wait: Callable[[], Awaitable[object]]) -> None:
        """Tell for ever; `wait` returns when the journal may have grown."""
        while True:
            await self.catch_up()
            await wait()

    async def catch_up(self) -> None:
        """Tell every entry up to the journal's head; what can't be read now is told the next time.

        Not what the file has beyond it: a newer life has written that, and tells it itself.
        """
        try:
            while entries := await self._journal.read(self.sequence, self._untold()):
                self._tell(self._told(entries))
                self.sequence = entries[-1].sequence
                steps.reach("log told")
        except JournalFailed as failure:
            self._complain(f"the log waits: {failure}")

    def _untold(self) -> int:
        return min(max(0, self._journal.head - self.sequence), READ_ENTRIES_MAX)

    def close(self) -> None:
        """Tell the repeats that were held back; nothing comes after."""
        self._tell(self._narrator.close())

    def _told(self, entries: list[Entry]) -> list[Event]:
        told: list[Event] = []
        for index, entry in enumerate(entries):
            if entry.sequence > self._skip_to:
                return told + self._narrator.tell(entries[index:])
            told += self._skip(entry)
        return told

    def _skip(self, entry: Entry) -> list[Event]:
        """An entry that the log has already; of the last one perhaps not all lines."""
        told: list[Event] = [
            one for one in self._narrator.tell_one(entry) if not isinstance(one, Repeated)
        ]
        if self._is_foreign:
            if entry.sequence == self._skip_to:
                self._narrator.fold = Fold()
            return []
        if entry.sequence < self._skip_to:
            return []
        known = self._log.messages
        if tuple(one.message for one in told[: len(known)]) != known:
            self._disown()
            return []
        return told[len(known) :]

    def _disown(self) -> None:
        """The log tells another journal: it is left as it is, and told on with what is new in this one."""
        self._is_foreign = True
        self._skip_to = self._news_after
        self._narrator.fold = Fold()

    def _tell(self, events: list[Event]) -> None:
        complaint = self._writer.write(events)
        if complaint is not None:
            self._complain(complaint)
        for event in events:
            if event.sequence is not None and event.sequence > self._news_after:
                self._heard(event)
