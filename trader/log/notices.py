"""The words of everything else in the log: the program's life, its gates, its books, its alarms."""

from trader import messages
from trader.log import events as log
from trader.log.events import Event, Level
from trader.log.words import because, last_words, outside
from trader.money import canonical

TRACEBACK_CHARACTERS_MAX = 4_000


class Notices:
    """What happened in one entry, in words: the events that come a few times a day."""

    def __init__(self, timestamp: str, sequence: int) -> None:
        self.timestamp = timestamp
        self.sequence = sequence

    def rare(self, event: messages.Event) -> Event:
        """Any event but those of requests and executions."""
        match event:
            case messages.LifeBegan():
                return self._life_began(event)
            case messages.LifeEnded(exit_code=exit_code):
                return log.LifeEnded(
                    timestamp=self.timestamp,
                    sequence=self.sequence,
                    message=f"life ended, exit code {exit_code}",
                    exit_code=exit_code,
                )
            case messages.SessionBegan():
                equity = canonical(event.equity)
                return log.SessionBegan(
                    timestamp=self.timestamp,
                    sequence=self.sequence,
                    message=f"session {outside(event.session)} began with equity {equity}",
                    session=outside(event.session),
                    equity=equity,
                )
            case messages.OpeningBooked():
                cash = canonical(event.cash)
                return log.OpeningBooked(
                    timestamp=self.timestamp,
                    sequence=self.sequence,
                    message=f"the account opens with cash {cash}" + because(event.description),
                    cash=cash,
                )
            case messages.BooksMoved() | messages.Released():
                return self._books(event)
            case messages.CancelRequested() | messages.LookupWanted():
                return self._wanted(event)
            case messages.StatementCompared() | messages.DifferenceFound():
                return self._compared(event)
            case messages.GateMoved() | messages.WorkerMoved():
                return self._condition(event)
            case messages.Halted() | messages.Resumed():
                return self._stopped(event)
            case messages.ReductionBegan() | messages.ReductionEnded():
                return self._reduced(event)
            case messages.SecurityStatusMoved():
                return self._status(event)
            case messages.LimitChanged() | messages.Promoted():
                return self._limits(event)
            case _:
                return self._alarm(event)

    def _life_began(self, event: messages.LifeBegan) -> Event:
        return log.LifeBegan(
            timestamp=self.timestamp,
            sequence=self.sequence,
            message=f"life {event.epoch} began: trader {event.version} build {event.build}",
            epoch=event.epoch,
            build=event.build,
            version=event.version,
            pid=event.pid,
            broker=outside(event.broker),
            account=outside(event.account),
        )

    def _books(self, event: messages.BooksMoved | messages.Released) -> Event:
        symbol = None if event.symbol is None else outside(event.symbol)
        if isinstance(event, messages.Released):
            who, reason = outside(event.who), outside(event.reason)
            return log.Released(
                timestamp=self.timestamp,
                sequence=self.sequence,
                symbol=symbol,
                message=f"quarantine of {symbol or 'everything'} ended by {who}" + because(reason),
                who=who,
                reason=reason,
            )
        cash, quantity = canonical(event.cash), canonical(event.quantity)
        description = outside(event.description)
        return log.BooksMoved(
            timestamp=self.timestamp,
            sequence=self.sequence,
            symbol=symbol,
            message=f"books moved: {event.kind}, cash {cash}, shares {quantity}"
            + because(description),
            kind=event.kind,
            reference=outside(event.reference),
            cash=cash,
            quantity=quantity,
            description=description,
        )

    def _wanted(self, event: messages.CancelRequested | messages.LookupWanted) -> Event:
        name, symbol, reason = map(outside, (event.client_order_id, event.symbol, event.reason))
        if isinstance(event, messages.CancelRequested):
            return log.CancelRequested(
                timestamp=self.timestamp,
                sequence=self.sequence,
                symbol=symbol,
                message=f"cancel wanted of {name}" + because(reason),
                client_order_id=name,
                reason=reason,
            )
        return log.LookupWanted(
            timestamp=self.timestamp,
            sequence=self.sequence,
            symbol=symbol,
            message=f"the broker is asked about {name}" + because(reason),
            client_order_id=name,
            attempts=event.attempts,
            reason=reason,
        )

    def _compared(self, event: messages.StatementCompared | messages.DifferenceFound) -> Event:
        if isinstance(event, messages.StatementCompared):
            cash = canonical(event.cash)
            verdict = "books = broker" if event.agrees else "books differ from the broker"
            return log.BooksCompared(
                timestamp=self.timestamp,
                level="info" if event.agrees else "warning",
                sequence=self.sequence,
                message=f"{verdict}: cash {cash}, {event.positions} positions,"
                f" {event.open_orders} open orders",
                agrees=event.agrees,
                cash=cash,
                positions=event.positions,
                open_orders=event.open_orders,
            )
        ours, theirs = outside(event.ours), outside(event.theirs)
        return log.DifferenceFound(
            timestamp=self.timestamp,
            level="alarm",
            sequence=self.sequence,
            symbol=outside(event.symbol) if event.symbol else None,
            message=f"{outside(event.subject)}: ours {ours}, the broker's {theirs}",
            subject=outside(event.subject),
            ours=ours,
            theirs=theirs,
        )

    def _condition(self, event: messages.GateMoved | messages.WorkerMoved) -> Event:
        if isinstance(event, messages.GateMoved):
            way = "open" if event.is_open else "closed"
            return log.GateMoved(
                timestamp=self.timestamp,
                level="info" if event.is_open else "warning",
                sequence=self.sequence,
                message=f"gate {event.gate.value} {way}" + because(event.reason),
                gate=event.gate.value,
                is_open=event.is_open,
                reason=outside(event.reason),
            )
        worker, symbol = outside(event.worker), outside(event.symbol)
        if not event.ready and not event.reason:
            return log.WorkerWarming(
                timestamp=self.timestamp,
                sequence=self.sequence,
                symbol=symbol,
                message=f"worker {worker} is fed history, {symbol} takes no entries",
                worker=worker,
            )
        if event.ready:
            return log.WorkerReady(
                timestamp=self.timestamp,
                sequence=self.sequence,
                symbol=symbol,
                level="warning" if event.reason else "info",
                message=f"worker {worker} is {outside(event.reason) or 'ready'}",
                worker=worker,
            )
        return log.WorkerFailed(
            timestamp=self.timestamp,
            level="error",
            sequence=self.sequence,
            symbol=symbol,
            message=f"worker {worker} failed, {symbol} takes no entries"
            + because(last_words(event.reason)),
            worker=worker,
            reason=outside(event.reason, TRACEBACK_CHARACTERS_MAX),
        )

    def _stopped(self, event: messages.Halted | messages.Resumed) -> Event:
        who, reason = outside(event.who), outside(event.reason)
        if isinstance(event, messages.Halted):
            return log.Halted(
                timestamp=self.timestamp,
                level="alarm",
                sequence=self.sequence,
                message=f"halted by {who}: {reason}",
                who=who,
                reason=reason,
            )
        return log.Resumed(
            timestamp=self.timestamp,
            sequence=self.sequence,
            message=f"resumed by {who}: {reason}",
            who=who,
            reason=reason,
        )

    def _status(self, event: messages.SecurityStatusMoved) -> Event:
        symbol, reason = outside(event.symbol), outside(event.reason)
        words = "halts, it takes no entries" if event.is_halted else "goes on"
        return log.SecurityStatus(
            timestamp=self.timestamp,
            level="warning" if event.is_halted else "info",
            sequence=self.sequence,
            symbol=symbol,
            message=f"trading of {symbol} {words}" + because(reason),
            is_halted=event.is_halted,
            reason=reason,
        )

    def _reduced(self, event: messages.ReductionBegan | messages.ReductionEnded) -> Event:
        symbol = outside(event.symbol)
        if isinstance(event, messages.ReductionEnded):
            return log.ReductionEnded(
                timestamp=self.timestamp,
                sequence=self.sequence,
                symbol=symbol,
                message=f"{symbol} is flat, with nothing on its way; exits: {event.exits}",
                exits=event.exits,
            )
        kind, who, reason = event.kind.value, outside(event.who), outside(event.reason)
        return log.ReductionBegan(
            timestamp=self.timestamp,
            level="warning",
            sequence=self.sequence,
            symbol=symbol,
            message=f"{symbol} has to go ({kind}, by {who})" + because(reason),
            kind=kind,
            who=who,
            reason=reason,
        )

    def _limits(self, event: messages.LimitChanged | messages.Promoted) -> Event:
        reason = outside(event.reason)
        if isinstance(event, messages.Promoted):
            who, strategy = outside(event.who), outside(event.strategy)
            return log.Promoted(
                timestamp=self.timestamp,
                sequence=self.sequence,
                message=f"{strategy} promoted by {who}: {reason}",
                strategy=strategy,
                who=who,
                reason=reason,
            )
        owner, before, after = outside(event.owner), event.before or "none", event.after or "none"
        return log.LimitChanged(
            timestamp=self.timestamp,
            level="warning",
            sequence=self.sequence,
            message=f"limit {event.limit} changed from {before} to {after}"
            + (f" by {owner}" if owner else "")
            + because(reason),
            limit=event.limit,
            before=event.before,
            after=event.after,
            owner=owner,
            reason=reason,
        )

    def _alarm(self, event: messages.Event) -> Event:
        level: Level = "alarm"
        match event:
            case messages.Alarmed():
                return log.Alarm(
                    timestamp=self.timestamp,
                    level=level,
                    sequence=self.sequence,
                    symbol=outside(event.symbol) if event.symbol else None,
                    message=outside(event.message),
                    alarm=outside(event.alarm),
                )
            case messages.Quarantined():
                where = outside(event.symbol) if event.symbol else None
                return log.Quarantined(
                    timestamp=self.timestamp,
                    level=level,
                    sequence=self.sequence,
                    symbol=where,
                    message=f"no entries in {where or 'any symbol'}: {outside(event.reason)}",
                    reason=outside(event.reason),
                    raw=outside(event.raw),
                )
            case messages.BrakeTripped():
                numbers = {outside(name): outside(one) for name, one in event.numbers.items()}
                listed = ", ".join(f"{name} {one}" for name, one in numbers.items())
                return log.BrakeTripped(
                    timestamp=self.timestamp,
                    level=level,
                    sequence=self.sequence,
                    symbol=event.symbol,
                    message=f"brake {event.brake.value} tripped: {listed}",
                    brake=event.brake.value,
                    numbers=numbers,
                )
            case messages.CommandAnswered():
                verb, subject = outside(event.verb), outside(event.subject)
                return log.CommandAnswered(
                    timestamp=self.timestamp,
                    sequence=self.sequence,
                    message=f"{outside(event.who)}: {verb} {subject}".rstrip()
                    + f": {outside(event.message)}",
                    command_id=outside(event.command_id),
                    verb=verb,
                    subject=subject,
                    who=outside(event.who),
                    outcome=event.outcome,
                )
            case messages.Noted():
                return log.Noted(
                    timestamp=self.timestamp,
                    sequence=self.sequence,
                    message=outside(event.message),
                    subject=outside(event.subject),
                )
            case _:
                raise AssertionError(f"nobody tells {type(event).__name__}")
