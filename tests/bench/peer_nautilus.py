"""The work of the benches in NautilusTrader; run by the Python of an environment that has it, and has nothing of ours.

Its order-rate limit is raised, or it would deny orders. It fills at the bar that an order was decided on, not at the
next one's open: the orders are the same, the profit is not.
"""

import json
import sys
import time
from typing import Any

import numpy
import pandas
from nautilus_trader.backtest.engine import (
    BacktestEngine,
    BacktestEngineConfig,
)
from nautilus_trader.config import (
    LoggingConfig,
    RiskEngineConfig,
    StrategyConfig,
)
from nautilus_trader.indicators import (
    SimpleMovingAverage,
)
from nautilus_trader.model import currencies, data, enums
from nautilus_trader.model.identifiers import (
    InstrumentId,
    Symbol,
    Venue,
)
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import (
    Money,
    Price,
    Quantity,
)
from nautilus_trader.persistence.wranglers import (
    BarDataWrangler,
)
from nautilus_trader.trading.strategy import Strategy

CASH = 900_000_000
COLUMNS = ("open", "high", "low", "close", "volume")
VENUE = Venue("SIM")
RATE = "1000000/00:00:01"


class Watched(StrategyConfig, frozen=True):  # type: ignore[misc,call-arg]
    """Which symbol, and its bars."""

    instrument: InstrumentId
    bars: data.BarType


class AboveSlow(Strategy):  # type: ignore[misc]
    """In while the average of 10 closes is above that of 30, out while it is below; a hundred shares at the market."""

    def __init__(self, config: Watched) -> None:
        super().__init__(config)
        self.fast, self.slow = SimpleMovingAverage(10), SimpleMovingAverage(30)
        self.size = Quantity.from_int(100)

    def on_start(self) -> None:
        for average in (self.fast, self.slow):
            self.register_indicator_for_bars(self.config.bars, average)
        self.subscribe_bars(self.config.bars)

    def on_bar(self, bar: Any) -> None:  # noqa: ANN401
        if not self.slow.initialized:
            return
        above, instrument = self.fast.value - self.slow.value, self.config.instrument
        if above > 0 and self.portfolio.is_flat(instrument):
            side = enums.OrderSide.BUY
        elif above < 0 and self.portfolio.is_net_long(instrument):
            side = enums.OrderSide.SELL
        else:
            return
        self.submit_order(self.order_factory.market(instrument, side, self.size))


def engine_of(history: Any) -> Any:  # noqa: ANN401
    """With all bars and a strategy for each symbol."""
    config = BacktestEngineConfig(
        logging=LoggingConfig(bypass_logging=True),
        run_analysis=False,
        risk_engine=RiskEngineConfig(max_order_submit_rate=RATE),
    )
    engine = BacktestEngine(config=config)
    engine.add_venue(
        VENUE,
        enums.OmsType.NETTING,
        enums.AccountType.CASH,
        [Money(CASH, currencies.USD)],
        base_currency=currencies.USD,
        bar_execution=True,
    )
    moments = pandas.to_datetime(history["ends_ns"], utc=True)
    symbols = len(history["close"])
    for place in range(symbols):
        named = InstrumentId(Symbol(f"S{place}"), VENUE)
        equity = Equity(
            instrument_id=named,
            raw_symbol=named.symbol,
            currency=currencies.USD,
            price_precision=2,
            price_increment=Price.from_str("0.01"),
            lot_size=Quantity.from_int(1),
            ts_event=0,
            ts_init=0,
        )
        engine.add_instrument(equity)
        kind = data.BarType.from_str(f"{named}-1-MINUTE-LAST-EXTERNAL")
        frame = pandas.DataFrame({name: history[name][place] for name in COLUMNS}, index=moments)
        bars = BarDataWrangler(kind, equity).process(frame)
        engine.add_data(bars, sort=place == symbols - 1)
        watched = Watched(instrument=named, bars=kind, order_id_tag=f"{place:03}")
        engine.add_strategy(AboveSlow(watched))
    return engine


def main(path: str) -> None:
    """Prints what came of it; only the run itself is timed."""
    history = numpy.load(path)
    engine = engine_of(history)
    began_s = time.process_time()
    engine.run()
    cpu_s = time.process_time() - began_s
    orders = engine.cache.orders()
    cash = engine.cache.account_for_venue(VENUE).balance_total(currencies.USD).as_double()
    held = sum(
        float(one.signed_qty) * history["close"][int(one.instrument_id.symbol.value[1:])][-1]
        for one in engine.cache.positions_open()
    )
    run = {
        "bars": int(history["close"].size),
        "orders": len(orders),
        "fills": sum(one.filled_qty > 0 for one in orders),
        "profit": cash + held - CASH,
        "cpu_s": cpu_s,
    }
    print(json.dumps(run))


if __name__ == "__main__":
    main(sys.argv[1])
