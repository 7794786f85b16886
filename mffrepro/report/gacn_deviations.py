"""Measure what the deviations from GACN's paper change, for the table at the end of its chapter.

References: [ma2022gacn]. Chapter: 07_gacn.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from pandas.io.formats.style import Styler
from scipy.ndimage import gaussian_filter

from mffrepro.benchmarks.decisions import gacn_steps
from mffrepro.benchmarks.measurements import gains, recorded
from mffrepro.benchmarks.measurements.gacn import steepness_gaps
from mffrepro.data.manifests import manifest_folder
from mffrepro.images import FocusStack, to_gray, to_unit
from mffrepro.losses import qg_loss
from mffrepro.models.gacn import GACN
from mffrepro.report.tables import plain
from mffrepro.report.trainings import gained_by_choice
from mffrepro.training.gacn import PRESETS
from mffrepro.training.studies import table_path


def table(pair: FocusStack, network: GACN, smoothing: pd.DataFrame) -> Styler:
    """List where paper, authors' code and package differ, with the effects.

    Args:
        pair: Two colour images with a reference.
        network: GACN.
        smoothing: Means of ``qg`` and ``psnr`` of the boundary smoothing in the rows ``"published"`` and ``"paper"``.
    """
    listed = pd.read_csv(manifest_folder() / "papers" / "p004_deviations.csv")
    effects = on_pair(pair, network) | on_record() | _unmeasured()
    gained = smoothing.loc["published"] - smoothing.loc["paper"]
    effects["boundary"] = f"{gained['qg']:+.4f} Q_g, {gained['psnr']:+.2f} dB"
    return plain(listed.assign(effect=listed["effect"].map(effects))).hide(axis="index")


def on_pair(pair: FocusStack, network: GACN) -> dict[str, str]:
    """Measure the effects that show on one pair.

    Args:
        pair: Two colour images with a reference.
        network: GACN.

    Returns:
        Name in ``p004_deviations.csv`` -> effect in words.
    """
    first = gacn_steps(pair, network).initial > 0.5
    swapped = gacn_steps(replace(pair, images=pair.images[::-1], decision=None), network).initial < 0.5
    grays = np.stack([to_gray(to_unit(image), "matlab") for image in pair.images])
    other_gray = gacn_steps(replace(pair, images=grays), network).initial > 0.5
    turned = {"order": swapped, "gray": other_gray}
    effects = {name: f"{(sides != first).mean():.2%} of the pixels change sides" for name, sides in turned.items()}
    sources = [to_gray(to_unit(image, np.float64)) for image in pair.images]
    gaps = steepness_gaps(sources, np.mean(sources, 0))
    effects["steepness"] = f"{gaps[100_000] - gaps[1000]:+.1e} of the loss"
    a, b = (torch.from_numpy(gray)[None, None] for gray in sources)
    plain_loss = float(qg_loss((a, b), (a + b) / 2))
    for name, options in {"angle": {"angle": "folded"}, "reduction": {"reduction": "pixel"}}.items():
        effects[name] = f"{float(qg_loss((a, b), (a + b) / 2, **options)) - plain_loss:+.4f} of the loss"
    dark, bright = (blurred_rim(pair.reference, border) for border in ("constant", "mirror"))
    effects["frame"] = f"the outermost row of this photograph is {255 * (bright - dark):.0f} gray levels darker"
    return effects


def blurred_rim(image: np.ndarray, border: str) -> float:
    """Compute the mean of the outermost row of a blurred image.

    Args:
        image: (H, W, 3), any depth.
        border: What lies outside, a mode of `scipy.ndimage.gaussian_filter`.

    Returns:
        Mean gray value in [0, 1].
    """
    return float(gaussian_filter(to_gray(to_unit(image)), 2, mode=border, radius=7)[0].mean())


def on_record() -> dict[str, str]:
    """Read the effects that take trainings or many stacks from the records.

    Returns:
        Name in ``p004_deviations.csv`` -> effect in words.
    """
    gain = gained_by_choice(pd.read_csv(table_path("gacn_trainings"), keep_default_na=False), "qg")
    many = {way: gains(recorded("gacn_many"), "rank", way, ["psnr", "qg"]) for way in ("calibration", "serial")}
    against = (f"{more['psnr'].mean():+.1f} dB, {more['qg'].mean():+.3f} Q_g against {way}" for way, more in many.items())
    return {
        "activity": f"{gain['activity=published']:+.4f} Q_g",
        "slope": f"{gain['slope_start=1000.0 slope_epochs=0']:+.4f} Q_g",
        "strategy": "; ".join(against),
    }


def _unmeasured() -> dict[str, str]:
    pairs = {name: PRESETS[name].epochs * PRESETS[name].samples for name in ("practical", "paper")}
    return {
        "schedule": f"{pairs['practical'] / pairs['paper']:.0%} of the paper's training pairs; the effect is not measured",
        "crop": "not measured for itself",
        "augmentation": "not measured: no training without it is recorded",
        "border": "not measured for itself; part of the first row",
        "coco": "not measured: no training on COCO is recorded",
        "unpublished": "cannot be measured: there is nothing to compare with",
    }
