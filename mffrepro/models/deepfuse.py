r"""DeepFuse: two convolutions of each luma, their sum, and four convolutions of that; made for exposures, used for focus too.

The features of all images are added, so that their order does not matter. Nothing is normalised and no convolution has a bias:
brighter images give proportionally brighter results, and the scale of the output means nothing. The authors' program stretches
it.

What we changed: nothing in the layout, which is that of the published weights; the article prints fewer maps. By default the
output is scaled to the mean of the sources instead of being stretched (``as_published=True``).

References: [prabhakar2017deepfuse]. Chapter: 08_networks.
"""

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.data import weight_file
from mffrepro.images import FocusStack
from mffrepro.models.layers import device_of, stretched, to_array, to_tensor
from mffrepro.models.luma import RANGES, through_luma
from mffrepro.models.weights import NetworkSource
from mffrepro.tiling import map_network

#: Maps and side of the kernel of each convolution; the first two see one image, the others the sum.
EACH, MERGED = ((1, 32, 3), (32, 64, 5)), ((64, 64, 7), (64, 32, 5), (32, 16, 5), (16, 1, 7))
#: Rows that a pixel depends on.
REACH = sum(side // 2 for _, _, side in EACH + MERGED)
#: Share of the pixels that may become black, and white, when the authors' program adjusts the contrast.
CLIPPED = 0.01


class DeepFuse(nn.Module):
    """Fuse the lumas of any number of images.

    The network has 316 976 parameters.
    """

    reach = REACH

    def __init__(self) -> None:
        super().__init__()
        self.options: dict = {}
        self.each, self.merged = (
            nn.ModuleList([nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False) for inputs, outputs, side in layers])
            for layers in (EACH, MERGED)
        )

    def forward(self, *lumas: Tensor) -> Tensor:
        """Fuse N batches (B, 1, H, W) to one, on a scale of its own."""
        x = sum(_through(self.each, luma) for luma in lumas)
        return _through(self.merged, x)


def _through(layers: nn.ModuleList, x: Tensor) -> Tensor:
    for layer in layers:
        x = F.leaky_relu(layer(x), 0.01)
    return x


def published(name: str) -> tuple[dict[str, Tensor], dict]:
    """Load the authors' kernels, turned by half a circle.

    Their library convolves, where torch correlates.
    """
    import torch

    with np.load(weight_file(name), allow_pickle=False) as file:
        kernels = [torch.from_numpy(file[f"arr_{i}"][:, :, ::-1, ::-1].copy()) for i in range(len(EACH + MERGED))]
    names = [f"{part}.{i}.weight" for part, layers in (("each", EACH), ("merged", MERGED)) for i in range(len(layers))]
    return dict(zip(names, kernels, strict=True)), {}


SOURCE = NetworkSource(DeepFuse, published=published)


def fuse(stack: FocusStack, network: DeepFuse, *, as_published: bool = False) -> tuple[np.ndarray, None]:
    """Fuse lumas by a network whose features are added.

    Chroma is weighted by its distance from gray.

    Args:
        stack: N >= 2 images of any size, gray or colour; the authors' program takes two.
        network: DeepFuse.
        as_published: Stretch the fused luma to the whole range, and clip one percent of the pixels at either end, as the
            authors' programs do. Otherwise it has the scale and the offset with which it is nearest to the mean of the sources.

    Returns:
        The fused image; no decision map, since every pixel is computed anew.

    References:
        [prabhakar2017deepfuse].
    Chapter: 08_networks
    """

    def fuse_luma(lumas: list[np.ndarray]) -> np.ndarray:
        raw = to_array(map_network(network, [to_tensor(luma, device_of(network)) for luma in lumas], network.reach))
        if not as_published:
            return scaled_to(np.mean(lumas, axis=0, dtype=np.float64), raw)
        size, offset, _ = RANGES["video" if stack.is_colour else "full"]
        return offset + size * adjusted(stretched(raw))

    return through_luma(stack, fuse_luma, levels="video"), None


def scaled_to(target: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Scale and move an image (H, W) so that it is nearest to another one.

    The result is float32; a flat image becomes the mean of the other.
    """
    away = image.astype(np.float64) - image.mean(dtype=np.float64)
    slope = (away * (target - target.mean())).sum() / max(np.square(away).sum(), np.finfo(np.float64).tiny)
    return (target.mean() + slope * away).astype(np.float32)


def adjusted(unit: np.ndarray) -> np.ndarray:
    """Stretch the contrast as MATLAB's ``imadjust`` does by default, in 256 levels.

    One percent of the pixels is clipped at either end.
    """
    counts = np.bincount(np.rint(255 * unit).astype(np.uint8).ravel(), minlength=256)
    shares = np.cumsum(counts) / unit.size
    low, high = np.argmax(shares > CLIPPED) / 255, np.argmax(shares >= 1 - CLIPPED) / 255
    return ((unit - low) / (high - low)).clip(0, 1) if high > low else unit
