"""The questions: what each is about, how it is asked, and what of an answer two services are compared by."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from trader.simulator.conformance.asking import PREFIX, Asking, Said
from trader.simulator.conformance.streaming import Heard, heard_of

NEVER_CHARGED = (
    "the account has never been charged any: ask on one that has sold,"
    " where the service charges paper accounts"
)
LOOKUPS = 3
LOOKS_MAX = 100
ID_LENGTH_MAX = 128


class Answer(Struct, frozen=True, kw_only=True):
    """`said` None: it could not be asked here, and `detail` says why. Only `said` is compared."""

    said: str | None
    detail: str = ""


class Question(Struct, frozen=True, kw_only=True):
    name: str
    about: str
    ask: Callable[[Asking], Awaitable[Answer]]


async def _reply(on: Asking) -> Answer:
    sent = await on.send(on.name("reply"))
    if sent.is_taken:
        await on.end(sent)
    return Answer(said=f"{sent.words}, {sent.status}", detail=sent.message)


async def _lookup(on: Asking) -> Answer:
    """How long an order that was taken may be missing from a query for it."""
    waits: list[str] = []
    misses = 0
    for number in range(LOOKUPS):
        sent = await on.send(on.name(f"lookup-{number}"))
        if not sent.is_taken:
            return Answer(said=None, detail=sent.message)
        began = on.now()
        for _ in range(LOOKS_MAX // LOOKUPS):
            if (await on.find(sent.client_order_id)).is_taken:
                break
            misses += 1
        waits.append(f"{(on.now() - began) * 1_000:.0f} ms")
        await on.end(sent)
    said = "found by its id at once" if not misses else "missing at first"
    return Answer(said=said, detail=f"{misses} misses; {', '.join(waits)}")


async def _used_and_open(on: Asking) -> Answer:
    first = await on.send(on.name("open"))
    again = await on.send(on.name("open"))
    await on.end(first)
    return _second(again)


async def _used_and_canceled(on: Asking) -> Answer:
    ended = await on.end(await on.send(on.name("canceled")))
    if ended.status != "canceled":
        return Answer(said=None, detail=f"the first order is {ended.status}")
    return await _tried(on, on.name("canceled"))


async def _used_and_refused(on: Asking) -> Answer:
    """Does a request that was refused use its id up?"""
    refused = await on.send(on.name("refused"), limit_price="1.234567")
    if refused.is_taken:
        await on.end(refused)
        return Answer(said=None, detail="a price of six decimals was taken")
    return await _tried(on, on.name("refused"))


class _Past(Struct, frozen=True, kw_only=True):
    client_order_id: str = ""
    submitted_at: str = ""


class _Time(Struct, frozen=True, kw_only=True):
    timestamp: str
    is_open: bool


async def _used_on_another_day(on: Asking) -> Answer:
    """By the name of an order that a run of an earlier day has left behind."""
    today = (await on.read("/v2/clock", _Time)).timestamp[:10]
    target = f"/v2/orders?status=closed&limit=500&direction=asc&until={today}T00:00:00-05:00"
    past = await on.read(target.replace(":", "%3A"), list[_Past])
    ours = [one for one in past if one.client_order_id.startswith(PREFIX)]
    if not ours:
        return Answer(said=None, detail="no run of an earlier day: ask again on another one")
    answer = await _tried(on, ours[0].client_order_id)
    return Answer(said=answer.said, detail=f"of {ours[0].submitted_at}; {answer.detail}")


async def _long_ids(on: Asking) -> Answer:
    told: list[str] = []
    for length in (ID_LENGTH_MAX, ID_LENGTH_MAX + 1):
        sent = await on.send(on.name("long").ljust(length, "x"))
        if sent.is_taken:
            await on.end(sent)
        told.append(f"{length}: {sent.words}")
    return Answer(said=", ".join(told))


async def _cancels(on: Asking) -> Answer:
    """Of an order that is canceled, and of one that never was."""
    sent = await on.send(on.name("cancel"))
    if not sent.is_taken:
        return Answer(said=None, detail=sent.message)
    first = await on.cancel(sent.id)
    await on.end(sent)
    second = await on.cancel(sent.id)
    nobody = await on.cancel("00000000-0000-4000-8000-000000000000")
    return Answer(
        said=f"{first.words}, again {second.words}, of no order {nobody.words}",
        detail=second.message,
    )


async def _replacing(on: Asking) -> Answer:
    sent = await on.send(on.name("replaced"))
    if not sent.is_taken:
        return Answer(said=None, detail=sent.message)
    await on.settled(sent.client_order_id, {"new", "accepted"})
    new = await on.replace(sent.id, limit_price=on.body("")["limit_price"], qty="1")
    old = await on.settled(sent.client_order_id, {"replaced", "new", "accepted"})
    await on.end(new if new.is_taken else sent)
    return Answer(said=f"{new.words}, the old one {old.status}", detail=new.message)


async def _intent(on: Asking) -> Answer:
    """Is `sell_to_close` refused where nothing is held, or does it sell short?"""
    sell = {"side": "sell", "limit_price": on.far_above, "position_intent": "sell_to_close"}
    sent = await on.send(on.name("intent"), **sell)
    if sent.is_taken:
        await on.end(sent)
    return Answer(said=sent.words, detail=sent.message or f"intent {sent.position_intent}")


class _Activity(Struct, frozen=True, kw_only=True):
    date: str = ""
    transaction_time: str = ""
    created_at: str = ""
    description: str = ""


async def _fees(on: Asking) -> Answer:
    """Only read: nothing is traded here. Of which day were the last ones, and in how many parts?"""
    fees = await on.read("/v2/account/activities/FEE?page_size=100", list[_Activity])
    if not fees:
        return Answer(said=None, detail=NEVER_CHARGED)
    day = max(fee.date for fee in fees)
    of_day = [fee for fee in fees if fee.date == day]
    fills = await on.read("/v2/account/activities/FILL?page_size=100", list[_Activity])
    traded = max((fill.transaction_time[:10] for fill in fills), default="")
    said = f"dated {'as' if traded == day else 'not as'} the last fills, in {len(of_day)} parts"
    return Answer(said=said, detail=f"{day}, created {of_day[0].created_at}, fills of {traded}")


def _frames(action: str) -> Callable[[Asking], Awaitable[Answer]]:
    async def ask(on: Asking) -> Answer:
        heard = await heard_of(on, action, on.name(f"frames-{action}"))
        kinds = " and ".join(sorted(heard.frames)) or "no"
        return Answer(said=f"{heard.authorized}, {kinds} frames", detail=heard.failure)

    return ask


async def _events(on: Asking) -> Answer:
    heard: Heard = await heard_of(on, "auth", on.name("events"))
    first = "the event" if heard.is_event_first else "the reply"
    return Answer(said=" ".join(heard.events), detail=f"{first} came first; {heard.failure}")


async def _tried(on: Asking, name: str) -> Answer:
    """An order under a name that was used before; ended if it is taken."""
    again = await on.send(name)
    if again.is_taken:
        await on.end(again)
    return _second(again)


def _second(said: Said) -> Answer:
    return Answer(said=said.words, detail=said.message)


QUESTIONS = (
    Question(name="reply", about="what the reply to an order says", ask=_reply),
    Question(name="lookup", about="is an order found by its id at once", ask=_lookup),
    Question(name="id_open", about="the id of an order that is open", ask=_used_and_open),
    Question(name="id_canceled", about="the id of one that was canceled", ask=_used_and_canceled),
    Question(name="id_refused", about="the id of one that was refused", ask=_used_and_refused),
    Question(name="id_other_day", about="the id of one of another day", ask=_used_on_another_day),
    Question(name="id_length", about="how long an id may be", ask=_long_ids),
    Question(name="cancel", about="a cancel, a second one, one of no order", ask=_cancels),
    Question(name="replace", about="a replacement", ask=_replacing),
    Question(name="position_intent", about="sell_to_close of what isn't held", ask=_intent),
    Question(name="fees", about="when fees are charged", ask=_fees),
    Question(name="frames_auth", about="frames, greeted as the pages say", ask=_frames("auth")),
    Question(
        name="frames_authenticate",
        about="frames, greeted as its clients do",
        ask=_frames("authenticate"),
    ),
    Question(name="events", about="what is told of an order and its cancel", ask=_events),
)
