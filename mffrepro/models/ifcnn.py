r"""IFCNN: convolutional features of each image, the largest of each kind, one convolution back to an image.

Two convolutions take features from every image, an element-wise rule joins them, and two more convolutions paint the
fused image. Nothing in it depends on the number of images or on their order. The first layer of the paper is that of a
ResNet-101 trained on ImageNet, frozen; it is part of the published weights.

What we changed: nothing in the layout, which follows the authors' code where it corrects the paper's Eq. 4 (the last layer
has stride 1 and no padding). Our own weights learn the first layer too, since the one of ImageNet is not ours to ship.

References: [zhang2020ifcnn]. Chapter: 08_networks.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from mffrepro.images import FocusStack, to_unit
from mffrepro.models.layers import conv, device_of, to_array, to_tensor, truncated
from mffrepro.models.weights import NetworkSource, read_published
from mffrepro.tiling import map_network

Rule = Literal["max", "sum", "mean"]


def join(features: list[Tensor], rule: Rule) -> Tensor:
    """Join features of several images element by element.

    They are joined in place: a stack of all of them would fill the memory.
    """
    joined = features[0]
    for other in features[1:]:
        joined = torch.maximum(joined, other) if rule == "max" else joined + other
    return joined / len(features) if rule == "mean" else joined


class IFCNN(nn.Module):
    """Paint an image from joined features; 83 587 parameters.

    9 408 of them are in the first layer.

    Args:
        fusion: The rule that joins the features: ``"max"``, ``"sum"`` or ``"mean"``.
    """

    reach = 3 + 1 + 1  # rows: one 7x7 and two 3x3 convolutions; the last is 1x1

    def __init__(self, *, fusion: Rule = "max") -> None:
        super().__init__()
        self.fusion, self.options = fusion, {"fusion": fusion}
        self.conv1 = nn.Conv2d(3, 64, 7, padding=3, padding_mode="replicate", bias=False)  # neither norm nor ReLU
        self.conv2 = conv(64, 64, border="replicate", norm=nn.BatchNorm2d, activation=nn.ReLU())
        self.conv3 = conv(64, 64, border="replicate", norm=nn.BatchNorm2d, activation=nn.ReLU())
        self.conv4 = nn.Conv2d(64, 3, 1)
        for block in (self.conv2, self.conv3):
            block.conv.bias = None  # the normalisation that follows has one
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1), persistent=False)  # of ImageNet
        self.register_buffer("deviation", torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1), persistent=False)

    def forward(self, *images: Tensor) -> Tensor:
        """Fuse batches (B, 3, H, W) in [0, 1]; the result may leave the range a little."""
        features = [self.conv2(self.conv1((image - self.mean) / self.deviation)) for image in images]
        return self.conv4(self.conv3(join(features, self.fusion))) * self.deviation + self.mean


def from_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of the authors' ``IFCNN-*.pth`` to those of `IFCNN`."""
    renamed = {key.replace(".bn.", ".norm."): tensor for key, tensor in state.items()}
    return renamed | {f"conv{i}.norm.num_batches_tracked": torch.tensor(0) for i in (2, 3)}  # unknown to PyTorch 0.4


def published(name: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Load the authors' tensors under our names.

    ``published`` was trained with the maximum, other names tell their rule.
    """
    rule = name.removeprefix("ifcnn.published").lstrip(".") or "max"
    return from_published(read_published(name)), {"fusion": rule}


SOURCE = NetworkSource(IFCNN, published=published)
#: Red, green and blue weights of OpenCV's gray conversion.
OPENCV_GRAY = np.float32([0.299, 0.587, 0.114])


def fuse(stack: FocusStack, network: IFCNN, *, as_published: bool = False) -> tuple[np.ndarray, None]:
    """Fuse any number of images at once by their convolutional features.

    All channels are fused together.

    Args:
        stack: N >= 2 images, gray or colour; gray is fused as colour with three equal channels, whose mean is the result.
        network: IFCNN, which joins features by the rule that it was trained with. The authors publish weights for the maximum
            (``"published"``, which they use for multi-focus images), ``"published.sum"`` and ``"published.mean"``.
        as_published: Cut off to 8 bits instead of rounding, and gray from colour by OpenCV's weights, as the authors do.
            `mffrepro.fuse` then also reads JPEG files as the library of their time, libjpeg 9, did. With images that another
            library has decoded, a few per cent of the values differ from theirs by more than one gray level.

    Returns:
        The fused image; no decision map, since every pixel is computed anew.

    References:
        [zhang2020ifcnn].
    Chapter: 08_networks
    """
    images = [to_tensor(to_unit(image), device_of(network)) for image in stack.images]
    fused = to_array(map_network(network, [image.expand(-1, 3, -1, -1) for image in images], IFCNN.reach))
    if as_published:
        fused = truncated(fused)
    if not stack.is_colour:
        fused = fused @ OPENCV_GRAY if as_published else fused.mean(-1)
    return fused, None
