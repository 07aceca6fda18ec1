"""The ML service of STREAM_ROUTER_API.md on the standard library: it knows `POST /analyze`, and 404 for the rest.

It calls every second frame suspicious. Events on stdout, one JSON object a line; the end of stdin ends it.
"""
import base64
import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()
frames = 0


def report(event, **details):
    print(json.dumps({"event": event, **details}), flush=True)


def analyze(request):
    global frames
    jpeg = base64.b64decode(request["frame"], validate=True)
    sha256 = hashlib.sha256(jpeg).hexdigest()
    with lock:
        frames += 1
        suspicious = frames % 2 == 0
        report("analyzed", sha256=sha256, suspicious=suspicious, fields=sorted(request), timestamp=request["timestamp"])
    if not suspicious:
        return {"status": "ok"}
    return {
        "alert": {
            "type": "alert",
            "streamId": request["streamId"],
            "severity": "high",
            "message": "Suspicious activity detected",
            "metadata": {"confidence": 0.95, "location": {"x": 120, "y": 350}, "sha256": sha256},
            "timestamp": int(time.time() * 1000),
        }
    }


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        if self.path != "/analyze":
            # As most small services do: the body of a request nobody wanted is never read.
            report("unknown", path=self.path)
            self.send_error(404)
            return
        answer = json.dumps(analyze(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
report("listening", port=server.server_port)
sys.stdin.read()
