"""What the networks share around their one idea: a convolution with its habits, tensors in and out, colour through luma."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache, reduce

import numpy as np
import torch
from torch import Tensor, nn

from mffrepro.images import FocusStack, FusionResult, to_unit
from mffrepro.tiling import strips

#: Pixels of a strip: on a CPU its feature maps should stay in the cache, on a GPU they should fill the cores.
STRIP_PIXELS = {"cpu": 2**15, "cuda": 2**21}
#: A strip is at least this often as high as what is computed in vain around it.
LEAST = 3


def conv(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    *,
    border: str = "zeros",
    norm: Callable[[int], nn.Module] | None = None,
    activation: nn.Module | None = None,
) -> nn.Sequential:
    """A convolution that keeps the size, then a normalisation and an activation, where there are any.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Side of the kernel, odd.
        border: What lies outside the image: ``"zeros"``, ``"reflect"`` (without the edge) or ``"replicate"``.
        norm: Such as `nn.BatchNorm2d`; comes second.
        activation: Comes last.
    """
    parts = OrderedDict(conv=nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, padding_mode=border))
    if norm is not None:
        parts["norm"] = norm(outputs)
    if activation is not None:
        parts["act"] = activation
    return nn.Sequential(parts)


class Grow(nn.ModuleList):
    """Dense connections: each block sees what came in and what all earlier blocks made of it.

    Args:
        blocks: The blocks, in their order.
        newest_first: Which end of the channels the new maps join.
    """

    def __init__(self, blocks: Sequence[nn.Module], *, newest_first: bool = False) -> None:
        super().__init__(blocks)
        self.newest_first = newest_first

    def forward(self, x: Tensor) -> Tensor:
        for block in self:
            new = block(x)
            x = torch.cat([new, x] if self.newest_first else [x, new], 1)
        return x


# ----------------------------------------------------------------------------------------- arrays and tensors


def to_tensor(image: np.ndarray, device: torch.device) -> Tensor:
    """(H, W) or (H, W, 3) as a batch (1, C, H, W), float32."""
    planes = np.atleast_3d(np.asarray(image, np.float32)).transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes))[None].to(device)


def to_array(batch: Tensor) -> np.ndarray:
    """The only image (1, C, H, W) of a batch as (H, W) or (H, W, 3)."""
    planes = batch[0].permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(planes[..., 0] if planes.shape[2] == 1 else planes)


def device_of(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


@torch.inference_mode()
def in_strips(network: Callable[..., Tensor], inputs: Sequence[Tensor], reach: int) -> Tensor:
    """``network(*inputs)`` a strip of rows at a time, which bounds the memory and keeps the maps in the cache.

    Args:
        network: Yields one batch of the inputs' height and width, of which no pixel depends on rows further than `reach` away.
        inputs: Batches (B, C, H, W) of one size.
        reach: Rows.
    """
    images, _, height, width = inputs[0].shape
    pixels = max(STRIP_PIXELS[inputs[0].device.type] // images, 2 * LEAST * reach * width)
    parts = []
    for strip in strips(height, width, pixels, reach):
        rows = [x[..., strip.with_halo, :].contiguous(memory_format=torch.channels_last) for x in inputs]
        parts.append(strip.inner(network(*rows)))
    return torch.cat(parts, 2)


def fuse_in_turn(network: nn.Module, images: Sequence[np.ndarray]) -> np.ndarray:
    """N images (H, W) in [0, 1] to one by a network for two: the first two, then the result with the third, and so on.

    Args:
        network: Takes and gives batches (B, 1, H, W) in [0, 1]; its ``reach`` in rows, or None if every pixel sees all others.
        images: The images.
    """
    planes = [to_tensor(image, device_of(network)) for image in images]
    rows = planes[0].shape[-2] if network.reach is None else network.reach
    return to_array(reduce(lambda a, b: in_strips(network, (a, b), rows), planes))


# ------------------------------------------------------------------------------------------------- published


def from_tensorflow(arrays: dict[str, np.ndarray], names: dict[str, str]) -> dict[str, Tensor]:
    """Tensors of a TensorFlow checkpoint under our names; kernels turned from (H, W, in, out) to (out, in, H, W).

    Args:
        arrays: Of the checkpoint, by the authors' names.
        names: Our name of each parameter -> the authors'.
    """
    turned = {ours: arrays[theirs] for ours, theirs in names.items()}
    turned = {name: a.transpose(3, 2, 0, 1) if a.ndim == 4 else a for name, a in turned.items()}
    return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in turned.items()}


def truncated(unit: np.ndarray) -> np.ndarray:
    """Floats as a careless cast to 8 bits leaves them: clipped to [0, 1] and cut down to multiples of 1/255."""
    slack = 255 * np.finfo(unit.dtype).eps  # what was a whole number before the division by 255 is one again
    return np.floor(np.clip(unit, 0, 1) * 255 + slack) / 255


def stretched(image: np.ndarray) -> np.ndarray:
    """Smallest value to 0 and largest to 1, as some image writers do; a constant image becomes 0."""
    low, high = image.min(), image.max()
    return (image - low) / (high - low) if high > low else np.zeros_like(image)


# ---------------------------------------------------------------------------------------------------- colour

#: Reach of luma, its offset, reach of chroma: ``full`` as in JPEG, ``video`` keeps room above and below.
RANGES = {"full": (1.0, 0.0, 1.0), "video": (219 / 255, 16 / 255, 224 / 255)}


@lru_cache(maxsize=2)
def ycbcr_matrix(levels: str) -> np.ndarray:
    """(3, 3) from RGB in [0, 1] to luma, less its offset, and the two chromas about 0; ITU-R BT.601."""
    luma_reach, _, chroma_reach = RANGES[levels]
    luma = np.array([0.299, 0.587, 0.114])
    blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - luma[2]))
    red = (np.array([1, 0, 0]) - luma) / (2 * (1 - luma[0]))
    return np.stack([luma_reach * luma, chroma_reach * blue, chroma_reach * red])


def through_luma(
    stack: FocusStack,
    fuse: Callable[[list[np.ndarray]], np.ndarray],
    started: float,
    method: str,
    *,
    levels: str = "full",
    in_bytes: bool = False,
) -> FusionResult:
    """The result of a network that knows one channel: it fuses luma, and each chroma counts by its distance from gray.

    Args:
        stack: N images, gray or colour.
        fuse: From N lumas (H, W), float32 in [0, 1], to the fused one.
        started: Clock time when the method began.
        method: Its name.
        levels: ``"full"`` or ``"video"``: range of the luma of colour images. Gray ones are taken as they are.
        in_bytes: Whether the three terms of luma are rounded to 8 bits each before they are added, as programs do that compute
            with 8-bit images; it adds noise of half a gray level.
    """
    images = to_unit(stack.images)
    if not stack.is_colour:
        return FusionResult.finish(stack, fuse(list(images)), None, started, method)
    matrix, offset = ycbcr_matrix(levels).astype(np.float32), np.float32(RANGES[levels][1])
    parts = images @ matrix.T
    lumas = np.floor(255 * images * matrix[0] + 0.5).sum(-1) / np.float32(255) if in_bytes else parts[..., 0]
    luma = fuse(list(lumas + offset)) - offset
    chroma = parts[..., 1:]
    weight = np.abs(chroma)
    mixed = (weight * chroma).sum(0) / np.maximum(weight.sum(0), np.finfo(np.float32).tiny)
    fused = np.concatenate([luma[..., None], mixed], -1) @ np.linalg.inv(matrix).T
    return FusionResult.finish(stack, fused, None, started, method)
