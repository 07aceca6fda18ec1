#!/usr/bin/python3
"""An encoder for the Watchout Stream Router: a folder of JPEGs or a camera becomes a stream.

It sends the newest picture and never a backlog, no more of them than somebody wants, and goes on with its stream
after a cut. The session's token is read from TOKEN.
"""
import argparse
import asyncio
import time
from pathlib import Path
from typing import Optional

from connection import (
    LATER,
    Line,
    Lost,
    Message,
    Stop,
    environment_token,
    router_address,
    run,
    say,
    stay_connected,
    tell,
)
from pictures import camera_pictures, folder_pictures

MAX_ON_THEIR_WAY = 2
"""Frames between here and the router: one goes through, and one comes next. More would only be older."""
ASK_EVERY_S = 10.0
"""While there is no frame to ask about."""
SILENCE_S = 30.0
"""What is asked is answered at once. When nothing came for so long, the connection is dead though nobody closed it."""
MAX_PICTURE_BYTES = 16 * 1024 * 1024 - 1024


class Encoder:
    """One stream: `show` gives it pictures, and `serve` sends them over one connection after the other."""

    def __init__(self, stream_id: Optional[str]) -> None:
        self.sent = 0
        self.left_out = 0
        self._stream_id = stream_id
        self._resume_token: Optional[str] = None
        # The only one that waits: a newer one takes its place.
        self._newest: Optional[tuple[bytes, float]] = None
        self._changed = asyncio.Event()
        self._begin()

    def _begin(self) -> None:
        """On a new connection nothing is on its way, and how much is wanted will be said anew."""
        self._on_their_way = 0
        self._max_fps: dict[str, float] = {}
        self._next_at = 0.0

    def show(self, jpeg: bytes) -> None:
        """The newest picture."""
        if not jpeg.startswith(b"\xff\xd8") or len(jpeg) > MAX_PICTURE_BYTES:
            say("A picture was left out. It is no JPEG, or larger than 16 MiB")
            return
        self.left_out += self._newest is not None
        self._newest = (jpeg, time.time() * 1000)
        self._changed.set()

    async def serve(self, line: Line) -> None:
        """Registers the stream, and sends its pictures until the connection ends."""
        await self._register(line)
        sending = asyncio.create_task(self._send_pictures(line))
        try:
            while True:
                self._receive(await line.receive(SILENCE_S))
        finally:
            sending.cancel()

    async def _register(self, line: Line) -> None:
        register: Message = {
            "type": "register",
            "clientType": "mobile",
            "produces": ["video-frame"],
            "consumes": ["alert"],
            # Not "heartbeat": each one that comes shall be the answer to one of ours.
            "understands": ["throttle", "going-away"],
            "streamId": self._stream_id,
            # With this the stream comes back, also while the router still holds the old, half-open connection.
            "resumeToken": self._resume_token,
        }
        await line.send(register)
        while (answer := await line.receive(SILENCE_S))["type"] != "success":
            if answer["type"] != "error" or answer["code"] == "AUTH_REQUIRED":
                # The close that follows says what to do.
                continue
            if answer["code"] in LATER:
                raise Lost(f"{answer['code']}: {answer['message']}")
            raise Stop(f"{answer['code']}: {answer['message']}")
        self._stream_id, self._resume_token = answer["streamId"], answer["resumeToken"]
        self._begin()
        tell(f"stream {self._stream_id}")

    def _receive(self, message: Message) -> None:
        kind = message["type"]
        if kind == "heartbeat":
            self._on_their_way = max(0, self._on_their_way - 1)
            self._changed.set()
        elif kind == "throttle":
            self._max_fps[message["reason"]] = message["maxFps"]
            # Who wants more wants it now.
            self._next_at = 0.0
            self._changed.set()
            tell(f"throttle {message['maxFps']} fps ({message['reason']})")
        elif kind == "alert":
            tell(f"alert {message['severity']}: {message['message']}")
        elif kind == "error":
            say(f"The router refused something. {message['code']}: {message['message']}")

    async def _send_pictures(self, line: Line) -> None:
        while True:
            self._changed.clear()
            wait_s = ASK_EVERY_S
            if self._newest is not None and self._on_their_way < MAX_ON_THEIR_WAY:
                wait_s = self._next_at - time.monotonic()
                if wait_s <= 0:
                    await self._send_picture(line, *self._newest)
                    continue
            try:
                await asyncio.wait_for(self._changed.wait(), wait_s)
            except asyncio.TimeoutError:
                if self._newest is None and self._on_their_way == 0:
                    await self._ask(line)

    async def _send_picture(self, line: Line, jpeg: bytes, timestamp: float) -> None:
        self._newest = None
        interval_s = 1 / min(self._max_fps.values(), default=float("inf"))
        self._next_at = max(self._next_at, time.monotonic() - interval_s) + interval_s
        await line.send({"type": "video-frame", "streamId": self._stream_id, "data": jpeg, "timestamp": timestamp})
        self.sent += 1
        await self._ask(line)

    async def _ask(self, line: Line) -> None:
        """The answer comes when all before it has arrived. The operating system takes megabytes without a word."""
        self._on_their_way += 1
        await line.send({"type": "heartbeat"})


async def work(options: argparse.Namespace, token: str) -> None:
    """Films and sends, for ever."""
    encoder = Encoder(options.stream)

    async def film() -> None:
        if Path(options.source).is_dir():
            pictures = folder_pictures(Path(options.source), options.fps)
        else:
            pictures = camera_pictures(int(options.source) if options.source.isdigit() else options.source, options.fps)
        async for jpeg in pictures:
            encoder.show(jpeg)

    try:
        await asyncio.gather(film(), stay_connected(f"{options.url}/streams/register", token, encoder.serve))
    finally:
        tell(f"{encoder.sent} sent, {encoder.left_out} left out for newer ones")


def rate(text: str) -> float:
    """Pictures a second, for `argparse`."""
    try:
        if 0 < float(text) <= 60:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError("must be a number over 0, at most 60")


def main() -> None:
    """Reads the command line and works."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sources = "a folder with .jpg files, the number of a camera, or an address that OpenCV can open"
    parser.add_argument("--source", required=True, help=sources)
    url_help = "the router's address (default: %(default)s)"
    parser.add_argument("--url", type=router_address, default="ws://127.0.0.1:3000", help=url_help)
    parser.add_argument("--stream", help="what the stream is called; without it the router makes a name")
    parser.add_argument("--fps", type=rate, default=10, help="pictures a second (default: %(default)s)")
    options = parser.parse_args()
    run(work(options, environment_token()))


if __name__ == "__main__":
    main()
