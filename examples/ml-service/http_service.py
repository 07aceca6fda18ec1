"""An ML service over HTTP: `POST /analyze/batch` in MessagePack, and the original `POST /analyze` in JSON."""
import asyncio
import base64
import hmac
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgpack
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel

from detector import alert_for

TOKEN = os.environ.get("ML_SERVICE_TOKEN", "")
pool = ThreadPoolExecutor(os.cpu_count())


async def check_token(request: Request) -> None:
    """Lets nobody else in than the router, if it has a token to show."""
    shown = request.headers.get("authorization", "")
    if TOKEN and not hmac.compare_digest(shown.encode(), f"Bearer {TOKEN}".encode()):
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})


app = FastAPI(title="People detector")


class OriginalFrame(BaseModel):
    """What `POST /analyze` is sent."""

    streamId: str
    frame: str
    timestamp: float


@app.get("/health")
async def health() -> dict[str, str]:
    """For the orchestrator."""
    return {"status": "ok"}


@app.post("/analyze/batch", dependencies=[Depends(check_token)])
async def analyze_batch(request: Request) -> dict[str, Any]:
    """Frames of many streams in one request, each in a thread of its own."""
    try:
        frames = msgpack.unpackb(await request.body())["frames"]
        jobs = [(frame["streamId"], frame["timestamp"], frame["data"], frame["seq"]) for frame in frames]
    except (ValueError, TypeError, KeyError) as error:
        raise HTTPException(400, "must be MessagePack {frames: [{streamId, timestamp, seq, data}]}") from error
    loop = asyncio.get_running_loop()
    alerts = await asyncio.gather(*(loop.run_in_executor(pool, alert_for, *job) for job in jobs))
    return {"alerts": [alert for alert in alerts if alert]}


@app.post("/analyze", dependencies=[Depends(check_token)])
async def analyze(frame: OriginalFrame) -> dict[str, Any]:
    """One frame, in base64."""
    try:
        jpeg = base64.b64decode(frame.frame, validate=True)
    except ValueError as error:
        raise HTTPException(400, "frame: must be base64") from error
    loop = asyncio.get_running_loop()
    alert = await loop.run_in_executor(pool, alert_for, frame.streamId, frame.timestamp, jpeg)
    return {"alert": alert} if alert else {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")), access_log=False)
