"""The venue as a person describes it: [[account]] with its keys, [[asset]] with its restrictions, and its [terms]."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from trader.config import is_symbol
from trader.model import SECOND_NS, Symbol
from trader.money import ZERO
from trader.simulator.keys import Keys, Opening
from trader.simulator.script import BadKey, Script, exact, read_tables, row_of, span
from trader.venue import VenueAsset, VenueTerms

KEY_LENGTH_MAX = 128
MULTIPLIERS = (1, 2, 4)
RATE_MAX = Decimal(1)
FEE_MAX = Decimal(1_000_000)


class AccountRow(Struct, frozen=True, kw_only=True):
    """One [[account]]; without `multiplier` a cash account."""

    key: str
    secret: str
    cash: Decimal | None = None
    multiplier: int = 1
    shorting: bool = True


class AssetRow(Struct, frozen=True, kw_only=True):
    """One [[asset]]; it need not be one that the market quotes."""

    symbol: str
    tradable: bool = True
    marginable: bool = True
    shortable: bool = True
    easy_to_borrow: bool = True
    fractionable: bool = True


class TermsRow(Struct, frozen=True, kw_only=True):
    """[terms], in the words of VenueTerms; times are seconds of market time, all else is a rate unless named a fee."""

    latency: Decimal | None = None
    latency_jitter: Decimal | None = None
    cancel_latency: Decimal | None = None
    replace_latency: Decimal | None = None
    bar_participation: Decimal | None = None
    quote_participation: Decimal | None = None
    spread_rate: Decimal | None = None
    slippage_rate: Decimal | None = None
    partial_probability: Decimal | None = None
    sell_notional_rate: Decimal | None = None
    sell_share_rate: Decimal | None = None
    sell_share_fee_max: Decimal | None = None
    commission_share_rate: Decimal | None = None
    margin_rate: Decimal | None = None
    borrow_rate: Decimal | None = None


SAYS = {
    "latency": "until an order reaches the book",
    "latency_jitter": "at most so much longer, by chance",
    "cancel_latency": "until a cancel is done",
    "replace_latency": "until a replacement takes its place",
    "bar_participation": "of a bar's volume that orders may take",
    "quote_participation": "of a quoted size that orders may take",
    "spread_rate": "width of a quote that a bar or trade makes, to its price",
    "slippage_rate": "by which an order without a limit trades worse than the quote",
    "partial_probability": "that an order meets a part of the quoted size only",
    "sell_notional_rate": "of what a sale brings, as a fee",
    "sell_share_rate": "dollars for each share sold, as a fee",
    "sell_share_fee_max": "dollars, of one execution",
    "commission_share_rate": "dollars for each share, bought too",
    "margin_rate": "a year, on cash owed",
    "borrow_rate": "a year, on shares owed",
}


def term_lines() -> Iterator[str]:
    """What a person may write, a line for each term, with what it is unless stated."""
    terms = VenueTerms()
    for name in TermsRow.__struct_fields__:
        span_ns = getattr(terms, f"{name}_ns", None)
        stands = f"{span_ns / SECOND_NS:g} s" if span_ns is not None else f"{getattr(terms, name)}"
        yield f"{name:<22} {SAYS[name]} ({stands})"


class Described(Struct, frozen=True, kw_only=True):
    """What a file states of a venue; what it doesn't is as ever."""

    accounts: Sequence[Opening] = ()
    assets: Mapping[Symbol, VenueAsset] = {}
    terms: VenueTerms = VenueTerms()


def read_venue(script: Script, cash: Decimal) -> Described:
    """Raises Mistake. `cash` is what an account is opened with that says nothing of it."""
    accounts: dict[str, Opening] = {}
    assets: dict[Symbol, VenueAsset] = {}
    terms = [VenueTerms()]

    def add_account(table: object) -> None:
        opening = account_of_table(table, cash, accounts)
        accounts[opening.keys.key] = opening

    kinds: dict[str, Callable[[object], None]] = {
        "account": add_account,
        "asset": lambda table: _add_asset(assets, table),
        "terms": lambda table: terms.append(terms_of_table(table)),
    }
    read_tables(script, kinds, one="terms")
    return Described(accounts=tuple(accounts.values()), assets=assets, terms=terms[-1])


def terms_of_table(table: object, terms: VenueTerms | None = None) -> VenueTerms:
    """Those terms, with what the table states; raises BadKey."""
    row = row_of(table, TermsRow)
    return replace(
        terms or VenueTerms(),
        **dict(
            _term(name, stated)
            for name in TermsRow.__struct_fields__
            if (stated := getattr(row, name)) is not None
        ),
    )


def _term(name: str, stated: Decimal) -> tuple[str, object]:
    if f"{name}_ns" in VenueTerms.__struct_fields__:
        return f"{name}_ns", span(stated, name)
    value, most = exact(stated, name), FEE_MAX if "fee" in name else RATE_MAX
    if not ZERO <= value <= most:
        raise BadKey(name, f"must be 0 to {most:,}, not {value}")
    return name, float(value) if name == "partial_probability" else value


def account_of_table(table: object, cash: Decimal, taken: Collection[str]) -> Opening:
    """Raises BadKey, also for keys that are `taken`."""
    row = row_of(table, AccountRow)
    for name in ("key", "secret"):
        text = getattr(row, name)
        if not text.isascii() or not text.isprintable() or not 1 <= len(text) <= KEY_LENGTH_MAX:
            raise BadKey(name, f"1 to {KEY_LENGTH_MAX} plain letters and digits are wanted")
    if row.key in taken:
        raise BadKey("key", "another account has the same key")
    if row.multiplier not in MULTIPLIERS:
        raise BadKey("multiplier", f"must be 1, 2 or 4, not {row.multiplier}")
    stated = cash if row.cash is None else exact(row.cash, "cash")
    if stated < ZERO:
        raise BadKey("cash", f"must be at least 0, not {stated}")
    keys = Keys(key=row.key, secret=row.secret)
    return Opening(keys=keys, cash=stated, multiplier=row.multiplier, may_short=row.shorting)


def _add_asset(assets: dict[Symbol, VenueAsset], table: object) -> None:
    row = row_of(table, AssetRow)
    if not is_symbol(row.symbol):
        raise BadKey("symbol", f"not a symbol: {row.symbol[:40]!r}")
    if row.symbol in assets:
        raise BadKey("symbol", "the same symbol twice")
    assets[Symbol(row.symbol)] = VenueAsset(
        is_tradable=row.tradable,
        is_marginable=row.marginable,
        is_shortable=row.shortable,
        is_easy_to_borrow=row.easy_to_borrow,
        is_fractionable=row.fractionable,
    )
