"""The journal file of the simulated broker: from its lines alone every order and every cent follows."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec

from tests.simulator_served import JD, MONDAY, TUESDAY, JsonObject, Served, open_ns, served
from trader.calendar import new_york_ns
from trader.model import MINUTE_NS, Side
from trader.simulator.books import Service
from trader.simulator.faults import FaultRule, FaultVerb
from trader.simulator.keys import Keys, Opening
from trader.simulator.scheduled import EventName, ScheduledEvent

LATE_NS = new_york_ns(MONDAY, 15 * 60 * MINUTE_NS)


def lines_of(path: Path) -> list[JsonObject]:
    return [msgspec.json.decode(line, type=JsonObject) for line in path.read_bytes().splitlines()]


def part(line: JsonObject, name: str) -> dict[str, str]:
    found = line[name]
    assert isinstance(found, dict)
    return found


def cash_of(lines: Iterable[JsonObject], account_id: str) -> Decimal:
    """What the file alone says; a correction or a bust is about an earlier execution."""
    cash, traded = Decimal(0), dict[str, Decimal]()
    for line in lines:
        if line["account_id"] != account_id:
            continue
        if line["event"] == "account":
            cash += Decimal(str(line["cash"]))
        elif line["event"] == "activity":
            cash += Decimal(part(line, "activity")["net_amount"])
        elif "execution" in line:
            execution = part(line, "execution")
            sign = -1 if part(line, "order")["side"] == "buy" else 1
            amount = sign * Decimal(execution["qty"]) * Decimal(execution["price"])
            is_bust = line["event"] == "trade_bust"
            traded[execution["corrects"] or execution["id"]] = Decimal(0) if is_bust else amount
    return cash + sum(traded.values(), Decimal(0))


async def day_through(broker: Served) -> None:
    while await broker.broker.advance() is not None:
        pass


async def test_orders_and_cash_follow_from_the_lines_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    other = Opening(keys=Keys(key="PKOTHER", secret="x"), cash=Decimal(5_000), multiplier=2)
    events = tuple(
        ScheduledEvent(at_ns=LATE_NS, name=name, symbol=JD, **how)  # type: ignore[arg-type]
        for name, how in {
            EventName.TRADE_CORRECT: {"price": Decimal("20.01")},
            EventName.FEE: {"amount": Decimal("1.25")},
            EventName.HAND_TRADE: {"quantity": Decimal(3), "side": Side.BUY, "account": 1},
        }.items()
    )
    lost = FaultRule(verb=FaultVerb.ACCEPT_THEN_504, client_order_id="lost")
    service = Service(journal=path, further=[other])
    async with served(service=service, events=events, faults=(lost,)) as broker:
        assert (await broker.post_order(client_order_id="lost")).status_code == 504
        assert (await broker.post_order(client_order_id="none", qty="999999")).status_code == 403
        await broker.order(client_order_id="sold", side="sell", qty="4", limit_price="19.99")
        exits = {"take_profit": {"limit_price": "30"}, "stop_loss": {"stop_price": "10"}}
        await broker.order(client_order_id="b", order_class="bracket", limit_price="18", **exits)
        await day_through(broker)
        broker.broker.begin_session(TUESDAY)
        accounts = broker.broker.venue.state.accounts.values()
        kept = {one.account_id: one.cash for one in accounts}
        orders = {one.order_id: one.status for one in broker.broker.venue.state.orders.values()}
    lines = lines_of(path)
    assert {one: cash_of(lines, one) for one in kept} == kept
    assert len(kept) == 2
    last = {
        part(line, "order")["id"]: part(line, "order")["status"]
        for line in lines
        if "order" in line
    }
    assert last == orders
    assert len(last) == 6, "the lost one, the sale, a bracket of three, a trade by hand"
    assert "untold" in {line["event"] for line in lines}, "nobody is told of exits that wait"


async def test_another_life_goes_on_at_the_end_of_the_file(tmp_path: Path) -> None:
    path, state = tmp_path / "journal.jsonl", tmp_path / "state.db"
    for life, date in enumerate((MONDAY, TUESDAY)):
        fee = ScheduledEvent(at_ns=open_ns(date) + MINUTE_NS, name=EventName.FEE, amount=Decimal(1))
        service = Service(journal=path)
        async with served(path=state, service=service, date=date, events=(fee,)) as broker:
            await broker.order(client_order_id=f"life-{life}")
            await day_through(broker)
            cash = broker.broker.account.cash
            account_id = broker.broker.account.account_id
    lines = lines_of(path)
    assert [line["event"] for line in lines].count("account") == 1
    assert [line["event"] for line in lines].count("activity") == 2
    assert cash_of(lines, account_id) == cash
