"""An encoder or a viewer for the router, as somebody who has only its wire protocol would write it in Python.

    python_client.py encoder|viewer json|msgpack ws://host:port query|header TOKEN [STREAM_ID]

Commands on stdin, one a line: `frame FILE` and `alert TEXT` (encoder); the end of stdin closes the connection.
Events on stdout, one JSON object a line.
"""
import asyncio
import base64
import hashlib
import json
import re
import sys
import time

import msgpack
import websockets


def report(event, **details):
    print(json.dumps({"event": event, **details}), flush=True)


def encode(message, encoding):
    return json.dumps(message) if encoding == "json" else msgpack.packb(message)


def decode(message):
    return json.loads(message) if isinstance(message, str) else msgpack.unpackb(message)


def picture(data):
    """JPEG bytes, whichever way they came."""
    return base64.b64decode(data, validate=True) if isinstance(data, str) else data


def hello(role, stream_id):
    if role == "viewer":
        return {
            "type": "subscribe",
            "clientType": "dashboard",
            "streamId": stream_id,
            "consumes": ["video-frame", "alert"],
        }
    message = {
        "type": "register",
        "clientType": "mobile",
        "produces": ["video-frame", "alert"],
        "consumes": ["alert"],
    }
    return message if stream_id is None else {**message, "streamId": stream_id}


def report_message(raw, role):
    message = decode(raw)
    data = message.pop("data", None)
    if data is not None:
        message["sha256"] = hashlib.sha256(picture(data)).hexdigest()
    report("message", binary=isinstance(raw, bytes), message=message)
    if role == "encoder" and message["type"] == "success":
        match = re.search(r"Stream ID: (stream_\w+)", message["message"])
        if match:
            report("registered", streamId=match[1])
            return match[1]
    return None


async def receive(socket, role, registered):
    async for raw in socket:
        stream_id = report_message(raw, role)
        if stream_id is not None and not registered.done():
            registered.set_result(stream_id)


async def obey(socket, encoding, registered):
    loop = asyncio.get_running_loop()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        command, _, rest = line.partition(" ")
        # A float, as Python's clock gives it: the protocol takes both kinds of numbers.
        message = {"streamId": await registered, "timestamp": time.time() * 1000}
        if command == "frame":
            with open(rest, "rb") as file:
                jpeg = file.read()
            data = base64.b64encode(jpeg).decode("ascii") if encoding == "json" else jpeg
            message.update(type="video-frame", data=data)
        else:
            message.update(type="alert", severity="high", message=rest)
        await socket.send(encode(message, encoding))
    await socket.close()


async def main(role, encoding, url, credentials, token, stream_id=None):
    path = "/streams/register" if role == "encoder" else "/streams/subscribe"
    query, headers = (f"?token={token}", {}) if credentials == "query" else ("", {"Authorization": f"Bearer {token}"})
    async with websockets.connect(f"{url}{path}{query}", extra_headers=headers) as socket:
        report("open", extensions=[extension.name for extension in socket.extensions])
        registered = asyncio.get_running_loop().create_future()
        commands = asyncio.create_task(obey(socket, encoding, registered))
        try:
            # Whoever was turned away cannot send any more, but still reads why: so no failed `send` ends this.
            await asyncio.gather(socket.send(encode(hello(role, stream_id), encoding)), return_exceptions=True)
            await receive(socket, role, registered)
        except websockets.ConnectionClosedError:
            pass
        report("close", code=socket.close_code, reason=socket.close_reason)
        # Whoever was turned away still waits for the end of stdin, which only its parent can bring.
        registered.cancel()
        await asyncio.wait([commands])


asyncio.run(main(*sys.argv[1:]))
