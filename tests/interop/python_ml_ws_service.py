"""The ML service of STREAM_ROUTER_API.md that the router connects to, on `websockets` as it comes.

It calls every second frame suspicious. Events on stdout, one JSON object a line; the end of stdin ends it.
"""
import asyncio
import base64
import hashlib
import json
import sys
import time

import websockets

frames = 0


def report(event, **details):
    print(json.dumps({"event": event, **details}), flush=True)


async def analyze_stream(websocket, _path=None):
    global frames
    report("connected")
    async for message in websocket:
        data = json.loads(message)
        sha256 = hashlib.sha256(base64.b64decode(data["frame"], validate=True)).hexdigest()
        frames += 1
        suspicious = frames % 2 == 0
        details = {"sha256": sha256, "fields": list(data), "streamId": data["streamId"], "timestamp": data["timestamp"]}
        report("analyzed", text=isinstance(message, str), suspicious=suspicious, **details)
        if suspicious:
            await websocket.send(
                json.dumps(
                    {
                        "type": "alert",
                        "streamId": data["streamId"],
                        "severity": "high",
                        "message": "Suspicious activity detected",
                        "metadata": {"confidence": 0.95, "sha256": sha256},
                        "timestamp": int(time.time() * 1000),
                    }
                )
            )
    report("disconnected", code=websocket.close_code)


async def main():
    async with websockets.serve(analyze_stream, "127.0.0.1", 0) as server:
        report("listening", port=server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
