"""FIFO lots, for the tax view: which shares a sale sold, at what cost, and since when they were held.

The books keep positions at average cost; lots are derived from the same executions, and nothing depends on them. Both
agree on what was realized when a symbol is flat, and in between on open cost less realized. Signed like the books: a
sale beyond what is held opens a lot of negative shares. Fees are realized with their execution, never part of a cost.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from trader.model import Symbol
from trader.money import ZERO, plain, share


class Deal(Struct, frozen=True, kw_only=True):
    """One thing that changed what is held: quantity is signed, flow the dollars that came in (negative: went out).

    busts is the reference of the deal that this one takes back; a deal with the same sequence and order that follows
    it stands in the place of the one taken back.
    """

    symbol: Symbol
    reference: str  # the execution's id, or the movement's
    sequence: int  # of the journal entry
    at_ns: int
    session: str
    strategy: str
    quantity: Decimal
    flow: Decimal
    fees: Decimal = ZERO
    order: str = ""
    busts: str = ""
    is_split: bool = False  # the same worth in more or fewer shares


class Lot(Struct, frozen=True, kw_only=True):
    """Shares that were opened together and are still there; cost is signed like quantity."""

    symbol: Symbol
    reference: str
    at_ns: int
    strategy: str
    quantity: Decimal
    cost: Decimal


class ClosedLot(Struct, frozen=True, kw_only=True):
    """A lot, or a part of one, with what closed it; realized is before fees."""

    symbol: Symbol
    opened: str  # references of both deals
    closed: str
    opened_ns: int
    closed_ns: int
    session: str  # in which it was closed
    strategy: str
    quantity: Decimal
    cost: Decimal
    proceeds: Decimal

    @property
    def realized(self) -> Decimal:
        """Dollars, without the fees of either deal."""
        return plain(self.proceeds - self.cost)


class Tally(Struct, frozen=True, kw_only=True):
    """What is open, by symbol and first in first; what was closed, as it was; income moved no shares."""

    open: tuple[Lot, ...]
    closed: tuple[ClosedLot, ...]
    fees: dict[Symbol, Decimal]
    income: dict[Symbol, Decimal]

    def cost(self, symbol: Symbol) -> Decimal:
        """Of what is open."""
        return plain(sum((one.cost for one in self.open if one.symbol == symbol), ZERO))

    def quantity(self, symbol: Symbol) -> Decimal:
        """Of what is open."""
        return plain(sum((one.quantity for one in self.open if one.symbol == symbol), ZERO))

    def realized(self, symbol: Symbol) -> Decimal:
        """Net of fees, income included: comparable with the books."""
        closed = sum((one.realized for one in self.closed if one.symbol == symbol), ZERO)
        return plain(closed - self.fees.get(symbol, ZERO) + self.income.get(symbol, ZERO))


def tallied(deals: Iterable[Deal]) -> Tally:
    """First in, first out, over the deals in the order in which they were booked."""
    lots: dict[Symbol, list[Lot]] = {}
    closed: list[ClosedLot] = []
    fees: dict[Symbol, Decimal] = {}
    income: dict[Symbol, Decimal] = {}
    for deal in without_busts(deals):
        held = lots.setdefault(deal.symbol, [])
        fees[deal.symbol] = fees.get(deal.symbol, ZERO) + deal.fees
        if not deal.quantity:
            income[deal.symbol] = income.get(deal.symbol, ZERO) + deal.flow
        elif deal.is_split and _quantity_of(held) + deal.quantity and _quantity_of(held):
            lots[deal.symbol] = _split(held, deal.quantity)
        else:
            closed += _traded(held, deal)
    still = tuple(lot for symbol in sorted(lots) for lot in lots[symbol])
    return Tally(open=still, closed=tuple(closed), fees=fees, income=income)


def without_busts(deals: Iterable[Deal]) -> list[Deal]:
    """As if what was taken back had never come, and what stands for it had come instead."""
    kept: list[Deal | None] = []
    gaps: dict[tuple[int, str], int] = {}
    for deal in deals:
        if deal.busts:
            place = _place_of(kept, deal)
            kept[place] = None
            gaps[deal.sequence, deal.order] = place
        elif (gap := gaps.pop((deal.sequence, deal.order), None)) is not None:
            kept[gap] = deal
        else:
            kept.append(deal)
    return [deal for deal in kept if deal is not None]


def _place_of(kept: Sequence[Deal | None], bust: Deal) -> int:
    """Only what was booked is taken back: a bust of something else is a bug."""
    for place in range(len(kept) - 1, -1, -1):
        deal = kept[place]
        if deal is not None and deal.reference == bust.busts and deal.symbol == bust.symbol:
            return place
    raise AssertionError(f"{bust.busts} is taken back, and was never booked")


def _traded(held: list[Lot], deal: Deal) -> list[ClosedLot]:
    """Close the oldest lots of the other side, and open a lot with what is left; changes `held`."""
    closed: list[ClosedLot] = []
    left, flow = deal.quantity, deal.flow
    while left and held and held[0].quantity * left < 0:
        lot = held[0]
        quantity = min(abs(left), abs(lot.quantity)) * (1 if lot.quantity > 0 else -1)
        cost = lot.cost if quantity == lot.quantity else share(lot.cost, quantity, lot.quantity)
        proceeds = flow if -quantity == left else share(flow, quantity, -left)
        closed.append(
            ClosedLot(
                symbol=deal.symbol,
                opened=lot.reference,
                closed=deal.reference,
                opened_ns=lot.at_ns,
                closed_ns=deal.at_ns,
                session=deal.session,
                strategy=lot.strategy or deal.strategy,
                quantity=plain(quantity),
                cost=plain(cost),
                proceeds=plain(proceeds),
            )
        )
        left, flow = plain(left + quantity), plain(flow - proceeds)
        if quantity == lot.quantity:
            held.pop(0)
        else:
            held[0] = replace(
                lot, quantity=plain(lot.quantity - quantity), cost=plain(lot.cost - cost)
            )
    if left:
        held.append(
            Lot(
                symbol=deal.symbol,
                reference=deal.reference,
                at_ns=deal.at_ns,
                strategy=deal.strategy,
                quantity=left,
                cost=plain(-flow),
            )
        )
    return closed


def _quantity_of(held: Sequence[Lot]) -> Decimal:
    return sum((lot.quantity for lot in held), ZERO)


def _split(held: list[Lot], more: Decimal) -> list[Lot]:
    """More shares (or fewer) for the same cost, over all lots alike; the last takes what rounding left."""
    before = _quantity_of(held)
    after, given = before + more, ZERO
    split: list[Lot] = []
    for lot in held[:-1]:
        quantity = share(after, lot.quantity, before)
        given += quantity
        split.append(replace(lot, quantity=quantity))
    split.append(replace(held[-1], quantity=plain(after - given)))
    return split
