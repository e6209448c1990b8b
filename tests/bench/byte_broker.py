"""Another process that takes orders as bytes: `python -m tests.bench.byte_broker`, no library, nothing decoded.

It says its port, answers every HTTP request at once, and notes when the last byte of each was there. Asked by a line
it tells the times (machine's monotonic nanoseconds, which all processes share) by client order id, as JSON.
"""

import json
import re
import select
import socket
import sys
import time

CLIENT_ORDER_ID = re.compile(rb'"client_order_id":"([^"]+)"')
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
BODY = (
    b'{"id":"c0d5a1f2-0000-4000-8000-%012d","client_order_id":"%s","symbol":"%s","side":"buy","status":"new",'
    b'"qty":"10","filled_qty":"0","submitted_at":"2026-01-26T15:00:00Z"}'
)
SYMBOL = re.compile(rb'"symbol":"([^"]+)"')
RECEIVE_BYTES = 65_536


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    arrived: dict[str, int] = {}
    unread: dict[socket.socket, bytes] = {}
    while True:
        ready, _, _ = select.select([sys.stdin, listener, *unread], [], [])
        if sys.stdin in ready:
            if not sys.stdin.readline():
                return
            print(json.dumps(arrived), flush=True)
        for stream in [one for one in unread if one in ready]:
            if part := stream.recv(RECEIVE_BYTES):
                unread[stream] = served(stream, unread[stream] + part, arrived)
            else:
                del unread[stream]
                stream.close()
        if listener in ready:
            stream, _ = listener.accept()
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            unread[stream] = b""


def served(stream: socket.socket, data: bytes, arrived: dict[str, int]) -> bytes:
    """Answer the request, if all of it is there; returns what is not answered yet."""
    now_ns = time.monotonic_ns()
    head, end, body = data.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    if not end or len(body) < (int(length[1]) if length else 0):
        return data
    order, symbol = CLIENT_ORDER_ID.search(body), SYMBOL.search(body)
    reply = b"{}"
    if order is not None and symbol is not None:
        reply = BODY % (len(arrived), order[1], symbol[1])
        arrived[order[1].decode()] = now_ns
    stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(reply), reply))
    return b""


if __name__ == "__main__":
    main()
