"""Spoil files, knowing how they are built: each function takes a generator of random numbers and the bytes of a sound file.

Blind changes of bytes rarely get past a checksum or a header. So chunks, segments, fields and names are changed one level up,
and lengths and checksums are made to fit again, or not.
"""

import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence

Mutation = Callable[[random.Random, bytes], bytes]

#: Numbers at which readers stumble.
EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
WORDS = ("", "..", "../../x", "/etc/x", "C:\\x", "nan", "inf", "-1", "1e999", "0", "[]", "{}", "null", "'", '"', "\0", "é" * 99)


def blind(rng: random.Random, data: bytes) -> bytes:
    """Change, cut, repeat or insert bytes."""
    buffer = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at, length = rng.randrange(len(buffer) + 1), rng.choice((1, 2, 4, 8, 64))
        kind = rng.randrange(6)
        if kind == 0:
            buffer[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            buffer[at : at + length] = rng.randbytes(length)
        elif kind == 2:
            del buffer[at : at + length]
        elif kind == 3:
            buffer[at:at] = buffer[at : at + length]
        elif kind == 4:
            packed = struct.pack(rng.choice("<>") + "I", rng.choice(EXTREMES))
            buffer[at : at + 4] = packed
        else:
            del buffer[at:]
    return bytes(buffer)


def text(rng: random.Random, data: bytes) -> bytes:
    """Change words, numbers and lines of a text file."""
    lines = data.decode("utf-8", "replace").splitlines(keepends=True) or [""]
    for _ in range(rng.choice((1, 1, 3))):
        i = rng.randrange(len(lines))
        kind = rng.randrange(5)
        if kind == 0:
            lines[i] = ""
        elif kind == 1:
            lines.insert(i, rng.choice(lines))
        elif kind == 2:
            words = lines[i].split(" ")
            words[rng.randrange(len(words))] = rng.choice(WORDS)
            lines[i] = " ".join(words)
        elif kind == 3:
            digits = [j for j, letter in enumerate(lines[i]) if letter.isdigit()]
            if digits:
                j = rng.choice(digits)
                lines[i] = lines[i][:j] + rng.choice(WORDS) + lines[i][j + 1 :]
        else:
            return blind(rng, "".join(lines).encode())
    return "".join(lines).encode("utf-8", "replace")


# ------------------------------------------------------------------------------------------------------ images


def png(rng: random.Random, data: bytes) -> bytes:
    """Change, drop, repeat or swap the chunks of a PNG; mostly with checksums that fit."""
    chunks, position = [], 8
    while position + 8 <= len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        chunks.append([data[position + 4 : position + 8], data[position + 8 : position + 8 + length]])
        position += 12 + length
    i = rng.randrange(len(chunks))
    kind = rng.randrange(6)
    if kind == 0:
        chunks[i][1] = _field(rng, chunks[i][1], ">")
    elif kind == 1:
        chunks[0][1] = _field(rng, chunks[0][1], ">")  # size, depth and colour type
    elif kind == 2:
        del chunks[i]
    elif kind == 3:
        chunks.insert(rng.randrange(len(chunks) + 1), chunks[i])
    elif kind == 4:
        chunks[i][0] = rng.choice((b"tRNS", b"PLTE", b"gAMA", b"eXIf", b"iCCP", b"IDAT", b"acTL", b"fcTL", b"fdAT", b"zTXt"))
    else:
        body = b"".join(part for name, part in chunks if name == b"IDAT")
        chunks = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
        try:
            body = zlib.compress(blind(rng, zlib.decompress(body)))
        except zlib.error:
            body = blind(rng, body)
        chunks.insert(1, [b"IDAT", body])
    out = data[:8]
    for name, part in chunks:
        checksum = zlib.crc32(name + part) if rng.random() < 0.95 else rng.getrandbits(32)
        out += struct.pack(">I", len(part)) + name + part + struct.pack(">I", checksum)
    return out


def jpeg(rng: random.Random, data: bytes) -> bytes:
    """Change, drop, repeat or swap the segments of a JPEG."""
    segments, position = [], 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        (length,) = struct.unpack(">H", data[position + 2 : position + 4])
        segments.append([data[position + 1], data[position + 4 : position + 2 + length]])
        position += 2 + length
    rest = data[position:]
    i = rng.randrange(len(segments))
    kind = rng.randrange(5)
    if kind == 0:
        segments[i][1] = _field(rng, segments[i][1], ">")
    elif kind == 1:
        del segments[i]
    elif kind == 2:
        segments.insert(rng.randrange(len(segments) + 1), segments[i])
    elif kind == 3:
        segments[i][0] = rng.choice((0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xEE))
    else:
        rest = blind(rng, rest)
    out = data[:2]
    for marker, part in segments:
        out += bytes([0xFF, marker]) + struct.pack(">H", len(part) + 2 if rng.random() < 0.95 else rng.getrandbits(16)) + part
    return out + rest


def tiff(rng: random.Random, data: bytes) -> bytes:
    """Change the fields of a TIFF directory: tag, type, count or value of a row."""
    order = "<" if data[:2] == b"II" else ">"
    (offset,) = struct.unpack(order + "I", data[4:8])
    if not 0 < offset < len(data) - 2:
        return blind(rng, data)
    (count,) = struct.unpack(order + "H", data[offset : offset + 2])
    buffer = bytearray(data)
    for _ in range(rng.choice((1, 1, 2))):
        row = offset + 2 + 12 * rng.randrange(max(1, count))
        part = rng.randrange(6)
        if part == 0:
            buffer[row : row + 2] = struct.pack(
                order + "H", rng.choice((254, 256, 257, 258, 259, 262, 273, 274, 277, 278, 338, 339))
            )
        elif part == 1:
            buffer[row + 2 : row + 4] = struct.pack(order + "H", rng.randrange(20))
        elif part == 2:
            buffer[row + 4 : row + 8] = struct.pack(order + "I", rng.choice(EXTREMES))
        elif part == 3:
            buffer[row + 8 : row + 12] = struct.pack(order + "I", rng.choice(EXTREMES))
        elif part == 4:
            buffer[row + 8 : row + 10] = struct.pack(order + "H", rng.choice((0, 1, 2, 3, 5, 6, 7, 8, 16, 32, 32773, 34712)))
        else:
            buffer[offset : offset + 2] = struct.pack(order + "H", rng.choice(EXTREMES) & 0xFFFF)
    return bytes(buffer) if rng.random() < 0.8 else blind(rng, bytes(buffer))


def _field(rng: random.Random, part: bytes, order: str) -> bytes:
    """Set one number of a field to an extreme, or change the bytes blindly."""
    if len(part) >= 4 and rng.random() < 0.6:
        at = rng.randrange(0, len(part) - 3)
        return part[:at] + struct.pack(order + "I", rng.choice(EXTREMES)) + part[at + 4 :]
    return blind(rng, part)


# ----------------------------------------------------------------------------------------------------- weights


def safetensors(rng: random.Random, data: bytes) -> bytes:
    """Change the header of a safetensors file: types, shapes, offsets and options; its length fits again, mostly."""
    (length,) = struct.unpack("<Q", data[:8])
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
    name = rng.choice(list(header))
    kind = rng.randrange(6)
    if kind == 0:
        header[name] = rng.choice((None, [], {}, "x", 1))
    elif kind == 1 and name != "__metadata__":
        header[name]["shape"] = rng.choice(([], [-1], [2**40], [0], ["x"], [2**62, 4], None))
    elif kind == 2 and name != "__metadata__":
        header[name]["data_offsets"] = rng.choice(([0, 2**60], [5, 1], [-1, 3], [], None, [0, len(rest) + 1]))
    elif kind == 3 and name != "__metadata__":
        header[name]["dtype"] = rng.choice(("F64", "I8", "BOOL", "F8_E4M3", "", None))
    elif kind == 4:
        options = ("{", "[]", "null", '{"width": -1}', '{"width": 1e99}', '{"x": 1}', "1", '"x"', '{"activity": "?"}')
        header["__metadata__"] = {"options": rng.choice(options)}
    else:
        header.pop(name)
    packed = json.dumps(header).encode()
    if rng.random() < 0.2:
        packed = text(rng, packed)
    stated = len(packed) if rng.random() < 0.9 else rng.choice(EXTREMES)
    return struct.pack("<Q", stated) + packed + rest


def one_of(*mutations: Mutation) -> Mutation:
    """Choose one of several mutations for each case."""
    return lambda rng, data: rng.choice(mutations)(rng, data)


def any_value(rng: random.Random, known: Sequence[object]) -> object:
    """Draw a value that a caller might pass by mistake, or one that is known."""
    strange = [*WORDS, None, True, False, -1, 0, 1, 2**70, 1.5, float("nan"), [], {}, ("a",), b"x", object()]
    return rng.choice([*known, *strange])
