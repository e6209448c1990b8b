"""JSON or MessagePack, text or binary: the encodings of a stream's frames, told apart by looking."""

from typing import TypeVar

import msgspec
from msgspec import Raw

T = TypeVar("T")


def as_bytes(frame: str | bytes) -> tuple[bytes, bool]:
    """The frame's bytes, and whether they are JSON. A text frame can be nothing else."""
    if isinstance(frame, str):
        return frame.encode(), True
    # Alpaca sends JSON in binary frames as well; no MessagePack map or array begins with these bytes.
    return frame, frame[:1] in {b"{", b"[", b" ", b"\n"}


def decoded(data: bytes | Raw, kind: type[T], *, is_json: bool) -> T:
    """Raises what msgspec raises: see unreadable.reading."""
    if is_json:
        return msgspec.json.decode(data, type=kind)
    return msgspec.msgpack.decode(data, type=kind)
