"""Compare decision maps, and score the images that they make.

References: [ma2022gacn], Fig. 6. Chapter: 07_gacn.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import uniform_filter

from mffrepro.benchmarks.scores import score_decisions
from mffrepro.fusion.decision import extract_all
from mffrepro.fusion.laplacian import modified_laplacian
from mffrepro.fusion.regions import majority, remove_small
from mffrepro.images import FocusStack, to_gray, to_unit
from mffrepro.methods import fuse
from mffrepro.models.gacn import GACN, GacnComparer
from mffrepro.training.studies.gacn_scores import noise

#: Regions under this share of the image are islands.
ISLAND = 0.01


def decision_stages(pair: FocusStack, *, gacn: str = "gacn", sesf: str = "sesf", device: str = "auto") -> dict[str, np.ndarray]:
    """Compute the decision maps of four methods before and after cleaning.

    Args:
        pair: Two images.
        gacn: GACN and its weights, such as ``"gacn.published"``.
        sesf: SESF-Fuse and its weights.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``, for the networks.

    Returns:
        Method and stage -> decision (2, H, W). GACN has four stages: initial and final map, each with and without islands.
    """
    unit = to_unit(pair.images, np.float64)
    grays = 255 * (to_gray(unit) if pair.is_colour else unit)
    sharper = np.argmax([uniform_filter(modified_laplacian(gray), 7) for gray in grays], 0)
    initial = _winner(pair, gacn, smooth_boundary=False, device=device)
    final = fuse(pair, gacn, device=device).decision
    return {
        "sml, raw": _shares(sharper),
        "sml, cleaned": _shares(remove_small(majority(sharper, 3), ISLAND * sharper.size)),
        "sesf, raw": _shares(_winner(pair, sesf, post_processing="none", device=device)),
        "sesf, cleaned": fuse(pair, sesf, device=device).decision,
        "cnn_fuse, raw": _shares(_winner(pair, "cnn_fuse", smallest=0, radius=0, device=device)),
        "cnn_fuse, cleaned": fuse(pair, "cnn_fuse", device=device).decision,
        "gacn, initial": _shares(initial),
        "gacn, islands removed": _shares(remove_small(initial, ISLAND * initial.size)),
        "gacn, final": final,
        "gacn, final without islands": _without_islands(final),
    }


def _without_islands(decision: np.ndarray) -> np.ndarray:
    """Give the islands of a soft decision (2, H, W) to the other source; the rest stays."""
    winner = decision.argmax(0)
    kept = remove_small(winner, ISLAND * winner.size)
    return np.where(kept == winner, decision, _shares(kept))


def _winner(pair: FocusStack, method: str, **options) -> np.ndarray:
    """Return the number (H, W) of the source with the larger share."""
    return fuse(pair, method, **options).decision.argmax(0)


def _shares(winner: np.ndarray) -> np.ndarray:
    return (winner == np.arange(2)[:, None, None]).astype(np.float32)


class Steps(NamedTuple):
    """Hold what GACN computes between two photographs and their decision map.

    Attributes:
        activity: Activity level of the first image minus that of the second, mean over the channels, (H, W).
        logit: The decision before the sigmoid, (H, W), above 0 where the first image is sharper.
        initial: Sigmoid of the logit, (H, W) in [0, 1].
        final: The map with a smooth boundary, (H, W).
    """

    activity: np.ndarray
    logit: np.ndarray
    initial: np.ndarray
    final: np.ndarray


def gacn_steps(pair: FocusStack, network: GACN) -> Steps:
    """Decide between two images by GACN and keep every step.

    Args:
        pair: Two images.
        network: GACN.
    """
    first, second = extract_all(pair, GacnComparer(network))
    with torch.inference_mode():
        maps = network.decide(first.gray, second.gray, first.activity, second.activity)
        activity = (first.activity - second.activity).mean(1, keepdim=True)
    return Steps(*(one[0, 0].cpu().numpy() for one in (activity, *maps)))


def decisions_by_band(network: GACN, pair: FocusStack, bands: Mapping[str, tuple[float, float]]) -> dict[str, np.ndarray]:
    """Compute the decision maps of GACN with other boundary bands.

    The network itself stays as it is.

    Args:
        network: GACN.
        pair: Two images.
        bands: Label -> lower and upper limit of the blurred map in the band, see `GACN.smooth_boundary`.

    Returns:
        Label -> share (H, W) of the first image.
    """
    features, found = extract_all(pair, GacnComparer(network)), {}
    for label, band in bands.items():
        copied = copy.deepcopy(network)
        copied.band = band
        found[label], _ = GacnComparer(copied).decide(*features)
    return found


def score_and_noise(
    pairs: Sequence[FocusStack], decide: Callable[[FocusStack], Mapping[str, np.ndarray]], metrics: Sequence[str]
) -> pd.DataFrame:
    """Average the scores of images by decision maps, and the noise of the maps.

    Args:
        pairs: Two images each.
        decide: From a pair to its decision maps by label, see `mffrepro.benchmarks.scores.score_decisions`.
        metrics: Names of metrics.

    Returns:
        A row per label: the metrics, and ``regions`` and ``variation`` of `mffrepro.training.studies.gacn_scores.noise`.
    """
    maps = {pair.name: decide(pair) for pair in pairs}
    scores = score_decisions(pairs, lambda pair: maps[pair.name], metrics)
    noises = [
        {"decision": label} | noise(share if share.ndim == 2 else share[0])
        for labelled in maps.values()
        for label, share in labelled.items()
    ]
    return scores.join(pd.DataFrame(noises).groupby("decision", sort=False).mean())
