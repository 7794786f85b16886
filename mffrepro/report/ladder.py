"""Test metrics on a ladder of fusions from perfect to poor, where the reference is known."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import ndimage

import mffrepro as mff
from mffrepro import metrics as quality
from mffrepro.data.synthetic import gaussian_blur
from mffrepro.images import FocusStack, to_unit

#: Kinds of faults; each is ranked together with the fusion by the right decision map.
FAULTS = ("decision", "blur", "noise", "touch-up")
#: Metrics that know the reference.
REFERENCES = ("psnr", "ssim", "mask_iou")

#: Kind and name of a rung, the fused image and its decision map if it has one.
Rung = tuple[tuple[str, object], np.ndarray, np.ndarray | None]


def decision_rungs(right: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Make wrong decision maps of the right one.

    Args:
        right: (H, W) bool, True where the first source is sharp.
        rng: Generator of the ragged border and of the holes.

    Returns:
        Masks by name; the first is the right one.
    """
    waves = ndimage.gaussian_filter(rng.normal(size=right.shape), 3)
    ragged = ndimage.gaussian_filter(right.astype(float), 6) + 2 * waves > 0.5
    masks = {"right": right, "ragged": ragged, "holes": right ^ (waves > 1.7 * waves.std())}
    for pixels in (2, 5, 10):
        masks[f"grown {pixels}"] = ndimage.binary_dilation(right, iterations=pixels)
        masks[f"shrunk {pixels}"] = ndimage.binary_erosion(right, iterations=pixels)
    return masks


def spoiled_rungs(reference: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[tuple[str, object], np.ndarray]]:
    """Spoil the reference by blur, noise, contrast and sharpening.

    Args:
        reference: The sharp image, of any dtype.
        rng: Generator of the noise.

    Yields:
        Kind and strength, and the image in [0, 1].
    """
    unit = to_unit(reference, np.float64)
    for sigma in (0.5, 1, 2):
        yield ("blur", sigma), gaussian_blur(unit, sigma).clip(0, 1)
    for sigma in (2, 5, 10):
        yield ("noise", sigma), (unit + rng.normal(0, sigma / 255, unit.shape)).clip(0, 1)
    for gain in (1.1, 1.25):
        yield ("touch-up", f"contrast {gain}"), (unit.mean() + gain * (unit - unit.mean())).clip(0, 1)
    for gain in (0.5, 1.5):
        yield ("touch-up", f"sharpened {gain}"), (unit + gain * (unit - gaussian_blur(unit, 1.0))).clip(0, 1)


def rungs(stack: FocusStack, methods: Iterable[str], rng: np.random.Generator, *, device: str = "auto") -> Iterator[Rung]:
    """Make the fusions of a ladder, from perfect to poor.

    They come from wrong decision maps, spoiled references, and methods.

    Args:
        stack: Two sources, gray or colour, with a reference and the true decision map.
        methods: Names; one whose weights have not been fetched is left out with a printed sentence.
        rng: Generator of the faults.
        device: Device of the networks.
    """
    near, far = stack.images
    for name, mask in decision_rungs(stack.decision[0] > 0.5, rng).items():
        pixels = mask[..., None] if stack.is_colour else mask
        yield ("decision", name), np.where(pixels, near, far), np.stack([mask, ~mask])
    for rung, image in spoiled_rungs(stack.reference, rng):
        yield rung, image, None
    for method in methods:
        try:
            result = mff.fuse(stack, method, device=device)
        except mff.MffError as error:
            print(method, "is left out:", error)
            continue
        yield ("method", method), result.image, result.decision


def score_ladders(
    stacks: Iterable[FocusStack],
    methods: Sequence[str],
    metrics: Sequence[str],
    rng: np.random.Generator,
    *,
    device: str = "auto",
) -> pd.DataFrame:
    """Score the ladder of every stack.

    Args:
        stacks: See `rungs`.
        methods: See `rungs`.
        metrics: Names; each must have a direction.
        rng: Generator of the faults.
        device: Device of the networks.

    Returns:
        stack, kind, rung, and a column per metric and per metric of `REFERENCES`, signed so that higher is better.
    """
    records = []
    for stack in stacks:
        scorer = quality.Scorer(stack, metrics=[*metrics, "psnr", "ssim"])
        for (kind, rung), image, decision in rungs(stack, methods, rng, device=device):
            iou = {} if decision is None else mff.evaluate(stack, image, "mask_iou", decision=decision)
            records.append({"stack": stack.name, "kind": kind, "rung": rung} | scorer(image) | iou)
    table = pd.DataFrame(records)
    for name in [*metrics, *REFERENCES]:
        table[name] *= -1 if quality.get(name).better == "lower" else 1
    return table


def agreement(ladders: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Correlate the ranks of each two metrics, averaged over scenes.

    Args:
        ladders: What `score_ladders` returns.
        names: Metrics.

    Returns:
        Metrics by metrics, ordered so that those that agree stand together.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    scenes = [group[list(names)].rank().corr() for _, group in ladders.groupby("stack")]
    table = sum(scene.fillna(0) for scene in scenes) / len(scenes)
    distance = squareform(1 - table.to_numpy(), checks=False).clip(0)
    order = table.index[leaves_list(linkage(distance, "average", optimal_ordering=True))]
    return table.loc[order, order]


def correlation(ladders: pd.DataFrame, names: Sequence[str], reference: str, kind: str | None = None) -> pd.DataFrame:
    """Correlate the ranks of rungs by metrics and by a reference metric.

    Args:
        ladders: What `score_ladders` returns.
        names: Metrics.
        reference: One of `REFERENCES`.
        kind: One of `FAULTS`: only its rungs and the right fusion. All rungs that the reference metric scores by default.

    Returns:
        Spearman's correlation, metrics by scenes.
    """
    rows = ladders["kind"].eq(kind) | ladders["rung"].eq("right") if kind else ladders[reference].notna()
    scenes = ladders[rows].groupby("stack")
    return pd.DataFrame({scene: group[list(names)].rank().corrwith(group[reference].rank()) for scene, group in scenes})


def trust(ladders: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Summarise how far metrics agree with the reference, best first.

    Args:
        ladders: What `score_ladders` returns.
        names: Metrics.

    Returns:
        Mean correlations with PSNR over all rungs (``all``), of the worst scene (``worst``) and per fault, and with SSIM and IoU.
    """
    overall = correlation(ladders, names, "psnr")
    table = pd.DataFrame({"all": overall.mean(axis=1), "worst": overall.min(axis=1)})
    for kind in FAULTS:
        table[kind] = correlation(ladders, names, "psnr", kind).mean(axis=1)
    table["SSIM"] = correlation(ladders, names, "ssim").mean(axis=1)
    table["IoU"] = correlation(ladders, names, "mask_iou").mean(axis=1)
    return table.sort_values("all", ascending=False)


def rewarded(ladders: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Compute how often a metric rates a spoiled image above the right fusion.

    Args:
        ladders: What `score_ladders` returns.
        names: Metrics.

    Returns:
        Metrics by faults: share of the rungs of all scenes, 0 to 1; the metrics that reward most come first.
    """
    right = ladders[ladders["rung"] == "right"].set_index("stack")[list(names)]
    spoilt = ladders[(ladders["rung"] != "right") & ladders["kind"].isin(FAULTS)]
    above = spoilt[list(names)].to_numpy() > right.loc[spoilt["stack"]].to_numpy()
    table = pd.DataFrame(above, columns=list(names)).groupby(spoilt["kind"].to_numpy()).mean().T
    return table[[fault for fault in FAULTS if fault in table]].loc[table.mean(axis=1).sort_values(ascending=False).index]
