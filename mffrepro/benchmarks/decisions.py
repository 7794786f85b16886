"""Compare decision maps, and score the images that they make.

References: [ma2022gacn], Fig. 6. Chapter: 07_gacn.
"""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter

from mffrepro.baselines.channels import fuse_by_decision
from mffrepro.baselines.sml import modified_laplacian
from mffrepro.fusion.regions import majority, remove_small
from mffrepro.images import FocusStack, FusionResult, from_unit, to_gray, to_unit
from mffrepro.methods import fuse
from mffrepro.metrics import evaluate
from mffrepro.models.gacn import GACN, GacnComparer
from mffrepro.training.studies.gacn_losses import noise

#: Regions under this share of the image are islands.
ISLAND = 0.01


def decision_stages(pair: FocusStack, *, device: str = "auto") -> dict[str, np.ndarray]:
    """Compute the decision maps of four methods before and after cleaning.

    Args:
        pair: Two images.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``, for the networks.

    Returns:
        Method and stage -> decision (2, H, W). GACN has three stages: its initial map, the same without islands, its final map.
    """
    unit = to_unit(pair.images, np.float64)
    grays = 255 * (to_gray(unit) if pair.is_colour else unit)
    sharper = np.argmax([uniform_filter(modified_laplacian(gray), 7) for gray in grays], 0)
    initial = _winner(pair, "gacn", smooth_boundary=False, device=device)
    return {
        "sml, raw": _shares(sharper),
        "sml, cleaned": _shares(remove_small(majority(sharper, 3), ISLAND * sharper.size)),
        "sesf, raw": _shares(_winner(pair, "sesf", post_processing="none", device=device)),
        "sesf, cleaned": fuse(pair, "sesf", device=device).decision,
        "cnn_fuse, raw": _shares(_winner(pair, "cnn_fuse", smallest=0, radius=0, device=device)),
        "cnn_fuse, cleaned": fuse(pair, "cnn_fuse", device=device).decision,
        "gacn, initial": _shares(initial),
        "gacn, islands removed": _shares(remove_small(initial, ISLAND * initial.size)),
        "gacn, final": fuse(pair, "gacn", device=device).decision,
    }


def _winner(pair: FocusStack, method: str, **options) -> np.ndarray:
    """Return the number (H, W) of the source with the larger share."""
    return fuse(pair, method, **options).decision.argmax(0)


def _shares(winner: np.ndarray) -> np.ndarray:
    return (winner == np.arange(2)[:, None, None]).astype(np.float32)


def decisions_by_band(
    network: GACN, pairs: Sequence[FocusStack], bands: Mapping[str, tuple[float, float]]
) -> list[dict[str, np.ndarray]]:
    """Compute the decision maps of GACN with other boundary bands.

    The network itself stays as it is.


    Args:
        network: GACN.
        pairs: Two images each.
        bands: Label -> lower and upper limit of the blurred map in the band, see `GACN.smooth_boundary`.

    Returns:
        For each pair, label -> decision (2, H, W).
    """
    comparers = {}
    for label, band in bands.items():
        copied = copy.deepcopy(network)
        copied.band = band
        comparers[label] = GacnComparer(copied)
    found = []
    for pair in pairs:
        features = [GacnComparer(network).extract(to_unit(image)) for image in pair.images]
        finals = {label: comparer.decide(*features)[0] for label, comparer in comparers.items()}
        found.append({label: np.stack([final, 1 - final]) for label, final in finals.items()})
    return found


def score_decision(stack: FocusStack, decision: np.ndarray, metrics: Sequence[str]) -> dict[str, float]:
    """Score the image that a decision map makes, and the noise of the map.

    Args:
        stack: The sources.
        decision: (N, H, W), the share of each source per pixel.
        metrics: Names of metrics.

    Returns:
        The metrics, and the ``regions`` and ``variation`` of `mffrepro.training.studies.gacn_losses.noise`.
    """
    image, shares = fuse_by_decision(stack, decision)
    result = FusionResult(from_unit(image, stack.images.dtype), shares, 0.0, "decision")
    return evaluate(stack, result, list(metrics)) | noise(shares[0])


def mean_scores(
    stacks: Sequence[FocusStack], decisions: Sequence[Mapping[str, np.ndarray]], metrics: Sequence[str]
) -> pd.DataFrame:
    """Average `score_decision` over stacks: a row per label of the decision maps.

    Args:
        stacks: The sources.
        decisions: For each stack, label -> decision (N, H, W); the labels of all stacks are the same.
        metrics: Names of metrics.
    """
    rows = [
        {"map": label, **score_decision(stack, decision, metrics)}
        for stack, maps in zip(stacks, decisions, strict=True)
        for label, decision in maps.items()
    ]
    return pd.DataFrame(rows).groupby("map", sort=False).mean()
