r"""p-CNN: one network rates each pixel of one image as focused, defocused or unknown, from the 32x32 pixels around it.

No image is compared with another: the rating is a learned focus measure, and of any number of images the one with the largest
score gives the pixel. The network learns from single patches. On a whole image it computes all patches at once: a pooling that
moved by two pixels moves by one, and the kernels behind it read values that are twice as far apart. Every pixel gets the score
that its own patch would get.

What we changed: all that the abstract does not say is our reading, since the text, code and weights of the authors were not
available. It says that each pixel is classified by its neighbourhood in one image, by labels of the focus level and several
defocus masks, and that a whole image is computed at once. Ours has six convolutions of the usual kind, and three classes with the
score P(focused) + P(unknown) / 2. Nothing is padded, so that a pixel inside an image never depends on zeros around its patch;
the fifth kernel then covers 5x5 values, all that is left of a patch. Regions under a hundredth of the image go to their
surroundings. Shipped weights have half as many maps.

References: [tang2018pcnn]. Chapter: 08_networks.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.errors import OptionError
from mffrepro.fusion.multi_image import UnitImages
from mffrepro.fusion.regions import remove_small, sharpest
from mffrepro.images import FocusStack, Shares, require_side, to_gray
from mffrepro.models.layers import device_of, to_array, to_tensor
from mffrepro.models.weights import NetworkSource
from mffrepro.progress import steps
from mffrepro.tiling import map_network

#: What a pixel can be, in the order of the outputs.
CLASSES = ("focused", "defocused", "unknown")
#: Side of the neighbourhood of a pixel, and the rows and columns of it before the pixel and after it.
PATCH, BEFORE, AFTER = 32, 16, 15
#: Layers: maps and side of the kernel, or a 2x2 pooling. The last has a map for each class.
PLAN = ((32, 3), (32, 3), "pool", (64, 3), (64, 3), "pool", (128, 5), (len(CLASSES), 1))


class PixelCNN(nn.Module):
    """Rate the pixels of gray images; 270 307 parameters at full width.

    Args:
        width: Factor on the maps of all layers but the last.
    """

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        self.options = {"width": width}
        layers, inputs = [], 1
        for layer in PLAN:
            if layer == "pool":
                layers.append(nn.MaxPool2d(2))
                continue
            maps, side = layer
            outputs = maps if layer is PLAN[-1] else max(1, round(width * maps))
            layers.append(nn.Conv2d(inputs, outputs, side))
            nn.init.kaiming_normal_(layers[-1].weight, nonlinearity="relu")
            nn.init.zeros_(layers[-1].bias)
            inputs = outputs
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, *, everywhere: bool = False) -> Tensor:
        """Compute the outputs (B, 3, h, w) before the softmax.

        Args:
            x: (B, 1, H, W) in [0, 1]. One patch has one place, h = w = 1.
            everywhere: Rate every patch, h = H - 31 and w = W - 31, instead of every fourth one along either axis.
        """
        gap = 1  # distance of the values that a kernel reads
        for layer in self.layers:
            if isinstance(layer, nn.MaxPool2d):
                x = F.max_pool2d(x, 2, stride=1, dilation=gap) if everywhere else layer(x)
                gap = 2 * gap if everywhere else 1
            else:
                x = F.conv2d(x, layer.weight, layer.bias, dilation=gap)
                x = x if layer is self.layers[-1] else F.relu(x)
        return x

    def score(self, image: Tensor) -> Tensor:
        """Score every pixel of (B, 1, H, W), mirrored at its borders."""
        around = F.pad(image, (BEFORE, AFTER, BEFORE, AFTER), mode="reflect")
        return log_odds(self(around, everywhere=True))


def log_odds(outputs: Tensor) -> Tensor:
    """Compute log(s / (1 - s)) of the score s = P(focused) + P(unknown) / 2.

    It grows with s, and still tells scores apart that round to 1. (B, 3, h, w) becomes (B, 1, h, w).
    """
    focused, defocused, unknown = outputs.split(1, dim=1)
    half = unknown - math.log(2)
    return torch.logaddexp(focused, half) - torch.logaddexp(defocused, half)


SOURCE = NetworkSource(PixelCNN, random={"width": 0.25})


def score_image(network: PixelCNN, image: np.ndarray) -> np.ndarray:
    """Score every pixel of an image (H, W[, 3]) in [0, 1] by its gray values: (H, W)."""
    gray = to_gray(image) if image.ndim == 3 else image
    return to_array(map_network(network.score, [to_tensor(gray, device_of(network))], BEFORE))


def fuse(stack: FocusStack, network: PixelCNN, *, smallest: float = 0.01) -> tuple[np.ndarray, Shares]:
    """Take each pixel from the image whose neighbourhood is rated sharpest.

    Each image is rated once, on gray, whatever the others show.

    Args:
        stack: N >= 2 images, sides at least 17 pixels, gray or colour.
        network: p-CNN.
        smallest: Least area of a region that is taken from one source, as a share of the image; 0 keeps all.

    Returns:
        Pixels of the sources, and which source each came from.

    Raises:
        ImageError: Images too small.
        OptionError: `smallest` is not a share.
    Deviations:
        Equal scores go to the first source.

    References:
        [tang2018pcnn].
    Chapter: 08_networks
    """
    if not 0 <= smallest < 1:
        raise OptionError(f"smallest is {smallest:g}; use a share of the image, 0 <= smallest < 1")
    require_side(stack, BEFORE + 1)
    winner = sharpest(score_image(network, image) for image in steps(UnitImages(stack.images)))
    shares = Shares.of_winner(remove_small(winner, smallest * winner.size), len(stack))
    return shares.blend(stack.images), shares
