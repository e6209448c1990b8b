"""The faults of simulated worlds: their names, how often each strikes, and what it is to the simulated broker.

What strikes the same kind of occasion shares a bound: a line on which every second request fails lets no program
start, and a world without a program proves nothing.
"""

from enum import StrEnum

from trader.model import SECOND_NS
from trader.simulator.faults import EVENT, LISTEN, MARKET, FaultRule, FaultVerb

# Rule B5 waits a minute after the connection has ended: what the broker does later than that is beyond the promise.
LATE_S_MAX = 45


class Fault(StrEnum):
    """Everything that can go wrong. In brackets: who does it."""

    # [link]
    REQUEST_LOST = "request-lost"
    REPLY_LOST = "reply-lost"
    CONNECTION_REFUSED = "connection-refused"
    SLOW_LINE = "slow-line"
    STREAM_CUT = "stream-cut"
    STREAM_DEAD = "stream-dead"
    # [broker: requests]
    ACCEPT_THEN_504 = "accept-then-504"
    DROP_BEFORE_ACCEPT = "drop-before-accept"
    DROP_AFTER_ACCEPT = "drop-after-accept"
    DELAY_ACK = "delay-ack"
    EVENT_BEFORE_ACK = "event-before-ack"
    ACCEPT_LATE = "accept-late"
    NO_ID = "no-id"
    EMPTY_REPLY = "empty-reply"
    HALF_REPLY = "half-reply"
    ODD_WORD = "odd-word"
    ODD_EVENT = "odd-event"
    TOO_MANY_REQUESTS = "429-burst"
    FAILED_QUERY = "failed-query"
    STALE_GET = "stale-get"
    LOOKUP_404 = "lookup-404"
    EMPTY_SNAPSHOT = "empty-snapshot"
    # [broker: orders and events]
    REJECT_AFTER_ACCEPT = "reject-after-accept"
    REJECT_LATER = "reject-later"
    SLOW_CANCEL = "slow-cancel"
    CANCEL_UNANSWERED = "cancel-unanswered"
    REJECT_CANCEL = "reject-cancel"
    FILL_WHILE_CANCELLING = "fill-while-cancelling"
    FILL_AFTER_CANCEL = "fill-after-cancel"
    DROP_EVENT = "drop-event"
    DUPLICATE_EVENT = "duplicate-event"
    DELAY_EVENT = "delay-event"
    REORDER_EVENTS = "reorder-events"
    REPLAY_EVENTS = "replay-events"
    MUTE_STREAM = "mute-stream"
    # [broker: the outer world]
    TRADE_BUST = "trade-bust"
    TRADE_CORRECT = "trade-correct"
    HAND_TRADE = "hand-trade"
    LATE_FILL = "late-fill"
    OVERFILL = "overfill"
    LATE_REJECT = "late-reject"
    HAND_CANCEL = "hand-cancel"
    MONEY_MOVES = "money-moves"
    VENUE_RESTART = "venue-restart"
    # [broker: the market]
    BAD_TICK = "bad-tick"
    PRICE_GAP = "price-gap"
    TRADING_HALT = "trading-halt"
    BAD_BAR = "bad-bar"
    BAD_QUOTE = "bad-quote"
    LONE_TICK = "lone-tick"
    FROZEN_QUOTES = "frozen-quotes"
    # [our process and its machine]
    CRASH = "crash"
    TORN_TAIL = "torn-tail"
    COMMIT_FAILS = "commit-fails"
    DISK_FULL = "disk-full"
    STALE_CODE = "stale-code"
    SECOND_PROCESS = "second-process"
    TAKE_OVER = "take-over"
    WORKER_FAILS = "worker-fails"
    SLOW_STRATEGY = "slow-strategy"
    OPERATOR = "operator"
    WILD_REQUESTS = "wild-requests"
    CLOCK_JUMP = "clock-jump"
    MACHINE_SLEEPS = "machine-sleeps"
    RESTORED_BACKUP = "restored-backup"


# Of requests and events: the typical part of them that is struck. Of the rest: times in two hours.
RATES = {
    Fault.REQUEST_LOST: 0.03,
    Fault.REPLY_LOST: 0.03,
    Fault.CONNECTION_REFUSED: 0.03,
    Fault.SLOW_LINE: 0.02,
    Fault.STREAM_CUT: 0.01,
    Fault.STREAM_DEAD: 0.005,
    Fault.ACCEPT_THEN_504: 0.1,
    Fault.DROP_BEFORE_ACCEPT: 0.08,
    Fault.DROP_AFTER_ACCEPT: 0.08,
    Fault.DELAY_ACK: 0.08,
    Fault.EVENT_BEFORE_ACK: 0.1,
    Fault.ACCEPT_LATE: 0.06,
    Fault.NO_ID: 0.06,
    Fault.EMPTY_REPLY: 0.06,
    Fault.HALF_REPLY: 0.06,
    Fault.ODD_WORD: 0.02,
    Fault.ODD_EVENT: 0.05,
    Fault.TOO_MANY_REQUESTS: 0.03,
    Fault.FAILED_QUERY: 0.05,
    Fault.STALE_GET: 0.03,
    Fault.LOOKUP_404: 0.3,
    Fault.EMPTY_SNAPSHOT: 0.02,
    Fault.REJECT_AFTER_ACCEPT: 0.05,
    Fault.REJECT_LATER: 0.04,
    Fault.SLOW_CANCEL: 0.15,
    Fault.CANCEL_UNANSWERED: 0.15,
    Fault.REJECT_CANCEL: 0.2,
    Fault.FILL_WHILE_CANCELLING: 0.2,
    Fault.FILL_AFTER_CANCEL: 0.03,
    Fault.DROP_EVENT: 0.1,
    Fault.DUPLICATE_EVENT: 0.1,
    Fault.DELAY_EVENT: 0.08,
    Fault.REORDER_EVENTS: 0.08,
    Fault.REPLAY_EVENTS: 0.5,
    Fault.MUTE_STREAM: 0.01,
    Fault.TRADE_BUST: 1.0,
    Fault.TRADE_CORRECT: 1.0,
    Fault.HAND_TRADE: 1.0,
    Fault.LATE_FILL: 2.0,
    Fault.OVERFILL: 0.5,
    Fault.LATE_REJECT: 3.0,
    Fault.HAND_CANCEL: 0.08,
    Fault.MONEY_MOVES: 2.0,
    Fault.VENUE_RESTART: 1.0,
    Fault.BAD_TICK: 40.0,
    Fault.PRICE_GAP: 2.0,
    Fault.TRADING_HALT: 6.0,
    Fault.BAD_BAR: 60.0,
    Fault.BAD_QUOTE: 60.0,
    Fault.LONE_TICK: 120.0,
    Fault.FROZEN_QUOTES: 6.0,
    Fault.CRASH: 4.0,
    Fault.TORN_TAIL: 1.5,
    Fault.COMMIT_FAILS: 4.0,
    Fault.DISK_FULL: 1.0,
    Fault.STALE_CODE: 1.5,
    Fault.SECOND_PROCESS: 1.5,
    Fault.TAKE_OVER: 1.0,
    Fault.WORKER_FAILS: 3.0,
    Fault.SLOW_STRATEGY: 4.0,
    Fault.OPERATOR: 24.0,
    Fault.WILD_REQUESTS: 40.0,
    Fault.CLOCK_JUMP: 0.7,
    Fault.MACHINE_SLEEPS: 0.7,
    Fault.RESTORED_BACKUP: 1.0,
}
# Drawn since seeds began to be kept; what is drawn of the others, a world without these is drawn alike.
YOUNGER = frozenset({Fault.BAD_BAR, Fault.BAD_QUOTE, Fault.LONE_TICK, Fault.FROZEN_QUOTES})
_DISORDER = frozenset(
    {
        Fault.DROP_EVENT,
        Fault.REORDER_EVENTS,
        Fault.REPLAY_EVENTS,
        Fault.STREAM_CUT,
        Fault.VENUE_RESTART,
    }
)
# What crosses with the end of a session; drawn so that most of it befalls around the close.
AT_THE_CLOSE = frozenset(
    {
        Fault.DROP_EVENT,
        Fault.REPLAY_EVENTS,
        Fault.STREAM_CUT,
        Fault.VENUE_RESTART,
        Fault.OPERATOR,
        Fault.SLOW_CANCEL,
        Fault.REJECT_CANCEL,
        Fault.DELAY_ACK,
        Fault.DELAY_EVENT,
        Fault.WILD_REQUESTS,
        Fault.CRASH,
    }
)
# What belongs together, for worlds that are aimed: alone, each of these seldom leads where together they do.
AIMS: tuple[frozenset[Fault], ...] = (
    AT_THE_CLOSE,
    AT_THE_CLOSE,  # twice as often: a session ends only once in a world
    # Answers that come after the order has moved on, or not at all.
    _DISORDER
    | {
        Fault.DELAY_ACK,
        Fault.ACCEPT_THEN_504,
        Fault.REPLY_LOST,
        Fault.HAND_CANCEL,
        Fault.REJECT_AFTER_ACCEPT,
        Fault.LATE_REJECT,
    },
    # Cancels that cross with everything else.
    _DISORDER
    | {
        Fault.OPERATOR,
        Fault.REJECT_CANCEL,
        Fault.SLOW_CANCEL,
        Fault.FILL_WHILE_CANCELLING,
        Fault.HAND_CANCEL,
        Fault.REJECT_LATER,
    },
    # Ends that were none.
    _DISORDER
    | {
        Fault.FILL_AFTER_CANCEL,
        Fault.LATE_FILL,
        Fault.OVERFILL,
        Fault.LATE_REJECT,
        Fault.REJECT_AFTER_ACCEPT,
        Fault.HAND_CANCEL,
        Fault.OPERATOR,
    },
    # Books that are behind: what was sent, and its end, was heard by nobody.
    frozenset(
        {
            Fault.RESTORED_BACKUP,
            Fault.CRASH,
            Fault.HAND_CANCEL,
            Fault.REJECT_LATER,
            Fault.REPLAY_EVENTS,
            Fault.DROP_EVENT,
            Fault.ODD_EVENT,
            Fault.OPERATOR,
        }
    ),
)
# What shares a kind of occasion, and the part of it that all may strike; the last row, of what ends lives: how often.
SHARED: tuple[tuple[float, frozenset[Fault]], ...] = (
    (
        0.05,
        frozenset(
            {
                Fault.REQUEST_LOST,
                Fault.REPLY_LOST,
                Fault.CONNECTION_REFUSED,
                Fault.SLOW_LINE,
                Fault.EMPTY_REPLY,
                Fault.HALF_REPLY,
                Fault.TOO_MANY_REQUESTS,
            }
        ),
    ),
    (0.03, frozenset({Fault.FAILED_QUERY, Fault.STALE_GET, Fault.EMPTY_SNAPSHOT})),
    (0.003, frozenset({Fault.STREAM_CUT, Fault.STREAM_DEAD, Fault.MUTE_STREAM})),
    (
        0.4,
        frozenset(
            {
                Fault.ACCEPT_THEN_504,
                Fault.DROP_BEFORE_ACCEPT,
                Fault.DROP_AFTER_ACCEPT,
                Fault.DELAY_ACK,
                Fault.EVENT_BEFORE_ACK,
                Fault.ACCEPT_LATE,
                Fault.NO_ID,
                Fault.ODD_WORD,
                Fault.REJECT_AFTER_ACCEPT,
                Fault.REJECT_LATER,
            }
        ),
    ),
    (
        0.6,
        frozenset(
            {
                Fault.REJECT_CANCEL,
                Fault.SLOW_CANCEL,
                Fault.CANCEL_UNANSWERED,
                Fault.FILL_WHILE_CANCELLING,
            }
        ),
    ),
    (
        0.35,
        frozenset(
            {
                Fault.FILL_AFTER_CANCEL,
                Fault.DROP_EVENT,
                Fault.DUPLICATE_EVENT,
                Fault.DELAY_EVENT,
                Fault.REORDER_EVENTS,
                Fault.ODD_EVENT,
            }
        ),
    ),
    (
        10.0,
        frozenset(
            {
                Fault.CRASH,
                Fault.TORN_TAIL,
                Fault.TAKE_OVER,
                Fault.CLOCK_JUMP,
                Fault.MACHINE_SLEEPS,
            }
        ),
    ),
)


RULES: dict[Fault, FaultRule] = {
    Fault.ACCEPT_THEN_504: FaultRule(
        verb=FaultVerb.ACCEPT_THEN_504, method="POST", path_prefix="/v2/orders"
    ),
    Fault.DROP_BEFORE_ACCEPT: FaultRule(verb=FaultVerb.DROP_BEFORE_ACCEPT, method="POST"),
    Fault.DROP_AFTER_ACCEPT: FaultRule(verb=FaultVerb.DROP_AFTER_ACCEPT, method="POST"),
    Fault.DELAY_ACK: FaultRule(verb=FaultVerb.DELAY_ACK, method="POST", delay_s=12.0),
    Fault.EVENT_BEFORE_ACK: FaultRule(verb=FaultVerb.EVENT_BEFORE_ACK, method="POST", delay_s=3.0),
    Fault.ACCEPT_LATE: FaultRule(
        verb=FaultVerb.ACCEPT_LATE, method="POST", delay_ns=LATE_S_MAX * SECOND_NS
    ),
    Fault.NO_ID: FaultRule(verb=FaultVerb.NO_ID, method="POST"),
    Fault.EMPTY_REPLY: FaultRule(verb=FaultVerb.EMPTY_REPLY),
    Fault.HALF_REPLY: FaultRule(verb=FaultVerb.HALF_REPLY),
    Fault.ODD_WORD: FaultRule(verb=FaultVerb.ODD_WORD, method="POST", word="accepted_for_bidding"),
    Fault.TOO_MANY_REQUESTS: FaultRule(verb=FaultVerb.TOO_MANY_REQUESTS),
    Fault.FAILED_QUERY: FaultRule(verb=FaultVerb.ANSWER_INSTEAD, method="GET", status=500),
    Fault.STALE_GET: FaultRule(
        verb=FaultVerb.STALE_GET, method="GET", path_prefix="/v2/", delay_ns=20 * SECOND_NS
    ),
    Fault.LOOKUP_404: FaultRule(
        verb=FaultVerb.LOOKUP_404, method="GET", path_prefix="/v2/orders:by_client_order_id"
    ),
    Fault.EMPTY_SNAPSHOT: FaultRule(
        verb=FaultVerb.ANSWER_INSTEAD,
        method="GET",
        path_prefix="/v2/positions",
        status=200,
        body="[]",
    ),
    Fault.ODD_EVENT: FaultRule(verb=FaultVerb.ODD_WORD, method=EVENT, path_prefix="new"),
    Fault.REJECT_AFTER_ACCEPT: FaultRule(
        verb=FaultVerb.REJECT_AFTER_ACCEPT, method="POST", word="halted"
    ),
    Fault.REJECT_LATER: FaultRule(
        verb=FaultVerb.REJECT_AFTER_ACCEPT, method="POST", word="halted", delay_ns=8 * SECOND_NS
    ),
    Fault.SLOW_CANCEL: FaultRule(verb=FaultVerb.DELAY_ACK, method="DELETE", delay_s=12.0),
    Fault.CANCEL_UNANSWERED: FaultRule(verb=FaultVerb.DROP_AFTER_ACCEPT, method="DELETE"),
    Fault.REJECT_CANCEL: FaultRule(verb=FaultVerb.REJECT_CANCEL, method="DELETE"),
    Fault.FILL_WHILE_CANCELLING: FaultRule(verb=FaultVerb.FILL_WHILE_CANCELLING, method="DELETE"),
    Fault.FILL_AFTER_CANCEL: FaultRule(
        verb=FaultVerb.FILL_AFTER_CANCEL, method=EVENT, delay_ns=3 * SECOND_NS
    ),
    Fault.DROP_EVENT: FaultRule(verb=FaultVerb.DROP_EVENT, method=EVENT),
    Fault.DUPLICATE_EVENT: FaultRule(
        verb=FaultVerb.DUPLICATE_EVENT, method=EVENT, count=2, delay_ns=40 * SECOND_NS
    ),
    Fault.DELAY_EVENT: FaultRule(verb=FaultVerb.DELAY_EVENT, method=EVENT, delay_ns=25 * SECOND_NS),
    Fault.REORDER_EVENTS: FaultRule(verb=FaultVerb.REORDER_EVENTS, method=EVENT),
    Fault.REPLAY_EVENTS: FaultRule(verb=FaultVerb.REPLAY_EVENTS, method=LISTEN, count=20),
    Fault.MUTE_STREAM: FaultRule(
        verb=FaultVerb.MUTE_SOCKET, method=MARKET, duration_ns=200 * SECOND_NS
    ),
}
# Documented words of an order that lives, in place of the usual one; and one that is documented nowhere.
WORDS = {
    Fault.ODD_WORD: ("accepted_for_bidding", "held", "pending_review", "calculated", "on_hold"),
    Fault.ODD_EVENT: ("stopped", "suspended", "calculated", "pending_review", "pending_cancel"),
}
# By these the market's minutes are others for us than for the broker.
UNSOUND_CLOCKS = frozenset({Fault.CLOCK_JUMP, Fault.MACHINE_SLEEPS})
# By these no request, reply or report is lost or late: what is wanted of the broker meanwhile has to be there.
LEAVES_THE_BROKER_IN_REACH = frozenset(
    {
        Fault.HAND_CANCEL,
        Fault.MONEY_MOVES,
        Fault.BAD_TICK,
        Fault.BAD_BAR,
        Fault.BAD_QUOTE,
        Fault.LONE_TICK,
        Fault.FROZEN_QUOTES,
        Fault.TRADING_HALT,
        Fault.SECOND_PROCESS,
        Fault.STALE_CODE,
        Fault.OPERATOR,
        Fault.WILD_REQUESTS,
    }
)
# By these an account has other sums than its trades have made.
MOVES_MONEY = frozenset(
    {
        Fault.MONEY_MOVES,
        Fault.TRADE_BUST,
        Fault.TRADE_CORRECT,
        Fault.HAND_TRADE,
        Fault.LATE_FILL,
        Fault.OVERFILL,
        Fault.RESTORED_BACKUP,
    }
)
