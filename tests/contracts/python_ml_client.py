"""An ML service that comes as a client, on `websocket-client` as it comes: it watches one stream and calls every second frame suspicious.

It reads nothing but the type and the data of what it receives, and gives its alerts no time. Events on stdout, one JSON object a line;
the end of stdin ends it.
"""
import base64
import hashlib
import json
import os
import sys
import threading

import websocket


def report(event, **details):
    print(json.dumps({"event": event, **details}), flush=True)


def leave_with_parent():
    sys.stdin.read()
    # As such programs end: the loop below has no end of its own.
    os._exit(0)


def main(url, stream_id):
    socket = websocket.WebSocket()
    socket.connect(url)
    hello = {"type": "subscribe", "clientType": "ml-service", "streamId": stream_id}
    socket.send(json.dumps({**hello, "consumes": ["video-frame"], "produces": ["alert"]}))
    frames = 0
    while True:
        message = json.loads(socket.recv())
        if message["type"] == "status":
            report("watching", status=message["status"])
        if message["type"] != "video-frame":
            continue
        frames += 1
        suspicious = frames % 2 == 0
        jpeg = base64.b64decode(message["data"], validate=True)
        report("analyzed", sha256=hashlib.sha256(jpeg).hexdigest(), suspicious=suspicious)
        if suspicious:
            found = {"confidence": 0.9, "objectType": "person"}
            alert = {"type": "alert", "streamId": message["streamId"], "severity": "high"}
            socket.send(json.dumps({**alert, "message": "Suspicious", "metadata": found}))


threading.Thread(target=leave_with_parent, daemon=True).start()
main(*sys.argv[1:])
