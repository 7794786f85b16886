r"""IFCNN: convolutional features of each image, the largest of each kind, one convolution back to an image.

Two convolutions take features from every image, an element-wise rule joins them, and two more convolutions paint the
fused image. Nothing in it depends on the number of images or on their order. The first layer of the paper is that of a
ResNet-101 trained on ImageNet, frozen; it is part of the published weights.

What we changed: nothing in the layout, which follows the authors' code where it corrects the paper's Eq. 4 (the last layer
has stride 1 and no padding). Our own weights learn the first layer too, since the one of ImageNet is not ours to ship.

References: [zhang2020ifcnn]. Chapter: 08_networks.
"""

import time
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor, nn

from mffrepro.errors import OptionError, unknown
from mffrepro.images import FocusStack, FusionResult, as_stack, to_unit
from mffrepro.models._parts import conv, device_of, in_strips, to_array, to_tensor, truncated
from mffrepro.models.weights import prepare, read_published

Rule = Literal["max", "sum", "mean"]


def join(features: list[Tensor], rule: Rule) -> Tensor:
    """Element-wise over the images; in place of a stack of all of them, which would fill the memory."""
    joined = features[0]
    for other in features[1:]:
        joined = torch.maximum(joined, other) if rule == "max" else joined + other
    return joined / len(features) if rule == "mean" else joined


class IFCNN(nn.Module):
    """83 587 parameters, 9 408 of them in the first layer.

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
        """(B, 3, H, W) in [0, 1] each -> the same, which may leave the range a little."""
        features = [self.conv2(self.conv1((image - self.mean) / self.deviation)) for image in images]
        return self.conv4(self.conv3(join(features, self.fusion))) * self.deviation + self.mean


def from_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of the authors' ``IFCNN-*.pth`` to those of `IFCNN`."""
    renamed = {key.replace(".bn.", ".norm."): tensor for key, tensor in state.items()}
    return renamed | {f"conv{i}.norm.num_batches_tracked": torch.tensor(0) for i in (2, 3)}  # unknown to PyTorch 0.4


@lru_cache(maxsize=4)
def load(weights: str = "default", *, fusion: Rule | None = None, device: str = "auto") -> IFCNN:
    """IFCNN ready for inference; arguments as for `fuse`."""
    rule = fusion or "max"
    network = prepare(
        IFCNN, "ifcnn", weights, device, lambda: (from_published(read_published(f"ifcnn.published.{rule}")), {"fusion": rule})
    )
    if weights == "random":
        network.fusion = rule
    elif fusion not in (None, network.fusion):
        raise OptionError(f"these weights were trained with fusion={network.fusion!r}; weights='published' has {fusion!r} too")
    return network


def fuse(
    stack: FocusStack,
    *,
    weights: str = "default",
    device: str = "auto",
    fusion: Rule | None = None,
    as_published: bool = False,
) -> FusionResult:
    """Fuse any number of images at once by their convolutional features, all channels together.

    Args:
        stack: N >= 2 images, gray or colour; gray is fused as colour with three equal channels, whose mean is the result.
        weights: ``"default"`` (this project's), ``"published"`` (the authors'), ``"random"``, or a ``.safetensors`` file.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        fusion: How features are joined, ``"max"``, ``"sum"`` or ``"mean"``; by default as the weights were trained, and
            ``"max"`` of the published ones, which the authors use for multi-focus images.
        as_published: Cut off to 8 bits instead of rounding, and gray from colour by OpenCV's weights, as the authors do.
    Returns:
        The fused image; no decision map, since every pixel is painted anew.
    Raises:
        OptionError: No such rule, or weights that were trained with another.
        DataError: Weights that cannot be had.
    References:
        [zhang2020ifcnn].
    Chapter: 08_networks
    """
    if fusion not in (None, "max", "sum", "mean"):
        raise unknown("fusion of ifcnn", fusion, ("max", "sum", "mean"))
    as_stack(stack)
    network = load(weights, fusion=fusion, device=device)
    started = time.perf_counter()
    images = [to_tensor(to_unit(image), device_of(network)) for image in stack.images]
    fused = to_array(in_strips(network, [image.expand(-1, 3, -1, -1) for image in images], IFCNN.reach))
    if as_published:
        fused = truncated(fused)
    if not stack.is_colour:
        fused = fused @ torch.tensor(OPENCV_GRAY).numpy() if as_published else fused.mean(-1)
    return FusionResult.finish(stack, fused, None, started, "ifcnn")


#: Red, green, blue of OpenCV's gray.
OPENCV_GRAY = (0.299, 0.587, 0.114)
