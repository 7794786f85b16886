"""Fuse many images with GACN by ranking them pixel by pixel and deciding once between the first two ranks.

Features of every image are extracted once. Which image stands first in the stack matters only where two are equally clear. The
borders between the winners are smoothed together, as GACN smooths the border between two images: guided filtering is linear in
the map, so that the shares still add up to 1.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.fusion.guided import guided_filter
from mffrepro.fusion.multi_image import UnitImages
from mffrepro.images import Frames, Shares, to_gray, to_unit
from mffrepro.images.frames import rows_of
from mffrepro.images.shares import NOTHING
from mffrepro.images.spool import spooled
from mffrepro.models.gacn import inference
from mffrepro.models.gacn.inference import Features, GacnComparer
from mffrepro.progress import portion, steps
from mffrepro.threads import in_threads
from mffrepro.tiling import Strip, strips

#: Half width of the window that the activity level is averaged in for the ranking: noise would rank single pixels at random.
CLARITY_RADIUS = 3
#: The guided filter of the borders. GACN smooths the border between two images over 7x7 pixels; borders between many lie closer
#: together, and 5x5 keep more of what is sharp beside them.
BLEND_RADIUS, BLEND_EPS = 2, 0.1
#: Pixels of a strip there, which stays in the processor's cache.
BLEND_PIXELS = 2**15
#: Share of the time that the weights of channel attention take, before the bands.
EXTRACTING = 0.4


class Rank(NamedTuple):
    """Hold one image per pixel: its features, how clear it is, and its number."""

    features: Features
    clarity: np.ndarray
    source: np.ndarray


def rank(images: Sequence[np.ndarray], comparer: GacnComparer) -> tuple[np.ndarray, Shares]:
    """Fuse images by ranking them pixel by pixel.

    Args:
        images: N >= 2 of (H, W) or (H, W, 3), of any type.
        comparer: GACN.

    Returns:
        The fused image, and the share of each source per pixel.
    """
    winner = winners((comparer.extract(image) for image in steps(UnitImages(images))), comparer)
    return composite(images, winner, smooth=comparer.boundary != "none")


def rank_in_bands(images: np.ndarray | Frames, comparer: GacnComparer) -> tuple[np.ndarray, Shares]:
    """Fuse large images (N, H, W[, 3]) as `rank` does, band by band of rows."""
    halo = inference.DECISION_HALO + inference.ACTIVITY_HALO + CLARITY_RADIUS
    images = spooled(images)  # every band needs rows of each
    with portion(0, EXTRACTING):
        weights = [comparer.extract(image).weights for image in steps(UnitImages(images))]
    winner = np.empty(images.shape[1:3], np.int32)

    def extract(band: Strip) -> Iterator[Features]:
        for number, known in enumerate(weights):
            with torch.inference_mode():
                gray = comparer.gray(to_unit(rows_of(images, number, band.with_halo)))
                features = Features(gray, inference.activity_in_strips(comparer.network, gray, known))
            yield features

    bands = list(strips(*winner.shape, inference.BAND_PIXELS, halo=halo))
    with portion(EXTRACTING, 1):
        for band in steps(bands, unit="band"):
            winner[band.rows] = band.crop(winners(extract(band), comparer))
    return composite(images, winner, smooth=comparer.boundary != "none")


def winners(features: Iterable[Features], comparer: GacnComparer) -> np.ndarray:
    """Choose the number (H, W) of the image that wins at each pixel.

    Of the two clearest images it is the one that GACN decides for.
    """
    ranks: list[Rank] = []
    for i, new in enumerate(features):
        measured = clarity(new.activity)
        rank = Rank(new, measured, np.full(measured.shape, i, np.int32))
        if len(ranks) < 2:
            ranks.append(rank._replace(features=halved(new)))
        else:
            _sort(ranks[1], rank)
        if len(ranks) == 2:
            _sort(ranks[0], ranks[1])
        del new, rank  # features of large images fill the memory: free them before the next extraction
    best, second = ranks
    _, logit = comparer.decide(best.features, second.features)
    return np.where(logit >= 0, best.source, second.source)


@torch.inference_mode()
def clarity(activity: Tensor) -> np.ndarray:
    """Measure how clear each pixel (H, W) is.

    It is the mean activity level of all maps over windows of 7x7.
    """
    padded = F.pad(activity.mean(1, keepdim=True), (CLARITY_RADIUS,) * 4, mode="replicate")
    return F.avg_pool2d(padded, 2 * CLARITY_RADIUS + 1, 1)[0, 0].cpu().numpy()


@torch.inference_mode()
def halved(features: Features) -> Features:
    """Store activity levels in half precision.

    11 bits tell two images apart, and two sets then take the memory of one.
    """
    return features._replace(activity=features.activity.clamp_(max=torch.finfo(torch.half).max).half())


def _sort(above: Rank, below: Rank) -> None:
    """Exchange two ranks in place at the pixels where the lower one is clearer."""
    where = below.clarity > above.clarity
    _exchange(above.features, below.features, where)
    for ours, theirs in ((above.clarity, below.clarity), (above.source, below.source)):
        ours[where], theirs[where] = theirs[where], ours[where]


@torch.inference_mode()
def _exchange(first: Features, second: Features, where: np.ndarray) -> None:
    pixels = torch.from_numpy(np.flatnonzero(where)).to(first.gray.device)
    for ours, theirs in zip(first[:2], second[:2], strict=True):
        ours, theirs = (x[0].permute(1, 2, 0).view(-1, x.shape[1]) for x in (ours, theirs))  # all maps of a pixel lie together
        for some in pixels.split(2**15):
            ours[some], theirs[some] = theirs[some].to(ours.dtype), ours[some].to(theirs.dtype)


def composite(images: Sequence[np.ndarray], winner: np.ndarray, *, smooth: bool) -> tuple[np.ndarray, Shares]:
    """Composite the image that `winner` selects at each pixel.

    Args:
        images: N of (H, W) or (H, W, 3), of any type.
        winner: (H, W), numbers of images.
        smooth: Whether to filter the shares by a guided filter.

    Returns:
        The image, float32 in [0, 1], and the share of each source per pixel.
    """
    shares = Shares.of_winner(winner, len(images))
    if smooth:
        chosen = shares.blend(images)
        shares = soften(winner, to_gray(chosen) if chosen.ndim == 3 else chosen, len(images))
        del chosen
    return shares.blend(images), shares


def soften(winner: np.ndarray, guide: np.ndarray, count: int) -> Shares:
    """Smooth the borders between the winners by a guided filter.

    Args:
        winner: (H, W), numbers of images.
        guide: (H, W), the fused image in gray.
        count: How many images there are.
    """

    def soften_strip(strip: Strip) -> tuple[np.ndarray, Shares]:
        numbers = winner[strip.with_halo]
        present = np.unique(numbers)
        masks = ((numbers == i).astype(np.float32) for i in present)
        soft = (guided_filter(guide[strip.with_halo], mask, radius=BLEND_RADIUS, eps=BLEND_EPS) for mask in masks)
        planes = np.stack([strip.crop(one).clip(0, 1).astype(np.float32, copy=False) for one in soft])
        return present, Shares.of_planes(planes / planes.sum(0))

    parts = list(strips(*winner.shape, BLEND_PIXELS, halo=2 * BLEND_RADIUS))
    main, mixed = np.empty_like(winner), [([], []) for _ in range(count)]
    for strip, (present, shares) in zip(parts, in_threads(soften_strip, parts), strict=True):
        main[strip.rows] = present[shares.main]
        for source, (pixels, values) in zip(present, shares.mixed, strict=True):
            mixed[source][0].append(strip.rows.start * winner.shape[1] + pixels)
            mixed[source][1].append(values)
    return Shares(main, [tuple(map(np.concatenate, lists)) if lists[0] else NOTHING for lists in mixed])
