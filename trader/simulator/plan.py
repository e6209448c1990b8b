"""What an account's plan lets it have of market data: which feeds, how many symbols, how many connections."""

from msgspec import Struct

FEEDS = frozenset({"iex", "sip", "delayed_sip", "boats", "overnight"})
TEST_FEED = "test"
SIP_REFUSED = "subscription does not permit querying recent SIP data"


class Plan(Struct, frozen=True, kw_only=True):
    """`symbols_max` counts trades and quotes of one connection, each channel by itself; bars are free."""

    feeds: frozenset[str] = FEEDS
    symbols_max: int = 10_000
    connections_max: int = 1
    only_sip_of_the_past: bool = False


PLANS = {
    "paid": Plan(),
    "free": Plan(feeds=frozenset({"iex"}), symbols_max=30, only_sip_of_the_past=True),
}
