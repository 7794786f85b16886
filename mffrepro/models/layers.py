"""Share building blocks among the networks: convolutions, tensors in and out, tensors of the authors' checkpoints."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import lru_cache, reduce

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.tiling import map_network


def conv(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    *,
    border: str = "zeros",
    norm: Callable[[int], nn.Module] | None = None,
    activation: nn.Module | None = None,
) -> nn.Sequential:
    """Build a convolution that keeps the size, with normalisation and activation.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Side of the kernel, odd.
        border: Values outside the image: ``"zeros"``, ``"reflect"`` (without the edge) or ``"replicate"``.
        norm: Such as `nn.BatchNorm2d`; comes second.
        activation: Comes last.
    """
    parts = OrderedDict(conv=nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, padding_mode=border))
    if norm is not None:
        parts["norm"] = norm(outputs)
    if activation is not None:
        parts["act"] = activation
    return nn.Sequential(parts)


class ConvToOne(nn.Conv2d):
    """Convolve all channels into one map without bias, row by row of the kernel.

    (B, C, H, W) becomes (B, 1, H, W).

    k convolutions of 1 x k in one call, and their sum, each shifted by its row. Libraries compute output maps in blocks of 8 or
    16, of which a single map wastes most: for 7x7 and 64 maps of 520x520 this takes 9 ms instead of 50.
    """

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(channels, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution that `nn.Conv2d` defines."""
        margin = self.padding[0]
        kernel = self.weight.transpose(0, 2).contiguous(memory_format=torch.channels_last)
        rows = F.conv2d(x, kernel, padding=(0, margin))
        height = x.shape[-2]
        total = rows[:, margin].clone()
        for shift in range(1, min(margin, height - 1) + 1):
            total[:, :-shift] += rows[:, margin + shift, shift:]
            total[:, shift:] += rows[:, margin - shift, :-shift]
        return total[:, None]


class Grow(nn.ModuleList):
    """Connect blocks densely: each sees the input and all earlier results.

    Args:
        blocks: The blocks, in their order.
        newest_first: Which end of the channels the new maps join.
    """

    def __init__(self, blocks: Sequence[nn.Module], *, newest_first: bool = False) -> None:
        super().__init__(blocks)
        self.newest_first = newest_first

    def forward(self, x: Tensor) -> Tensor:
        """Return the input and the results of all blocks, concatenated along the channels."""
        for block in self:
            new = block(x)
            x = torch.cat([new, x] if self.newest_first else [x, new], 1)
        return x


@lru_cache(maxsize=4)
def with_image_statistics(network: nn.Module, *, affine: bool) -> nn.Module:
    """Copy a network and let it normalise by the statistics of each image.

    Args:
        network: Ready for inference; it stays as it is.
        affine: Whether the trained scales and shifts stay; without them the scale is 1 and the shift 0.

    Returns:
        The copy, whose ``reach`` is None, since every pixel then depends on all others.
    """
    copy = deepcopy(network)
    for parent in [*copy.modules()]:
        for name, trained in [*parent.named_children()]:
            if isinstance(trained, nn.BatchNorm2d):
                norm = nn.InstanceNorm2d(trained.num_features, eps=trained.eps, affine=affine).to(trained.weight.device)
                if affine:
                    norm.load_state_dict({"weight": trained.weight, "bias": trained.bias})
                setattr(parent, name, norm)
    copy.reach = None
    return copy.eval()


# ----------------------------------------------------------------------------------------- arrays and tensors


def to_tensor(image: np.ndarray, device: torch.device) -> Tensor:
    """Convert an image (H, W) or (H, W, 3) to a batch (1, C, H, W), float32."""
    planes = np.atleast_3d(np.asarray(image, np.float32)).transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes))[None].to(device)


def to_array(batch: Tensor) -> np.ndarray:
    """Convert a batch of one image (1, C, H, W) to (H, W) or (H, W, 3)."""
    planes = batch[0].permute(1, 2, 0).float().cpu().numpy()
    return np.ascontiguousarray(planes[..., 0] if planes.shape[2] == 1 else planes)


def device_of(network: nn.Module) -> torch.device:
    """Return the device that the parameters of a network are on."""
    return next(network.parameters()).device


def fuse_in_turn(network: nn.Module, images: Sequence[np.ndarray]) -> np.ndarray:
    """Fuse N images (H, W) in [0, 1] by a network for two, one after the other.

    Args:
        network: Takes and gives batches (B, 1, H, W) in [0, 1]; its ``reach`` in rows, or None if every pixel sees all others.
        images: The images.
    """
    planes = [to_tensor(image, device_of(network)) for image in images]
    rows = planes[0].shape[-2] if network.reach is None else network.reach
    return to_array(reduce(lambda a, b: map_network(network, (a, b), rows), planes))


# ------------------------------------------------------------------------------------- the authors' programs


def from_tensorflow(arrays: dict[str, np.ndarray], names: dict[str, str]) -> dict[str, Tensor]:
    """Rename the arrays of a TensorFlow checkpoint and reorder their kernels.

    Kernels (H, W, in, out) become (out, in, H, W).

    Args:
        arrays: Arrays of the checkpoint by the authors' names.
        names: Our name of each parameter -> the authors'.
    """
    turned = {ours: arrays[theirs] for ours, theirs in names.items()}
    turned = {name: a.transpose(3, 2, 0, 1) if a.ndim == 4 else a for name, a in turned.items()}
    return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in turned.items()}


def truncated(unit: np.ndarray) -> np.ndarray:
    """Clip floats to [0, 1] and cut them down to multiples of 1/255.

    A cast to 8 bits without rounding does the same.
    """
    slack = 255 * np.finfo(unit.dtype).eps  # restores whole numbers that the division by 255 moved
    return np.floor(np.clip(unit, 0, 1) * 255 + slack) / 255


def stretched(image: np.ndarray) -> np.ndarray:
    """Stretch values from the smallest, 0, to the largest, 1; a flat image becomes 0.

    Some image writers do so.
    """
    low, high = image.min(), image.max()
    return (image - low) / (high - low) if high > low else np.zeros_like(image)
