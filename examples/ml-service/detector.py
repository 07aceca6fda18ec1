"""People in JPEG frames, found by OpenCV's HOG people detector, and the alerts that the router takes."""
import logging
import threading
import uuid
from typing import Any, Optional, TypedDict

import cv2
import numpy as np

MAX_SIDE = 768
"""Larger frames are scaled down to this many pixels: time grows with the area."""
MIN_SCORE = 0.8
"""Distance from the SVM's border. Lower finds more people, and more bushes."""
MAX_OVERLAP = 0.4
"""Of two boxes that share more than this of their area, the surer one is kept."""
WINDOW = (64, 128)
"""What the default detector looks through: OpenCV must not be given a smaller picture."""

# Several frames at a time, each in its own thread, are faster than one frame in several threads.
cv2.setNumThreads(1)
_local = threading.local()


class Box(TypedDict):
    """A person, in pixels of the frame as it came."""

    x: int
    y: int
    w: int
    h: int
    score: float


def detect(jpeg: bytes) -> list[Box]:
    """The people in a frame, the surest first. Raises ValueError for what is not a picture."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if image is None:
        raise ValueError("not a picture")
    height, width = image.shape[:2]
    scale = min(1.0, MAX_SIDE / max(width, height))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if image.shape[1] < WINDOW[0] or image.shape[0] < WINDOW[1]:
        return []
    found, scores = _hog().detectMultiScale(image, hitThreshold=0, winStride=(8, 8), padding=(8, 8), scale=1.05)
    scores = [float(score) for score in np.ravel(scores)]
    boxes: list[Box] = []
    # The surest first.
    for index in np.ravel(cv2.dnn.NMSBoxes([box.tolist() for box in found], scores, MIN_SCORE, MAX_OVERLAP)):
        left, top, wide, high = (float(value) for value in found[index])
        # The detector looks a little beyond the edges.
        x, y = max(0, round(left / scale)), max(0, round(top / scale))
        right, bottom = min(width, round((left + wide) / scale)), min(height, round((top + high) / scale))
        boxes.append({"x": x, "y": y, "w": right - x, "h": bottom - y, "score": round(scores[index], 2)})
    return boxes


def alert_for(stream_id: str, timestamp: float, jpeg: bytes, seq: Optional[int] = None) -> Optional[dict[str, Any]]:
    """The alert for a frame in which somebody is seen. A broken frame is its own stream's trouble only."""
    try:
        boxes = detect(jpeg)
    except (ValueError, TypeError, cv2.error) as error:
        logging.warning("a frame of %s: %s", stream_id, error)
        return None
    if not boxes:
        return None
    people = len(boxes)
    alert: dict[str, Any] = {
        "type": "alert",
        # The same for the same frame: the router drops what comes twice.
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{stream_id}/{timestamp}/{seq}")),
        "streamId": stream_id,
        "severity": "high" if people >= 5 else "medium" if people >= 2 else "low",
        "message": "1 person seen" if people == 1 else f"{people} people seen",
        "metadata": {"people": people, "boxes": boxes},
        # When it was seen, not when it was found.
        "timestamp": timestamp,
    }
    return alert if seq is None else {**alert, "seq": seq}


def _hog() -> "cv2.HOGDescriptor":
    """One detector for each thread."""
    if not hasattr(_local, "hog"):
        _local.hog = cv2.HOGDescriptor()
        _local.hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
    return _local.hog
