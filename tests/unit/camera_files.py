"""Files as cameras write them, made small: a DNG with a preview in front, and EXIF with what is kept and what is not."""

import io
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from tifffile import TiffWriter

#: From CIE XYZ to linear sRGB, in ten-thousandths: the camera of the DNG sees sRGB.
_COLOUR_MATRIX = (32405, -15371, -4985, -9693, 18760, 416, 556, -2040, 10572)


def dng(light: np.ndarray, *, orientation: int = 1, sensor: bool = True, admits_preview: bool = True) -> bytes:
    """A DNG or, without a sensor, a TIFF whose first directory is a black preview; the photograph is in a sub-directory.

    Args:
        light: (H, W, 3) uint16, linear.
        orientation: EXIF orientation.
        sensor: Whether it is stored as the mosaic of a sensor.
        admits_preview: Whether the preview calls itself one.
    """
    buffer = io.BytesIO()
    preview = np.zeros((12, 16, 3), np.uint8)
    ones = (1, 1, 1, 1, 1, 1)
    matrix = tuple(number for entry in _COLOUR_MATRIX for number in (entry, 10_000))
    first = [(274, "H", 1, orientation, True), (271, "s", 0, "Made", True), (272, "s", 0, "Camera", True)]
    if sensor:
        first += [(50706, "B", 4, bytes([1, 4, 0, 0]), True), (50708, "s", 0, "Made Camera", True)]
        first += [(50721, "2i", 9, matrix, True), (50728, "2I", 3, ones, True), (50778, "H", 1, 21, True)]
    with TiffWriter(buffer) as file:
        file.write(
            preview, photometric="rgb", subfiletype=int(admits_preview), subifds=1, metadata=None, software=False, extratags=first
        )
        if sensor:
            mosaic = light[..., 1].copy()
            mosaic[::2, ::2], mosaic[1::2, 1::2] = light[::2, ::2, 0], light[1::2, 1::2, 2]
            pattern = [(33421, "H", 2, (2, 2), True), (33422, "B", 4, bytes([0, 1, 1, 2]), True)]
            levels = [(50714, "H", 1, 0, True), (50717, "H", 1, 65535, True)]
            file.write(mosaic, photometric=32803, subfiletype=0, metadata=None, software=False, extratags=pattern + levels)
        else:
            file.write(light, photometric="rgb", subfiletype=0, metadata=None, software=False)
    return buffer.getvalue()


def smooth_light(height: int = 48, width: int = 64) -> np.ndarray:
    """Linear light that a mosaic keeps: three ramps, uint16."""
    y, x = np.mgrid[:height, :width]
    return (np.stack([x / width, y / height, (x + y) / (height + width)], -1) * 50_000 + 5_000).astype(np.uint16)


def exif_of_a_camera(orientation: int = 1, taken: str = "2024:05:06 07:08:09") -> Pillow.Exif:
    """EXIF with what is kept of a photograph, and with what must not be: orientation, the maker's notes."""
    exif = Pillow.Exif()
    exif[0x0112], exif[271], exif[272], exif[33432] = orientation, "Maker", "Model 1", "© somebody".encode("latin-1")
    exif[305] = "Firmware 1.0"
    details = exif.get_ifd(0x8769)
    details[0x9003], details[0x829A], details[0x927C] = taken, 0.01, b"notes of the maker" * 100
    exif.get_ifd(0x8825)[1] = "N"
    return exif


def jpeg_with_thumbnail(image: np.ndarray, path: Path, **options: object) -> Path:
    """A JPEG whose EXIF ends with a second directory, the thumbnail."""
    exif = exif_of_a_camera().tobytes()
    thumbnail = io.BytesIO()
    Pillow.fromarray(image).resize((8, 8)).save(thumbnail, "JPEG")
    body = bytearray(exif[6:])
    count = int.from_bytes(body[8:10], "big")
    entries = [(259, 3, 6 << 16), (513, 4, 0), (514, 4, len(thumbnail.getvalue()))]
    second = len(body)
    entries[1] = (513, 4, second + 2 + 12 * len(entries) + 4)
    body[10 + 12 * count : 14 + 12 * count] = second.to_bytes(4, "big")
    body += len(entries).to_bytes(2, "big")
    for tag, kind, value in entries:
        body += tag.to_bytes(2, "big") + kind.to_bytes(2, "big") + (1).to_bytes(4, "big") + value.to_bytes(4, "big")
    body += bytes(4) + thumbnail.getvalue()
    Pillow.fromarray(image).save(path, exif=b"Exif\0\0" + bytes(body), **options)
    return path
