"""An ML service over a WebSocket that the router opens: text is one frame in JSON, binary a batch in MessagePack."""
import asyncio
import base64
import hmac
import json
import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Union

import msgpack
import websockets

from detector import alert_for

TOKEN = os.environ.get("ML_SERVICE_TOKEN", "")
WORKERS = os.cpu_count() or 1
pool = ThreadPoolExecutor(WORKERS)

Job = tuple[Any, ...]


def jobs_of(message: Union[str, bytes]) -> list[Job]:
    """The frames in a message, each as the arguments of `alert_for`."""
    if isinstance(message, str):
        frame = json.loads(message)
        return [(frame["streamId"], frame["timestamp"], base64.b64decode(frame["frame"], validate=True))]
    frames = msgpack.unpackb(message)["frames"]
    return [(frame["streamId"], frame["timestamp"], frame["data"], frame["seq"]) for frame in frames]


def is_router(websocket: Any) -> bool:
    """Whether the token was shown, if there is one. `request_headers` until websockets 13, `request` since then."""
    headers = websocket.request_headers if hasattr(websocket, "request_headers") else websocket.request.headers
    shown = headers.get("Authorization", "")
    return not TOKEN or hmac.compare_digest(shown.encode(), f"Bearer {TOKEN}".encode())


async def serve_router(websocket: Any) -> None:
    """Reads no further while every worker is busy: then the router drops old frames, and keeps the newest."""
    if not is_router(websocket):
        await websocket.close(1008, "Unauthorized")
        return
    loop = asyncio.get_running_loop()
    free = asyncio.Semaphore(WORKERS)
    running: set["asyncio.Task[None]"] = set()

    async def look(job: Job) -> None:
        try:
            alert = await loop.run_in_executor(pool, alert_for, *job)
            if alert:
                await websocket.send(json.dumps(alert))
        except websockets.ConnectionClosed:
            pass
        finally:
            free.release()

    async for message in websocket:
        try:
            jobs = jobs_of(message)
        except (ValueError, TypeError, KeyError) as error:
            logging.warning("not a message of the router: %r", error)
            continue
        for job in jobs:
            await free.acquire()
            task = asyncio.create_task(look(job))
            running.add(task)
            task.add_done_callback(running.discard)


async def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    port = int(os.environ.get("PORT", "8000"))
    # A batch may be larger than the usual 1 MiB; JPEG gets no smaller. What is in the queue counts as read, so the router sends more:
    # with the usual 32 messages there a slow detector would look at frames that are many seconds old.
    options: dict[str, Any] = {"max_size": None, "compression": None, "max_queue": 1}
    async with websockets.serve(serve_router, "127.0.0.1", port, **options):
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
