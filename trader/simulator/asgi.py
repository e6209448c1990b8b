"""The simulated broker as an ASGI application, for anybody's server or test client that runs on Trio.

    hypercorn --worker-class trio 'trader.simulator.asgi:application(key="PKTEST", secret="hush", speed=60)'

One process, one worker: its books are its own. Faults that cut a connection need our own server (`in_process.py`);
under another one such a request is answered with 503.
"""

from typing import Any

import trio
from starlette.types import Receive, Scope, Send

from trader.money import use_exact_context
from trader.simulator.application import build_application
from trader.simulator.broker import Keys
from trader.simulator.standing import Standing, begin, begin_next, pass_sessions
from trader.simulator.wishes import Served


def application(*, key: str, secret: str, **how: Any) -> "Application":  # noqa: ANN401  # Standing's own
    """Its first account belongs to the keys given; `how` are the words of `standing.Standing`; raises Mistake."""
    use_exact_context()
    standing = Standing(**how)
    return Application(standing.served(Keys(key=key, secret=secret)), standing.speed)


class Application:
    """With a speed, time passes from the server's start to its end; else somebody moves `broker`."""

    def __init__(self, served: Served, speed: float | None = None) -> None:
        self.broker = served.broker
        self._served, self._speed = served, speed
        self._answer = build_application(served.broker)
        if served.start_ns is None:
            begin_next(served.broker, nights_pass=served.nights_pass)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        use_exact_context()  # of this task: a server has its own
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        if self._served.start_ns is not None:
            await begin(self._served)
        async with trio.open_nursery() as nursery:
            if self._speed is not None:
                nursery.start_soon(pass_sessions, self._served, self._speed)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            nursery.cancel_scope.cancel()
        self._served.close()
        await send({"type": "lifespan.shutdown.complete"})
