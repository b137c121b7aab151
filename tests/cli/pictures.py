# SPDX-License-Identifier: MIT
"""A reader of PNG files and of animations in them, written from the PNG specification, third edition (W3C 2023): RGB of 8
bits, not interlaced."""
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from support import ROOT


def chunks(data):
    """(name, bytes) of each chunk, checksums verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(data):
        size, = struct.unpack_from(">I", data, at)
        name, body = data[at + 4:at + 8], data[at + 8:at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(name + body), name
        yield name.decode(), body
        at += 12 + size


def unfilter(kind, row, before):
    """One row with its filter undone: of both kinds that look left and up byte by byte, else all at once."""
    if kind == 0:
        return row
    if kind == 1:
        return np.cumsum(row.reshape(-1, 3), axis=0, dtype=np.uint8).ravel()
    if kind == 2:
        return row + before
    out, up = row.tolist(), before.tolist()
    for i, value in enumerate(out):
        a, b, c = (out[i - 3], up[i], up[i - 3]) if i >= 3 else (0, up[i], 0)
        if kind == 3:
            guess = (a + b) // 2
        else:
            da, db, dc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
            guess = a if da <= db and da <= dc else b if db <= dc else c
        out[i] = (value + guess) & 255
    return np.array(out, np.uint8)


def pixels(stream, width, height):
    """[height, width, 3] of RGB."""
    lines = np.frombuffer(zlib.decompress(stream), np.uint8).reshape(height, 3 * width + 1)
    rows = [np.zeros(3 * width, np.uint8)]
    for line in lines:
        rows.append(unfilter(line[0], line[1:], rows[-1]))
    return np.array(rows[1:]).reshape(height, width, 3)


def size(path):
    """(width, height), all that many tests need."""
    return struct.unpack(">II", next(body for name, body in chunks(Path(path).read_bytes()) if name == "IHDR")[:8])


def read(path):
    """(frames, delay): each frame [height, width, 3] of RGB; delay in ms, None of a still picture."""
    found = list(chunks(Path(path).read_bytes()))
    assert found[0][0] == "IHDR" and found[-1] == ("IEND", b"")
    width, height, *rest = struct.unpack(">IIBBBBB", found[0][1])
    assert rest == [8, 2, 0, 0, 0]
    animation = [body for name, body in found if name == "acTL"]
    if not animation:
        return [pixels(b"".join(body for name, body in found if name == "IDAT"), width, height)], None
    assert [name for name, _ in found].index("acTL") < [name for name, _ in found].index("IDAT")
    n_frames, plays = struct.unpack(">II", animation[0])
    assert plays == 0 and len(animation) == 1
    frames, sequence, canvas, delay = [], 0, np.zeros((height, width, 3), np.uint8), None
    controls = []  # (place, stream) of each frame
    for name, body in found:
        if name in ("fcTL", "fdAT"):
            assert struct.unpack_from(">I", body)[0] == sequence, "sequence numbers run on"
            sequence += 1
        if name == "fcTL":
            *box, top, bottom, dispose, blend = struct.unpack(">IIIIHHBB", body[4:])
            assert (dispose, blend) == (0, 0) and bottom == 1000
            delay = top
            controls.append((box, []))
        elif name in ("IDAT", "fdAT"):
            controls[-1][1].append(body if name == "IDAT" else body[4:])
    assert len(controls) == n_frames and controls[0][0] == [width, height, 0, 0]
    for (w, h, x, y), parts in controls:
        assert x + w <= width and y + h <= height
        canvas[y:y + h, x:x + w] = pixels(b"".join(parts), w, h)
        frames.append(canvas.copy())
    return frames, delay


def colours(name):
    """The table of a colour map, from its source."""
    text = (ROOT / "src/report/colormap_tables.c").read_text()
    body = re.search(rf"mpno_colormap_{name}\[[^=]*=\s*\{{(.*?)\}};", text, re.S)[1]
    return [tuple(map(int, entry)) for entry in re.findall(r"\{(\d+), (\d+), (\d+)\}", body)]


def at(frame, x, y):
    return tuple(frame[y, x].tolist())


def find(frame, colour):
    """The first pixel (x, y) of a colour, left to right in rows from the top."""
    rows, columns = np.nonzero(np.all(frame == np.array(colour, np.uint8), axis=2))
    assert len(rows), f"no pixel is {colour}"
    return int(columns[0]), int(rows[0])
