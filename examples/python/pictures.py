"""Where an encoder's pictures come from: a folder of JPEGs, or a camera."""
import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Union

from connection import Stop, say

QUALITY = 80
"""Of 100, as OpenCV counts."""
REOPEN_S = 2.0


async def folder_pictures(folder: Path, fps: float) -> AsyncIterator[bytes]:
    """The JPEGs of a folder, by name, round and round, looked up anew each round. Raises Stop when there are none."""
    next_at = time.monotonic()
    while True:
        paths = sorted(path for path in folder.glob("*.*") if path.suffix.lower() in (".jpg", ".jpeg"))
        if not paths:
            raise Stop(f"{folder}: there are no .jpg files in it")
        for path in paths:
            next_at = max(next_at + 1 / fps, time.monotonic())
            await asyncio.sleep(next_at - time.monotonic())
            try:
                yield path.read_bytes()
            except OSError as error:
                say(f"A picture was left out. {error}")


async def camera_pictures(source: Union[int, str], fps: float) -> AsyncIterator[bytes]:
    """What OpenCV sees: `source` is a camera's number or an address. Raises Stop if it sees nothing at first."""
    try:
        import cv2
    except ImportError as error:
        raise Stop(f"{error}: apt-get install python3-opencv, or pip install opencv-python-headless") from None
    was_open = False
    while True:
        camera = await asyncio.to_thread(cv2.VideoCapture, source)
        next_at = time.monotonic()
        # Each picture is taken, so that none grows old in the camera, and unpacked only when its turn has come.
        while await asyncio.to_thread(camera.grab):
            was_open = True
            if time.monotonic() < next_at:
                continue
            next_at = max(next_at + 1 / fps, time.monotonic())
            is_whole, pixels = await asyncio.to_thread(camera.retrieve)
            if is_whole:
                quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
                _, jpeg = await asyncio.to_thread(cv2.imencode, ".jpg", pixels, quality)
                yield jpeg.tobytes()
        camera.release()
        if not was_open:
            raise Stop("The camera cannot be opened")
        say(f"The camera shows nothing any more. Trying again in {REOPEN_S:g} s")
        await asyncio.sleep(REOPEN_S)
