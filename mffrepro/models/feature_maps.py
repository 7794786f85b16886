"""Look into a patch classifier: its feature maps of an image, and which pictures they resemble."""

import numpy as np
import torch

from mffrepro.models.siamese import Siamese, pad_for_scores


@torch.inference_mode()
def feature_maps(network: Siamese, image: np.ndarray) -> list[np.ndarray]:
    """Compute the feature maps of an image after each convolution of the branch.

    Args:
        network: Ready for inference.
        image: Gray (H, W), float in [0, 1].

    Returns:
        One array (maps, h, w) per convolution.
    """
    x = torch.from_numpy(pad_for_scores(image, network))[None].to(network.branch[0].weight.device)
    return [maps[0].float().cpu().numpy() for kind, maps in network.trace(x) if kind == "conv"]


def shrink_to(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Bring an image to the size of feature maps.

    Where poolings lie between, it takes block means; then it crops around the middle.

    Args:
        image: (H, W).
        shape: Height and width of the maps.

    Returns:
        (h, w); mirrored at the border where the maps are larger.
    """
    step = round(image.shape[0] / shape[0])
    small = image[: image.shape[0] // step * step, : image.shape[1] // step * step]
    small = small.reshape(small.shape[0] // step, step, -1, step).mean((1, 3))
    margins = [(max(0, n - m),) * 2 for n, m in zip(shape, small.shape, strict=True)]
    small = np.pad(small, margins, mode="reflect")
    top, left = ((m - n) // 2 for n, m in zip(shape, small.shape, strict=True))
    return small[top : top + shape[0], left : left + shape[1]]


def correlations(maps: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Compute the absolute correlation of every feature map with a picture.

    Args:
        maps: (maps, h, w).
        picture: (h, w).

    Returns:
        (maps,), from 0 to 1; 0 for maps that are constant.
    """
    flat = maps.reshape(len(maps), -1) - maps.mean((1, 2))[:, None]
    aim = picture.ravel() - picture.mean()
    scale = np.linalg.norm(flat, axis=1) * np.linalg.norm(aim)
    return np.abs(flat @ aim) / np.maximum(scale, 1e-6)
