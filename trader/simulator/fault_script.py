"""Faults as a person writes them, [[fault]] after [[fault]]: what each verb does, what it takes, and what it needs."""

from collections.abc import Collection, Iterator, KeysView, Mapping
from decimal import Decimal
from functools import partial

from msgspec import Struct, field

from trader.calendar import iso
from trader.model import SECOND_NS
from trader.money import canonical
from trader.simulator.faults import (
    AUTHENTICATE,
    CONNECT,
    EVENT,
    LISTEN,
    MARKET,
    FaultRule,
    FaultVerb,
    StandingRule,
    verbs_on,
)
from trader.simulator.market_words import KINDS
from trader.simulator.moments import clock_of, moment_ns
from trader.simulator.script import (
    BadKey,
    Script,
    check_keys,
    one_of,
    positive,
    read_tables,
    row_of,
    span,
    traded,
    whole,
)
from trader.simulator.shapes import Shape
from trader.venue import EventKind

REQUESTS = ("GET", "POST", "PATCH", "DELETE")
METHODS = (*REQUESTS, EVENT, MARKET, CONNECT, AUTHENTICATE, LISTEN)
ANY_METHOD = "*"
COUNT_MAX = 1_000_000
ALWAYS = "always"
ORDERS = "/v2/orders"


class VerbWords(Struct, frozen=True, kw_only=True):
    """`takes` are the parameters that say how; `on` is where it strikes unless the rule says another place."""

    says: str
    takes: tuple[str, ...] = ()
    needs: str = ""  # one of them
    on: tuple[str, str] = ("", "")  # method and path


def _words(says: str, *takes: str, needs: str = "", method: str = "", path: str = "") -> VerbWords:
    return VerbWords(says=says, takes=takes, needs=needs, on=(method, path))


VERBS = {
    FaultVerb.ACCEPT_THEN_504: _words(
        "it is done, the reply says gateway timeout", "status", "body", method="POST", path=ORDERS
    ),
    FaultVerb.DROP_BEFORE_ACCEPT: _words(
        "nothing is done, the connection closes", method="POST", path=ORDERS
    ),
    FaultVerb.DROP_AFTER_ACCEPT: _words(
        "it is done, the connection closes", method="POST", path=ORDERS
    ),
    FaultVerb.DELAY_ACK: _words(
        "the reply comes late", needs="reply_delay", method="POST", path=ORDERS
    ),
    FaultVerb.EVENT_BEFORE_ACK: _words(
        "the reply waits until the stream has told", method="POST", path=ORDERS
    ),
    FaultVerb.ACCEPT_LATE: _words(
        "an error now, done `delay` later", "status", "body", "delay", method="POST", path=ORDERS
    ),
    FaultVerb.REJECT_AFTER_ACCEPT: _words(
        "rejected after its 200; `word` is the reason", "delay", "word", method="POST", path=ORDERS
    ),
    FaultVerb.NO_ID: _words("the reply has no broker's id", method="POST", path=ORDERS),
    FaultVerb.REJECT_CANCEL: _words(
        "the cancel got its 204, the order lives on", method="DELETE", path=ORDERS
    ),
    FaultVerb.FILL_WHILE_CANCELLING: _words(
        "traded while its cancel is pending", "quantity", method="DELETE", path=ORDERS
    ),
    FaultVerb.STALE_GET: _words("the account as it stood `delay` ago", "delay", method="GET"),
    FaultVerb.LOOKUP_404: _words("order not found", method="GET", path=ORDERS),
    FaultVerb.TOO_MANY_REQUESTS: _words("429, `times` in a row"),
    FaultVerb.ANSWER_INSTEAD: _words("nothing is done, a made-up reply", "status", "body"),
    FaultVerb.EMPTY_REPLY: _words("it is done, 200 and an empty body"),
    FaultVerb.HALF_REPLY: _words("it is done, 200 and half of the body"),
    FaultVerb.ODD_WORD: _words(
        "a status, or an event, that nobody knows", "word", needs="word", method="POST", path=ORDERS
    ),
    FaultVerb.DROP_EVENT: _words("never told", method=EVENT),
    FaultVerb.DUPLICATE_EVENT: _words(
        "told `count` times more, `delay` later", "count", "delay", method=EVENT
    ),
    FaultVerb.DELAY_EVENT: _words("told `delay` later", "delay", needs="delay", method=EVENT),
    FaultVerb.REORDER_EVENTS: _words("told after the next one", method=EVENT),
    FaultVerb.FILL_AFTER_CANCEL: _words(
        "an end was told, a fill follows", "delay", "quantity", method=EVENT
    ),
    FaultVerb.DISCONNECT_STREAM: _words("cut, with what is on its way", method=EVENT),
    FaultVerb.MUTE_SOCKET: _words(
        "open, but nothing comes for `duration`, else until it reconnects", "duration", method=EVENT
    ),
    FaultVerb.REFUSE_STREAM: _words(
        "it can't connect, authenticate or subscribe; `status` is the error's code",
        "status",
        "word",
        method=CONNECT,
    ),
    FaultVerb.REPLAY_EVENTS: _words(
        "the last `count` events again when it listens", "count", method=LISTEN
    ),
}
PARAMETERS = frozenset(name for verb in VERBS.values() for name in verb.takes)


class FaultScene(Struct, frozen=True, kw_only=True):
    """What rules may name: symbols, and accounts by the key of their owners."""

    symbols: Collection[str]
    accounts: Mapping[str, str] = {}


class FaultRow(Struct, frozen=True, kw_only=True):
    """One [[fault]]. Times are market time; spans are seconds, of market time but for `reply_delay`."""

    verb: str
    method: str = ""
    path: str = ""  # its beginning
    event: str = ""  # the same as method = "EVENT", path = …
    channel: str = ""  # the same as method = "MARKET", path = …
    symbol: str = ""
    key: str = ""  # of an account
    client_order_id: str = ""  # with wildcards
    since: object = field(name="from", default=None)
    until: object = None
    nth: int = 1
    times: int | str = 1
    probability: Decimal = Decimal(1)
    reply_delay: Decimal = Decimal(0)
    delay: Decimal = Decimal(0)
    duration: Decimal | None = None
    status: int = 0
    body: str | None = None
    word: str = ""
    count: int = 1
    quantity: Decimal | None = None


def read_faults(script: Script, scene: FaultScene) -> list[FaultRule]:
    """Raises Mistake."""
    return read_tables(script, {"fault": partial(fault_of_table, scene)})["fault"]


def fault_of_table(scene: FaultScene, table: object) -> FaultRule:
    """Raises BadKey."""
    row = row_of(table, FaultRow)
    assert isinstance(table, dict), "it was read as one"
    verb = _verb(row.verb)
    method, path = _place(row, verb)
    _check_parameters(row, verb, method, table.keys())
    traded(row.symbol, scene.symbols)
    since_ns, since_clock = _limit(row.since, "from")
    until_ns, until_clock = _limit(row.until, "until")
    return FaultRule(
        verb=verb,
        method=method,
        path_prefix=path,
        symbol=row.symbol,
        client_order_id=row.client_order_id,
        account_id=_account(row.key, method, scene),
        from_ns=since_ns or 0,
        until_ns=until_ns,
        clock_from_ns=since_clock or 0,
        clock_until_ns=until_clock,
        nth=whole(row.nth, "nth", 1, COUNT_MAX),
        times=_times(row.times),
        probability=_probability(row.probability),
        delay_s=span(row.reply_delay, "reply_delay") / SECOND_NS,
        delay_ns=span(row.delay, "delay"),
        duration_ns=None if row.duration is None else span(row.duration, "duration"),
        status=whole(row.status, "status", 200, 599) if row.status else 0,
        body=row.body,
        word=row.word,
        count=whole(row.count, "count", 1, COUNT_MAX),
        quantity=positive(row.quantity, "quantity"),
    )


def verb_lines() -> Iterator[str]:
    """What a person may write, a line for each verb."""
    for verb, words in VERBS.items():
        takes = f" [{', '.join(words.takes)}]" if words.takes else ""
        place = " ".join(words.on).strip()
        yield f"{verb:<22} {words.says}{takes}{f' ({place})' if place else ''}"


def standing_shape(standing: StandingRule) -> Shape:
    """A rule as JSON, in the words of its table, and how it has fared."""
    rule = standing.rule
    shape: Shape = {
        "id": standing.number,
        "matches": standing.matches,
        "strikes": standing.strikes,
        "verb": rule.verb,
        "method": rule.method or ANY_METHOD,
        "path": rule.path_prefix,
        "symbol": rule.symbol,
        "client_order_id": rule.client_order_id,
        "nth": rule.nth,
        "times": ALWAYS if rule.times is None else rule.times,
        "probability": str(rule.probability),
        "from": iso(rule.from_ns) if rule.from_ns else None,
        "until": iso(rule.until_ns) if rule.until_ns is not None else None,
        "quantity": None if rule.quantity is None else canonical(rule.quantity),
    }
    return {key: value for key, value in shape.items() if value not in ("", None)}


def _verb(word: str) -> FaultVerb:
    remedy = "bin/trade broker --list-faults shows them all"
    return FaultVerb(one_of(word.lower(), "verb", tuple(FaultVerb), noun="fault", remedy=remedy))


def _place(row: FaultRow, verb: FaultVerb) -> tuple[str, str]:
    """Method and path: those that are stated, or else the verb's own."""
    stated = [name for name in ("path", "event", "channel") if getattr(row, name)]
    if len(stated) > 1 or (row.method and (row.event or row.channel)):
        raise BadKey(stated[-1], "one of method with path, event, channel is wanted")
    if row.event:
        return EVENT, one_of(row.event, "event", tuple(EventKind))
    if row.channel:
        return MARKET, one_of(row.channel, "channel", tuple(KINDS))
    if not row.method and not row.path:
        return VERBS[verb].on
    method = row.method.upper()
    if method in ("", ANY_METHOD):
        return "", row.path
    return one_of(method, "method", METHODS), row.path


def _account(key: str, method: str, scene: FaultScene) -> str:
    if not key:
        return ""
    if key not in scene.accounts:
        raise BadKey("key", f"no account has the key {key[:40]!r}", ", ".join(scene.accounts))
    if method == CONNECT:
        raise BadKey(
            "key", f"nobody's account is known on {method}", f'write method = "{AUTHENTICATE}"'
        )
    return scene.accounts[key]


def _check_parameters(
    row: FaultRow, verb: FaultVerb, method: str, stated: KeysView[object]
) -> None:
    if method and verb not in verbs_on(method):
        possible = ", ".join(one for one in METHODS if verb in verbs_on(one))
        key = next((one for one in ("event", "channel") if getattr(row, one)), "method")
        raise BadKey(key, f"{verb} can't strike there", remedy=f"it strikes on {possible}")
    words = VERBS[verb]
    missing = [name for name in [words.needs] if name and not getattr(row, name)]
    check_keys(verb, "verb", [one for one in stated if one in PARAMETERS], words.takes, missing)


def _limit(written: object, key: str) -> tuple[int | None, int | None]:
    """A moment, or a time of day."""
    if written is None:
        return None, None
    try:
        clock_ns = clock_of(written)
        return (None, clock_ns) if clock_ns is not None else (moment_ns(written, ""), None)
    except ValueError as error:
        raise BadKey(key, str(error)) from None


def _times(number: int | str) -> int | None:
    if number == ALWAYS:
        return None
    if not isinstance(number, int):
        raise BadKey("times", f'must be a number or "{ALWAYS}", not {number!r}')
    return whole(number, "times", 1, COUNT_MAX)


def _probability(chance: Decimal) -> float:
    if not chance.is_finite() or not 0 < chance <= 1:
        raise BadKey("probability", f"must be above 0 and at most 1, not {chance}")
    return float(chance)
