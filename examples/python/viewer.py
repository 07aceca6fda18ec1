#!/usr/bin/python3
"""A viewer for the Watchout Stream Router: how many pictures a second come, how old they are, and the alerts.

It takes the newest picture and never a backlog, and after a cut hears the alerts that it has missed.
The session's token is read from TOKEN.
"""
import argparse
import asyncio
import os
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

SILENCE_S = 70.0
"""A heartbeat comes every 30 s. When nothing came for so long, the connection is dead though nobody closed it."""
REPORT_EVERY_S = 1.0
ALL_STREAMS = "*"


class Rate:
    """What has come of one stream since the last report."""

    def __init__(self) -> None:
        self.frames = 0
        self.newest_age_ms = 0.0


class Viewer:
    """Watches one stream, or all of the user's, over one connection after the other."""

    def __init__(self, stream_id: str, window: int, folder: Optional[Path]) -> None:
        self._stream_id = stream_id
        self._window = window
        self._folder = folder
        # The greatest id of an alert that was seen: where to go on after a cut.
        self._since: Optional[str] = None
        # How many frames of each stream have come on this subscription.
        self._received: dict[str, int] = {}
        self._rates: dict[str, Rate] = {}

    async def serve(self, line: Line) -> None:
        """Subscribes, and takes what comes until the connection ends."""
        subscribe: Message = {
            "type": "subscribe",
            "clientType": "dashboard",
            "streamId": self._stream_id,
            "consumes": ["video-frame", "alert"],
            "window": self._window,
            "understands": ["heartbeat", "going-away"],
            "since": self._since,
        }
        self._received.clear()
        await line.send(subscribe)
        while True:
            await self._receive(line, await line.receive(SILENCE_S))

    async def _receive(self, line: Line, message: Message) -> None:
        kind = message["type"]
        if kind == "video-frame":
            await self._frame(line, message)
        elif kind == "alert":
            self._since = max(self._since or "", message["id"])
            tell(f"alert {message['streamId']} {message['severity']}: {message['message']}")
        elif kind == "status":
            tell(f"status {message['streamId']} {message['status']}")
            if message["status"] == "offline" and self._stream_id == ALL_STREAMS:
                # It comes in anew, and is counted anew. An own subscription waits for its stream; its count goes on.
                self._received.pop(message["streamId"], None)
        elif kind == "success":
            self._since = self._since or message.get("lastAlert")
            if message.get("alerts") == "gap":
                say("Older alerts may be missing")
        elif kind == "error":
            self._refused(message)

    async def _frame(self, line: Line, message: Message) -> None:
        stream_id, jpeg = message["streamId"], message["data"]
        self._save(stream_id, jpeg)
        rate = self._rates.setdefault(stream_id, Rate())
        rate.frames += 1
        rate.newest_age_ms = time.time() * 1000 - message["timestamp"]
        # Ready for the next one: until then the router keeps none, and only knows that there is a newer one.
        self._received[stream_id] = self._received.get(stream_id, 0) + 1
        await line.send({"type": "ack", "streamId": stream_id, "received": self._received[stream_id]})

    def _save(self, stream_id: str, jpeg: bytes) -> None:
        if self._folder is None:
            return
        path = self._folder / f"{stream_id}.jpg"
        try:
            # Whoever looks at it sees a whole picture, this one or the one before.
            unfinished = path.with_suffix(".jpg.new")
            unfinished.write_bytes(jpeg)
            os.replace(unfinished, path)
        except OSError as error:
            raise Stop(f"--save: {error}") from None

    def _refused(self, error: Message) -> None:
        why = f"{error['code']}: {error['message']}"
        if error["code"] == "AUTH_REQUIRED":
            # The close that follows says what to do.
            return
        if error.get("streamId", self._stream_id) != self._stream_id:
            # One of many streams; the others go on.
            say(why)
        elif error["code"] in LATER:
            raise Lost(why)
        else:
            raise Stop(why)

    async def report(self) -> None:
        """Prints, now and then, what has come."""
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            for stream_id, rate in sorted(self._rates.items()):
                fps = rate.frames / REPORT_EVERY_S
                tell(f"frames {stream_id} {fps:.1f} fps, {rate.newest_age_ms:.0f} ms old")
            self._rates.clear()


async def work(options: argparse.Namespace, token: str) -> None:
    """Watches, for ever."""
    if options.save is not None and not options.save.is_dir():
        raise Stop(f"--save: {options.save} is no folder")
    viewer = Viewer(options.stream, options.window, options.save)
    await asyncio.gather(viewer.report(), stay_connected(f"{options.url}/streams/subscribe", token, viewer.serve))


def window(text: str) -> int:
    """Frames on their way, for `argparse`."""
    if text.isdigit() and 1 <= int(text) <= 64:
        return int(text)
    raise argparse.ArgumentTypeError("must be 1 to 64")


def main() -> None:
    """Reads the command line and works."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stream", help='the stream to watch, or "*" for all of the user\'s')
    url_help = "the router's address (default: %(default)s)"
    parser.add_argument("--url", type=router_address, default="ws://127.0.0.1:3000", help=url_help)
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="keep the newest picture there, as <stream>.jpg")
    window_help = "most pictures on their way at a time (default: %(default)s)"
    parser.add_argument("--window", type=window, default=2, help=window_help)
    options = parser.parse_args()
    run(work(options, environment_token()))


if __name__ == "__main__":
    main()
