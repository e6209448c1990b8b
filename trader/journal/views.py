"""The views that people ask: canonical text as numbers, repeated blocks folded, and two that prove something.

Our own code never reads money from here: a number of SQLite is a float.
"""


def _number(name: str, column: str | None = None) -> str:
    return f"CAST({column or name} AS NUMERIC) AS {name}"


ORDERS = f"""
CREATE VIEW orders AS SELECT
  client_order_id, broker_order_id, decision_id, timestamp, session, strategy, symbol, side, purpose, order_type,
  {_number("quantity")}, {_number("quantity_filled")}, {_number("quantity_leaves")},
  {_number("limit_price")}, {_number("avg_price")}, state,
  CASE state_reason WHEN '' THEN reason ELSE state_reason END AS reason,
  epoch, build, time_in_force, {_number("fees")}, {_number("reserved")}
FROM order_rows ORDER BY decision_id
"""

TRADES = f"""
CREATE VIEW trades AS SELECT
  id, timestamp, session, client_order_id, execution_id, symbol, side,
  {_number("quantity")}, {_number("price")}, {_number("notional")}, {_number("fees")}, {_number("realized_pnl")},
  strategy
FROM execution_rows ORDER BY id
"""

POSITIONS = f"""
CREATE VIEW positions AS SELECT
  symbol, {_number("quantity")}, {_number("avg_cost")}, {_number("market_price")},
  {_number("unrealized_pnl")}, {_number("realized_pnl", "p.realized_pnl")},
  {_number("quantity_pending_buy")}, {_number("quantity_pending_sell")},
  CASE WHEN p.closed_reason = '' AND a.closed_reason = '' THEN 'open' ELSE 'closed' END AS entries,
  CASE a.closed_reason WHEN '' THEN p.closed_reason ELSE a.closed_reason END AS closed_reason,
  strategy
FROM position_rows AS p, account_row AS a ORDER BY symbol
"""

# cash + cost of what is held = opening + realized, always; so what is not realized is the rest of equity.
ACCOUNT = f"""
CREATE VIEW account AS SELECT
  {_number("cash")}, {_number("cash_reserved", "reserved")}, {_number("equity")}, {_number("realized_pnl")},
  round(equity - opening - realized_pnl, 6) AS unrealized_pnl,
  round(equity - equity_session, 6) AS daily_pnl,
  timestamp, session, account, halted, closed_reason
FROM account_row
"""

EQUITY_HISTORY = f"""
CREATE VIEW equity_history AS SELECT
  timestamp, session, {_number("equity")}, {_number("cash")}, {_number("positions_value")},
  {_number("realized_pnl")}, {_number("unrealized_pnl")}
FROM equity_rows ORDER BY sequence, line
"""

# With min(), SQLite takes the other columns from the row that holds the minimum: the first telling.
DECISIONS = """
CREATE VIEW decisions AS SELECT
  min(sequence) AS id, request_id, decision_key, timestamp, symbol, strategy, side, purpose, outcome, reason,
  numbers, count(*) AS count, session
FROM decision_rows
GROUP BY symbol, side, at_ns / 60000000000, outcome, reason, CASE outcome WHEN 'accepted' THEN sequence END
ORDER BY id
"""

LIVES = """
CREATE VIEW lives AS SELECT epoch, pid, started_at, ended_at, build, exit_code, version, broker, account
FROM life_rows ORDER BY epoch
"""

# An entry order that was decided on before the symbol's entry order before it had ended. (If any two overlap, two
# neighbours do.)
DOUBLE_ENTRIES = """
CREATE VIEW double_entries AS
SELECT 'two live entry orders' AS what, later.symbol, later.client_order_id AS id
FROM order_rows AS later JOIN order_rows AS earlier ON earlier.decision_id = later.entry_before
WHERE ifnull(earlier.ended_sequence, 9223372036854775807) > later.decision_id
UNION ALL
SELECT 'two intents of one decision', min(symbol), decision_key FROM decision_rows
WHERE outcome = 'accepted' GROUP BY decision_key HAVING count(*) > 1
UNION ALL
SELECT 'an execution booked twice', min(symbol), execution_id FROM execution_rows
GROUP BY account, execution_id HAVING count(*) > 1
"""

# In whole millionths of a dollar: integers sum exactly.
PROOF = """
CREATE VIEW proof AS SELECT
  CAST(cash AS NUMERIC) AS cash,
  recomputed / 1000000.0 AS cash_recomputed,
  (CAST(round(cash * 1000000.0) AS INTEGER) - recomputed) / 1000000.0 AS difference,
  sequence AS entries, orders, trades
FROM (
  SELECT cash, sequence,
    CAST(round(opening * 1000000.0) AS INTEGER) + (
      SELECT ifnull(sum(CAST(round(
        ((CASE side WHEN 'BUY' THEN -1 ELSE 1 END) * notional - fees) * 1000000.0) AS INTEGER)), 0)
      FROM execution_rows
    ) + (
      SELECT ifnull(sum(CAST(round((cash - deposit) * 1000000.0) AS INTEGER)), 0) FROM movement_rows
    ) AS recomputed,
    (SELECT count(*) FROM order_rows) AS orders,
    (SELECT count(*) FROM execution_rows) AS trades
  FROM account_row
)
"""

VIEWS = (
    ORDERS,
    TRADES,
    POSITIONS,
    ACCOUNT,
    EQUITY_HISTORY,
    DECISIONS,
    LIVES,
    DOUBLE_ENTRIES,
    PROOF,
)
