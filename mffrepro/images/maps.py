"""Write maps of numbers, such as a depth, as a TIFF of floats or as a picture in colours."""

import os

import numpy as np

from mffrepro.images.metadata import Metadata
from mffrepro.images.tiff_writing import encode_tiff
from mffrepro.images.writing import check_target, put_in_place, write_image


def write_map(path: str | os.PathLike, values: np.ndarray, *, low: float = 0.0, high: float = 1.0) -> None:
    """Write a map.

    A TIFF holds the values themselves as 32-bit floats; other formats show them in colours (viridis), dark for low ones.

    Args:
        path: Ends in .png, .tif, .jpg, .webp or .bmp.
        values: (H, W) float.
        low: Value of the darkest colour.
        high: Value of the brightest colour.

    Raises:
        ImageError: Unknown suffix, or a place that cannot be written.
    """
    path = check_target(path, np.uint8, values.shape)
    if path.suffix.lower() in (".tif", ".tiff"):
        put_in_place(path, encode_tiff(values.astype(np.float32), Metadata(), has_alpha=False))
        return
    import cv2

    share = np.clip((values - low) / max(high - low, np.finfo(np.float32).tiny), 0, 1)
    colours = cv2.applyColorMap(np.rint(255 * share).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    write_image(path, np.ascontiguousarray(colours[..., ::-1]), metadata=Metadata())
