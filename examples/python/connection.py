"""What an encoder and a viewer have in common: a connection to the router that comes back.

Credentials, close codes, pauses, and the watch over whether it still lives. proto/PROTOCOL.md has the rules.
"""
import argparse
import asyncio
import inspect
import json
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, Optional
from urllib.parse import urlsplit, urlunsplit

try:
    import msgpack
    import websockets
except ImportError as error:
    sys.exit(f"{error}: apt-get install python3-websockets python3-msgpack, or pip install websockets msgpack")

FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 10.0
"""The router keeps a stream for 15 s after its encoder is gone: longer pauses would lose it."""
STABLE_S = 5.0
"""A connection that lasted for so long was a good one: the next pause is a first one again."""
MAX_MESSAGE_BYTES = 17 * 1024 * 1024
"""A frame has at most 16 MiB."""
LATER = {"UNAVAILABLE", "RATE_LIMITED", "TOO_MANY_CONNECTIONS"}
"""Error codes of refusals that may be none a little later."""

Message = dict[str, Any]


class Stop(Exception):
    """To come back unchanged would not help. The text says why."""


class Lost(Exception):
    """To come back may help. `pause_s`: how long the router wants to be left alone, if it said so."""

    def __init__(self, why: str, pause_s: Optional[float] = None) -> None:
        super().__init__(why)
        self.pause_s = pause_s


class Line:
    """One WebSocket: maps in and out, as MessagePack."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._refusal = ""
        self._come_back_at: Optional[float] = None

    async def send(self, message: Message) -> None:
        """Waits while the operating system takes no more. That it failed is no error here: `receive` says why."""
        try:
            await self._socket.send(msgpack.packb(message))
        except websockets.ConnectionClosed:
            pass

    async def receive(self, silence_s: float) -> Message:
        """The next message. Raises Lost or Stop when the connection has ended, or nothing came for `silence_s`."""
        try:
            raw = await asyncio.wait_for(self._socket.recv(), silence_s)
        except asyncio.TimeoutError:
            # To close it in form would be to wait for an answer again.
            self._socket.transport.abort()
            raise Lost(f"Nothing was heard for {silence_s:g} s") from None
        except websockets.ConnectionClosed as closed:
            raise self._ended(closed) from None
        # It answers in the encoding of the first message. When it refuses a client before that came, in JSON.
        message: Message = json.loads(raw) if isinstance(raw, str) else msgpack.unpackb(raw)
        if message["type"] == "error":
            self._refusal = f"{message['code']}: {message['message']}"
        elif message["type"] == "going-away":
            self._come_back_at = time.monotonic() + message["reconnectAfterMs"] / 1000
        return message

    def _ended(self, closed: "websockets.ConnectionClosed") -> Exception:
        """The band of the close code says what to do, also of codes that do not exist yet."""
        # 1006: it was lost, and nobody said why.
        code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
        why = f"{self._refusal or reason or 'The connection was lost'} ({code})"
        if code == 1008 or 4400 <= code <= 4499:
            return Stop(f"Not signed in. {why}" if self._refusal.startswith("AUTH_REQUIRED") else why)
        left_s = None if self._come_back_at is None else self._come_back_at - time.monotonic()
        return Lost(why, left_s)


async def stay_connected(url: str, token: str, session: Callable[[Line], Awaitable[None]]) -> NoReturn:
    """Runs `session` on one connection after the other, for ever. Raises Stop when there is no point in coming back."""
    failures = 0
    while True:
        opened_at: Optional[float] = None
        try:
            async with websockets.connect(url, **_options(token)) as socket:
                opened_at = time.monotonic()
                await session(Line(socket))
                raise Lost("It has ended")
        except Lost as error:
            lost = error
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
            lost = _not_connected(error)
        if opened_at is not None and time.monotonic() - opened_at >= STABLE_S:
            failures = 0
        # All of it at random: with a fixed part in it all clients of a router would come back in the same moments.
        pause_s = random.uniform(0, min(MAX_PAUSE_S, FIRST_PAUSE_S * 2**failures))
        pause_s = pause_s if lost.pause_s is None else max(0.0, lost.pause_s)
        failures = min(failures + 1, 30)
        say(f"{lost}. Trying again in {pause_s:.1f} s")
        await asyncio.sleep(pause_s)


def _options(token: str) -> dict[str, Any]:
    is_new = "additional_headers" in inspect.signature(websockets.connect).parameters
    return {
        # Its name since websockets 14, and before.
        "additional_headers" if is_new else "extra_headers": {"Authorization": f"Bearer {token}"},
        # JPEG gets no smaller. What waits in a queue or a buffer gets old.
        "compression": None,
        "max_queue": 1,
        "write_limit": 0,
        "max_size": MAX_MESSAGE_BYTES,
        # `receive` sees by itself that nothing comes any more. The router's pings are answered all the same.
        "ping_interval": None,
        "close_timeout": 1,
    }


def _not_connected(error: Exception) -> Lost:
    """What came in place of a WebSocket. A router may answer 401, or open it and then say that nobody is signed in."""
    # Until websockets 13, and since then.
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    if status == 401:
        raise Stop("Not signed in. The router answered 401")
    return Lost(f"The router answered {status}" if status else f"The router cannot be reached: {error or 'no answer'}")


def run(work: Awaitable[None]) -> NoReturn:
    """Works until SIGINT or SIGTERM comes, and ends the program: with 0 then, with 1 after a Stop."""

    async def until_signal() -> None:
        task = asyncio.ensure_future(work)
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
        await task

    try:
        asyncio.run(until_signal())
    except asyncio.CancelledError:
        sys.exit(0)
    except Stop as reason:
        sys.exit(str(reason))
    sys.exit(0)


def router_address(text: str) -> str:
    """The router's address, as a WebSocket's: for `argparse`."""
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    try:
        parts = urlsplit(text)
        if parts.scheme in schemes and parts.hostname and parts.port != 0:
            return urlunsplit((schemes[parts.scheme], parts.netloc, parts.path.rstrip("/"), "", ""))
    except ValueError:
        pass
    raise argparse.ArgumentTypeError("must be an address like http://127.0.0.1:3000")


def environment_token() -> str:
    """The session's token. It is no argument, since every user of a machine sees those."""
    token = os.environ.get("TOKEN", "")
    if not token:
        sys.exit("TOKEN: is not set. It is the token of a session")
    return token


def tell(text: str) -> None:
    """What the program is there for. Raises Stop when nobody reads it any more."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Or Python would complain at the end about what is still to be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Stop("Nobody reads what it prints") from None


def say(text: str) -> None:
    """How it goes, beside that."""
    print(text, file=sys.stderr, flush=True)
