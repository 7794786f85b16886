r"""ZMFF: networks that have learnt nothing are fitted to one stack, and what the first of them paints is the result.

An hourglass of convolutions paints what photographs look like long before it paints noise, a *deep image prior*. One sees the
lumas of all sources and paints the fused luma :math:`F`. One more for each source sees noise and paints its mask
:math:`M_n`. All are fitted at once, first to agree with each other and with a map :math:`S_n` of the pixels where the source
is sharpest, then to agree with each other in structure:

.. math:: L_1 = \operatorname{mean}|F - \textstyle\sum_n M_n Y_n| + \frac{20}{N} \sum_n \operatorname{mean}|M_n - S_n|, \qquad
    L_2 = 1 - \operatorname{SSIM}(F, \textstyle\sum_n M_n Y_n)

What we changed: any number of sources; chroma from all of them, and no cutting off to 8 bits (``as_published=True``); without
the outputs of coarser scales, which nothing reads.

References: [hu2023zmff], prior of [ulyanov2018]. Chapter: 08_networks.
"""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.errors import OptionError
from mffrepro.images import FocusStack
from mffrepro.losses.ssim import ssim_loss
from mffrepro.models.layers import to_array, to_tensor, truncated
from mffrepro.models.luma import through_luma
from mffrepro.models.weights import pick_device

#: Maps of every convolution, of every skip, and the slope of the leaky ReLU below 0.
WIDTH, SKIP, SLOPE = 128, 16, 0.2
#: Scales of the network that paints the image, and of those that paint the masks.
IMAGE_SCALES, MASK_SCALES = 5, 3
#: Maps of noise that a mask is painted from, their range, and the standard deviation of the noise added in every step.
NOISE, NOISE_RANGE, JITTER = 2, 0.1, 1e-3
#: Weight of the maps of sharpness.
PRIOR = 20
#: The rate is halved after these steps.
HALVED = (200, 400, 800)


class Down(nn.Module):
    """Halve the size by two convolutions, both normalised by one layer."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.halve, self.conv, self.norm = _conv(inputs, WIDTH, stride=2), _conv(WIDTH, WIDTH), nn.BatchNorm2d(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, 128, H / 2, W / 2), rounded up."""
        return _leaky(self.norm(self.conv(_leaky(self.norm(self.halve(x))))))


class Up(nn.Module):
    """Join the maps of a scale with coarser ones, and double the size."""

    def __init__(self) -> None:
        super().__init__()
        self.joined, self.conv, self.norm = nn.BatchNorm2d(SKIP + WIDTH), _conv(SKIP + WIDTH, WIDTH), nn.BatchNorm2d(WIDTH)

    def forward(self, skip: Tensor, coarser: Tensor) -> Tensor:
        """Return maps (B, 128, 2 H, 2 W).

        `skip` is (B, 16, H, W); `coarser` may be a row or column larger.
        """
        height, width = skip.shape[-2:]
        joined = self.joined(torch.cat([skip, coarser[..., :height, :width]], 1))
        doubled = F.interpolate(joined, scale_factor=2, mode="bilinear", align_corners=False)
        return _leaky(self.norm(self.conv(doubled)))


class Hourglass(nn.Module):
    """Paint a gray image (B, 1, H, W) in [0, 1] from maps (B, C, H, W).

    Batch normalisation takes the statistics of the image itself, always.

    Args:
        inputs: C.
        scales: How often the size is halved. Sides have more than 2^scales pixels, so that there is something to mirror.
    """

    def __init__(self, inputs: int, scales: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(Down(WIDTH if i else inputs) for i in range(scales))
        self.skip = nn.ModuleList(nn.Conv2d(WIDTH, SKIP, 1, bias=False) for _ in range(scales))
        self.skip_norm = nn.BatchNorm2d(SKIP)  # one for all scales
        self.up = nn.ModuleList(Up() for _ in range(scales))
        self.paint = nn.Conv2d(WIDTH, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Paint the image."""
        size, downs = x.shape[-2:], []
        for down in self.down:
            x = down(x)
            downs.append(x)
        for maps, skip, up in reversed([*zip(downs, self.skip, self.up, strict=True)]):
            x = up(_leaky(self.skip_norm(skip(maps))), x)
        return F.interpolate(torch.sigmoid(self.paint(x)), size=size, mode="bilinear", align_corners=False)


def sharpness_maps(lumas: Tensor) -> Tensor:
    """Mark the pixels where a source differs most from itself blurred twice.

    The lumas are (N, 1, H, W); so are the maps, 1 or 0. Where sources are equally sharp, all of them have 1.
    """
    blur = lumas.new_tensor([[0.0947, 0.1183, 0.0947], [0.1183, 0.1478, 0.1183], [0.0947, 0.1183, 0.0947]])[None, None]
    detail = (lumas - F.conv2d(F.conv2d(lumas, blur, padding=1), blur, padding=1)).abs()
    return (detail == detail.amax(0)).to(lumas.dtype)


class Fit:
    """Hold the networks of one stack, and fit them.

    Args:
        lumas: (N, 1, H, W) in [0, 1], on the device where the work is to be done.
        rate: Of Adam, at first.
        seed: Of the weights and of the noise.
    """

    def __init__(self, lumas: Tensor, *, rate: float = 0.01, seed: int = 17) -> None:
        self.lumas, self.maps, self.rate = lumas, sharpness_maps(lumas), rate
        self.random = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.image = Hourglass(len(lumas), IMAGE_SCALES).to(lumas)
            mask = Hourglass(NOISE, MASK_SCALES).to(lumas)
        # As in the authors' program all masks have the same noise and weights at first: only their targets tell them apart.
        self.masks = nn.ModuleList(copy.deepcopy(mask) for _ in lumas)
        noise = torch.rand((1, NOISE, *lumas.shape[-2:]), generator=self.random)
        self.noise = NOISE_RANGE * noise.to(lumas)

    def run(self, steps: tuple[int, int]) -> Iterator[tuple[float, Tensor]]:
        """Yield the loss and the image (1, 1, H, W) of each step.

        Both are those before the networks change.
        """
        optimiser = torch.optim.Adam([*self.image.parameters(), *self.masks.parameters()], lr=self.rate)
        for step in range(sum(steps)):
            optimiser.param_groups[0]["lr"] = self.rate * 0.5 ** sum(step > halved for halved in HALVED)
            optimiser.zero_grad()
            image = self.image(self._jitter(self.lumas.transpose(0, 1)))
            masks = torch.cat([mask(self._jitter(self.noise)) for mask in self.masks])
            loss = self.loss(image, masks, structure=step >= steps[0])
            loss.backward()
            optimiser.step()
            yield loss.item(), image.detach()

    def loss(self, image: Tensor, masks: Tensor, *, structure: bool) -> Tensor:
        """Compute L_1, or L_2 for structure.

        The image is (1, 1, H, W), the masks are (N, 1, H, W).
        """
        composed = (masks * self.lumas).sum(0, keepdim=True)
        if structure:
            return ssim_loss(image, composed, pad=True).mean()
        return F.l1_loss(image, composed) + PRIOR * F.l1_loss(masks, self.maps)

    def _jitter(self, x: Tensor) -> Tensor:
        return x + JITTER * torch.randn(x.shape, generator=self.random).to(x)


def fuse(
    stack: FocusStack,
    *,
    device: str = "auto",
    steps: tuple[int, int] = (600, 700),
    rate: float = 0.01,
    seed: int = 17,
    as_published: bool = False,
) -> tuple[np.ndarray, None]:
    """Fit one network that paints the fused luma, and one for the mask of each source.

    A step takes seconds on a CPU for a pair of 520x520, and all of them hours. Published steps take minutes on a GPU.

    Args:
        stack: N >= 2 images, sides at least 33 pixels, gray or colour.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        steps: Steps of Adam with L_1, and then with L_2.
        rate: Of Adam, over 0; it is halved after 200, 400 and 800 steps.
        seed: Of the weights and of the noise. Another seed gives another image.
        as_published: Take the chroma of the first source, and cut luma off to 8 bits, as the authors' program does.

    Returns:
        The fused image; no decision map, since every pixel is painted.

    Raises:
        OptionError: There are no steps, or they have no length.

    References:
        [hu2023zmff].
    Chapter: 08_networks
    """
    if len(steps) != 2 or min(steps) < 0 or sum(steps) < 1 or rate <= 0:
        raise OptionError(f"steps is {steps} and rate {rate:g}; use two numbers of steps, one over 0, and a rate over 0")
    where = pick_device(device)

    def paint(lumas: list[np.ndarray]) -> np.ndarray:
        fit = Fit(torch.cat([to_tensor(luma, where) for luma in lumas]), rate=rate, seed=seed)
        *_, (_, image) = fit.run(steps)
        return truncated(to_array(image)) if as_published else to_array(image)

    return through_luma(stack, paint, chroma="first" if as_published else "all"), None


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, padding_mode="reflect", bias=False)


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE, inplace=True)
