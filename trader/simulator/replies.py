"""Replies in JSON, and the exception by which an endpoint ends a request that it cannot serve."""

import msgspec
from starlette.responses import Response

from trader.simulator.shapes import refusal_shape
from trader.venue import Refusal


class BadRequest(Exception):
    """Raised by an endpoint; its reply is the refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def json_reply(content: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")


def refusal_reply(refusal: Refusal) -> Response:
    return json_reply(refusal_shape(refusal), status=refusal.status)
