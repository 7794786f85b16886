"""Measure the patch classifiers on pairs of known decision.

They are icacs18 and CNN-Fuse; the reference is known too.

The pairs are made of the 100 photographs of BSDS500 that no weights of this package were trained on (they chose the best epoch).

References: [li2018icacs], [liu2017cnn]. Chapters: 05_icacs18, 06_cnnwt.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from scipy.ndimage import label, uniform_filter

from mffrepro.benchmarks.contrast import fit_contrast, with_contrast
from mffrepro.benchmarks.decisions import ISLAND
from mffrepro.benchmarks.measurements import Measurement
from mffrepro.benchmarks.record import read_record
from mffrepro.data import LabelledImage, draw_mask, load, load_regions
from mffrepro.data.lens import disc_blur
from mffrepro.data.manifests import manifest_folder
from mffrepro.data.synthetic import composite, gaussian_blur
from mffrepro.fusion.decision import extract_all, fuse_by_decision
from mffrepro.fusion.regions import remove_small
from mffrepro.images import FocusStack, to_gray, to_unit
from mffrepro.methods import fuse, load_network
from mffrepro.metrics.diagnostics import border_errors, local_variance
from mffrepro.metrics.scoring import Scorer, evaluate
from mffrepro.models import cnn_fuse, icacs18
from mffrepro.models.feature_maps import correlations, feature_maps, shrink_to
from mffrepro.training.cnn_fuse import CnnFuseRecipe
from mffrepro.training.patches import PatchPairs
from mffrepro.training.studies.patches import accuracy
from mffrepro.training.studies.subbands import METRICS

COUNT = 30
#: Times that the blur of standard deviation 2 is applied: the middle of the five levels.
LEVEL = 3
#: Tries for a mask with one region on either side, as the printed cleaning expects.
TRIES = 20
#: Variances on 0..255 below which a place is plain, and over which it is detailed; the first is that of the training patches.
PLAIN, DETAILED = 25.0, 400.0
PATCH = 16
#: Quantile of the correlations of the maps of a layer that stands for the layer.
TYPICAL = 0.75
#: Pairs of patches of each photograph and blur.
PATCHES = 40
CLEANINGS = {
    "small cancelled": {"dilate": 0},
    "small cancelled, dilated": {},
    "all but one cancelled": {"cancel": 1.0, "dilate": 0},
    "as printed": {"cancel": 1.0},
}
#: Rivals of icacs18 as its table names them, and here.
PRINTED = {"DWT": "dwt", "LPT": "lp", "NSCT": "nsct", "NSST": "nsst"}
RIVALS = tuple(PRINTED.values())

#: Levels of the wavelet rule without a network: that of the networks on sub-bands, and those of classical fusion.
LEVELS = (1, 4)

Values = dict[str, dict[str, float]]

#: Blurs that the training does not have: Gaussians between and beyond its levels, and discs.
BLURS = {f"sigma {s:g}": (gaussian_blur, s) for s in (0.5, 1.0, 1.5, 2.5, 4.0, 5.0)} | {
    f"disc {r}": (disc_blur, r) for r in (1, 2, 3, 4, 5, 6)
}


def made_pairs(count: int = COUNT, *, one_region: bool = True) -> Iterator[FocusStack]:
    """Make pairs with a hard outline.

    Args:
        count: Number of pairs; photographs that allow no such mask are passed over.
        one_region: Only masks with one region in front and one behind; otherwise the first mask that is drawn, as in training.
    """
    made, mask_of = 0, _one_region_each if one_region else draw_mask
    for number, photograph in enumerate(load_regions("bsds500", split="val")):
        mask = mask_of(photograph, np.random.default_rng(number))
        if mask is not None and made < count:
            made += 1
            images = composite(photograph.image, mask, 2.0, size=7, level=LEVEL)
            truth = np.stack([mask, ~mask]).astype(np.float32)
            yield FocusStack(photograph.name, images, reference=photograph.image, decision=truth)


def _one_region_each(photograph: LabelledImage, rng: np.random.Generator) -> np.ndarray | None:
    masks = (draw_mask(photograph, rng) for _ in range(TRIES))
    return next((mask for mask in masks if label(mask)[1] == label(~mask)[1] == 1), None)


def cleaning(pair: FocusStack) -> Values:
    """Score the map of icacs18 before and after each cleaning.

    Its rivals are scored near the border, where the copy by the true decision is the reference itself (C2.4, C2.8).
    """
    comparer = icacs18.comparer(load_network("icacs18"))
    features = extract_all(pair, comparer)
    focus = comparer.focus(*features)
    found = {"pre-decision": focus > 0.5} | {name: icacs18.final_decision(focus, **how) for name, how in CLEANINGS.items()}
    scorer = Scorer(pair, metrics=["mask_accuracy", "boundary_f", "qabf", "psnr"])
    values = {}
    for name, shares in found.items():
        result = fuse_by_decision(pair, shares)
        values[name] = scorer(result) | border_errors(pair, result.image)
    both = comparer.scores(*features) + comparer.scores(*features[::-1])
    values["pre-decision"]["|s1 + s2 - 1|"] = float(np.abs(both - 1).mean())
    return values | {method: border_errors(pair, fuse(pair, method).image) for method in RIVALS}


def enough(pair: FocusStack) -> Values:
    """Score the map of icacs18 before and after the printed cleaning.

    After more cleaning, too, which gives regions of either source under a hundredth of the image to the other one (C2.9).
    """
    comparer = icacs18.comparer(load_network("icacs18"))
    found = comparer.focus(*extract_all(pair, comparer))
    printed = icacs18.final_decision(found, cancel=1.0)
    maps = {"pre-decision": found > 0.5, "as printed": printed, "by default": icacs18.final_decision(found)}
    maps["printed and both sides"] = remove_small(printed > 0.5, ISLAND * printed.size)
    scorer = Scorer(pair, metrics=["mask_accuracy", "boundary_f", "qabf", "psnr"])
    values = {name: scorer(fuse_by_decision(pair, shares)) for name, shares in maps.items()}
    values["pre-decision"]["regions behind"] = float(label(pair.decision[1], np.ones((3, 3)))[1])
    return values


def layers(pair: FocusStack) -> Values:
    """Compute how like the decision the layers of CNN-Fuse are (C3.5).

    A map is described by the correlation of its difference between the sources, a layer by the quantile `TYPICAL` of its maps,
    which does not grow with their number.
    """
    network, grays = load_network("cnn_fuse"), [to_gray(to_unit(image)) for image in pair.images]
    values = {}
    for i, (a, b) in enumerate(zip(*(feature_maps(network, gray) for gray in grays), strict=True), start=1):
        alike = correlations(np.abs(a) - np.abs(b), shrink_to(pair.decision[0], a.shape[1:]))
        values[f"conv {i}"] = {"likeness": float(np.quantile(alike, TYPICAL)), "maps": float(len(alike))}
    return values


def focus(pair: FocusStack) -> Values:
    """Describe the maps of CNN-Fuse by texture and by step (C3.6 to C3.9)."""
    network = load_network("cnn_fuse")
    comparer = cnn_fuse.comparer(network)
    features = extract_all(pair, comparer)
    found = comparer.focus(*features)
    truth = pair.decision[0]
    values = {}
    shared = uniform_filter(truth.astype(np.float64), 2 * PATCH + 1)
    whole = (shared < 1e-3) | (shared > 1 - 1e-3)  # no patch that covers the pixel holds the border
    variance, right = local_variance(pair.reference, PATCH), (found > 0.5) == (truth > 0.5)
    for name, place in {"plain": variance < PLAIN, "detailed": variance >= DETAILED}.items():
        where = whole & place
        if where.sum() >= PATCH**2:
            values[name] = {"|M - 0.5|": float(np.abs(found - 0.5)[where].mean()), "right": float(right[where].mean())}
    initial = {"threshold alone": cnn_fuse.segment(found, smallest=0), "no small regions": cnn_fuse.segment(found)}
    steps = initial | {"filtered": cnn_fuse.soften(initial["no small regions"], features[0].gray, features[1].gray)}
    scorer = Scorer(pair, metrics=["mask_accuracy", "qabf", "psnr"])
    for name, shares in steps.items():
        result = fuse_by_decision(pair, shares)
        values[name] = scorer(result) | border_errors(pair, result.image)
    return values


def blurs(pair: FocusStack) -> Values:
    """Compute the accuracy of CNN-Fuse on patches, by blur."""
    network, recipe = load_network("cnn_fuse"), CnnFuseRecipe(border="context")
    photograph = LabelledImage(pair.name, lambda: pair.reference, lambda: ())
    draw = partial(PatchPairs, [photograph], recipe.show, length=PATCHES, side=recipe.crop_side(), patch=recipe.patch, seed=1)
    values = {"the five levels": {"accuracy": accuracy(network, draw(levels=(1, 2, 3, 4, 5)))}}
    for name, (blur, strength) in BLURS.items():
        values[name] = {"accuracy": accuracy(network, draw(levels=(strength,), blur=blur))}
    return values


def clocks(pair: FocusStack) -> Values:
    """Score the methods of icacs18's Table 1 on the public clocks.

    Also at the contrast of the table (C2.1 to C2.3).
    """
    printed = pd.read_csv(manifest_folder() / "papers" / "reported" / "p002_table1.csv")
    table = printed.pivot(index="method", columns="metric", values="value").rename(index=PRINTED)
    table = table.rename(columns=str.lower).loc[list(RIVALS)]
    contrast = fit_contrast(table, read_record("gacn26")).loc[pair.name, "contrast"]
    values = {}
    for which, stack in {"": pair, ", dimmed": with_contrast(pair, contrast)}.items():
        scorer = Scorer(stack, metrics=["en", "ag", "sd", "sf"])
        for method in (*RIVALS, "icacs18.printed", "icacs18"):
            values[f"{method}{which}"] = scorer(fuse(stack, method).image) | {"contrast": contrast if which else 1.0}
    return values


def _the_clocks() -> list[FocusStack]:
    return [load("gacn26")["mwg_clock"]]


def rules(pair: FocusStack) -> Values:
    """Score the wavelet rule without a network, by its levels (C3.11)."""
    return {f"{levels} level{'s' * (levels > 1)}": evaluate(pair, fuse(pair, "dwt", levels=levels), METRICS) for levels in LEVELS}


MEASURED = {function.__name__: Measurement(function, made_pairs) for function in (cleaning, focus, layers, blurs)}
MEASURED["enough"] = Measurement(enough, partial(made_pairs, one_region=False))
MEASURED["clocks"] = Measurement(clocks, _the_clocks)
MEASURED["rules"] = Measurement(rules, partial(load, "gacn26"))
