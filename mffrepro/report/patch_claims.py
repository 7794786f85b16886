"""Test the claims of icacs18 and cnnwt, the patch classifiers.

Each function takes what was measured, pair by pair where there are pairs, and returns the verdicts, which display and record
themselves.

References: [li2018icacs], [liu2017cnn]. Chapters: 05_icacs18, 06_cnnwt.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mffrepro.benchmarks.measurements import by_pair, gains
from mffrepro.report.claims import Verdict, judge
from mffrepro.report.paired import differences, one_training

#: Metrics that compare a fused image with its sources.
WITH_SOURCES = ("qabf", "qy", "mi", "viff")
#: Half of the range that "near" means for a focus map, C3.6.
CLOSE = 0.1
ONE_SEED = "One training of each kind, of which means were recorded, so it cannot be decided."


def study_gain(study: pd.DataFrame, after: str, before: str, quantity: str) -> np.ndarray:
    """Subtract one row of a study of trainings from another."""
    return one_training(study.loc[after, quantity] - study.loc[before, quantity])


# ------------------------------------------------------------------------------------------------------ icacs18


def clocks(table: pd.DataFrame, printed: pd.DataFrame, proposed: str) -> list[Verdict]:
    """Test the scores of the clocks (C2.1, C2.2, C2.3).

    Args:
        table: Methods by ``en``, ``ag``, ``sd``, ``sf``, the rivals of the paper and the proposed method.
        printed: The same as printed, with the row ``Proposed``.
        proposed: Row of the proposed method in `table`.
    """
    lead = table.loc[proposed] - table.drop(index=proposed).max()
    share = lead / table.drop(index=proposed).max()
    rivals = printed.drop(index="Proposed").max()
    stated = {f"{name}, printed lead": printed.loc["Proposed", name] - rivals[name] for name in ("en", "ag", "sd", "sf")}
    note = "The public clocks at the contrast of the table; weights trained here, the printed cleaning."
    three = {name: float(lead[name]) for name in ("en", "sd", "sf")}
    relative = {f"{name}, printed": (printed.loc["Proposed", name] - rivals[name]) / rivals[name] for name in ("en", "sd")}
    return [
        judge("C2.1", three, numbers=stated, note=note),
        judge("C2.2", {name: float(share[name]) for name in ("en", "sd")}, numbers=relative, note=note),
        judge("C2.3", float(lead["ag"]), numbers={"printed lead": stated["ag, printed lead"]}, note=note),
    ]


def cleaning(table: pd.DataFrame) -> list[Verdict]:
    """Test border, score maps and cleaning (C2.4, C2.8, C2.9).

    Args:
        table: The measurement ``icacs18_cleaning``.
    """
    near, rivals = "error near the border", ("dwt", "lp", "nsct", "nsst")
    samples = {name: gains(table, name, "as printed", [near])[near] for name in rivals}
    numbers = {name: by_pair(table, name, [near])[near].mean() for name in (*rivals, "as printed", "pre-decision")}
    note = "Pairs made of BSDS500 photographs. Eight pixels on either side of the true border, where every method must err."
    apart = by_pair(table, "pre-decision", ["|s1 + s2 - 1|"])["|s1 + s2 - 1|"]
    right = "mask_accuracy"
    shares = {name: by_pair(table, name, [right])[right].mean() for name in table["variant"].unique() if name not in rivals}
    made = "Pairs with one region in front and one behind, so that the largest region is the right one."
    return [
        judge("C2.4", samples, numbers=numbers, note=note),
        judge("C2.8", apart.to_numpy()),
        judge("C2.9", gains(table, "as printed", "pre-decision", [right])[right], numbers=shares, note=made),
    ]


def patch_sizes(study: pd.DataFrame) -> list[Verdict]:
    """Test patch size and pooling by the recorded trainings (C2.5, C2.6, C2.7).

    Args:
        study: The recorded study ``icacs18``.
    """
    base, longer = study.index[0], "the same, three times as long"
    seeds = [int(study["seed"].iloc[0])]
    right, edge = "accuracy anywhere", "boundary_f"
    sizes = {
        "accuracy, 16 minus 8": study_gain(study, base, "8x8", right),
        "accuracy, 32 minus 16": study_gain(study, "32x32", base, right),
        "border, 16 minus 8": study_gain(study, base, "8x8", edge),
        "border, 16 minus 32": study_gain(study, base, "32x32", edge),
    }
    blocks = {f"on grid, {name}": study.loc[name, "on grid"] for name in ("one pooling", base)}
    return [
        judge("C2.5", sizes, seeds=seeds, note=ONE_SEED),
        judge("C2.6", study_gain(study, "one pooling", base, edge), seeds=seeds, numbers=blocks, note=ONE_SEED),
        judge("C2.7", study_gain(study, "mean pooling", longer, right), seeds=seeds, note=f"24 epochs each. {ONE_SEED}"),
    ]


# -------------------------------------------------------------------------------------------------------- cnnwt


def patch_trainings(study: pd.DataFrame, blurs: pd.DataFrame, seed: int) -> list[Verdict]:
    """Test accuracies of trainings (C3.1 to C3.4).

    Args:
        study: The recorded study ``cnn_fuse``.
        blurs: The measurement ``cnnfuse_blurs``.
        seed: Seed of the shipped weights.
    """
    base, seeds = "five levels", [int(study["seed"].iloc[0])]
    known = by_pair(blurs, "the five levels", ["accuracy"])["accuracy"].to_numpy()
    note = "The shipped weights, a quarter of the paper's width. One training cannot decide."
    verdicts = [judge("C3.1", known[None] - 0.995, seeds=[seed], numbers={"accuracy": known.mean()}, note=note)]
    whats = ("accuracy", "accuracy anywhere", "accuracy on real")
    mixed = {f"{what}, {row}": study.loc[row, what] for what in whats for row in (base, "half of them real")}
    few = {f"{what}, {row}": study.loc[row, what] for what in whats for row in (base, "three levels")}
    ceiling = f"{ONE_SEED} Both reach the ceiling."
    gain = study_gain(study, "half of them real", base, "accuracy")
    verdicts.append(judge("C3.2", gain, seeds=seeds, numbers=mixed, note=ceiling))
    verdicts.append(judge("C3.3", study_gain(study, base, "three levels", "accuracy"), seeds=seeds, numbers=few, note=ceiling))
    longest = int(study["epochs"].iloc[0]) + 1
    waited = study["epochs to 99 %"].fillna(longest)
    kinds = {kind: one_training(waited[kind] - waited[base]) for kind in ("pseudo-siamese", "2-channel")}
    numbers = {f"accuracy anywhere, {kind}": study.loc[kind, "accuracy anywhere"] for kind in (base, *kinds)}
    note = f"Trainings that do not reach 99 % count as {longest} epochs, one more than they had. {ONE_SEED}"
    return [*verdicts, judge("C3.4", kinds, seeds=seeds, numbers=numbers, note=note)]


def focus_maps(table: pd.DataFrame) -> list[Verdict]:
    """Test the layers, the focus map and the steps after it (C3.5 to C3.9).

    Args:
        table: The measurement ``cnnfuse_focus``.
    """
    layers = {f"third minus {word}": gains(table, "conv 3", f"conv {i}", ["likeness"])["likeness"] for i, word in _LAYERS}
    sure = {name: by_pair(table, name, ["|M - 0.5|"])["|M - 0.5|"].to_numpy() for name in ("plain", "detailed")}
    near = {"detailed, near 0 or 1": sure["detailed"] - (0.5 - CLOSE), "plain, near 0.5": CLOSE - sure["plain"]}
    means = {f"|M - 0.5|, {name}": values.mean() for name, values in sure.items()}
    right, error, rms = "mask_accuracy", "error near the border", "rms near the border"
    removed = gains(table, "no small regions", "threshold alone", [right])[right]
    filtered = gains(table, "filtered", "no small regions", [rms, error, "psnr", "qabf"])
    numbers = {f"{name}, whole image": filtered[name].mean() for name in ("psnr", "qabf")}
    steps = ("no small regions", "filtered")
    numbers |= {f"{what}, {name}": by_pair(table, name, [what])[what].mean() for what in (rms, error) for name in steps}
    plain = by_pair(table, "plain", ["right"])["right"].to_numpy()
    return [
        judge("C3.5", layers, note="Only the third layer is tested; what the first two show is described in the chapter."),
        judge("C3.6", near, numbers=means, note="Plain: variance under 25; detailed: over 400. Near the true border left out."),
        judge("C3.7", plain, note="Photographs with plain places; places near the true border are left out."),
        judge("C3.8", removed, note="Pairs made of BSDS500 photographs."),
        judge("C3.9", filtered[rms], numbers=numbers, note=_FILTER_NOTE),
    ]


_LAYERS = ((1, "first"), (2, "second"))
_FILTER_NOTE = (
    "An artefact is a large error, so squares are averaged. The mean error is listed too; the filter spreads small ones."
)


def blur_kinds(table: pd.DataFrame) -> Verdict:
    """Test the accuracy on blurs that the training did not have (C3.13).

    Args:
        table: The measurement ``cnnfuse_blurs``.
    """
    kinds = [name for name in table["variant"].unique() if name != "the five levels"]
    return judge("C3.13", {name: by_pair(table, name, ["accuracy"])["accuracy"].to_numpy() for name in kinds})


def sub_bands(rows: pd.DataFrame, transforms: Sequence[str]) -> list[Verdict]:
    """Test the wavelet domain and the wavelet transform (C3.11, C3.12).

    Args:
        rows: Recorded scores in long format.
        transforms: Other transforms with the fusion rule of ``dwt``.
    """
    gained = {name: differences(rows, ["cnnwt"], ["dwt"], name)["dwt"][0] for name in WITH_SOURCES}
    against = {f"{name} minus that of cnn_fuse": _against_pixels(rows, name) for name in WITH_SOURCES}
    note = "Metrics that compare with the sources. The paper announces wavelets and describes none; the networks are our reading."
    others = differences(rows, ["dwt"], transforms, "qabf")
    beaten = np.mean([gap[0] > 0 for gap in others.values()], axis=0)
    shares: Mapping[str, float] = {f"Q_ABF minus that of {name}": float(gap.mean()) for name, gap in others.items()}
    return [
        judge("C3.11", gained, numbers=against, note=note),
        judge("C3.12", beaten - 0.5, numbers=shares, note=f"Against {', '.join(transforms)}, in Q_ABF."),
    ]


def _against_pixels(rows: pd.DataFrame, metric: str) -> float:
    return float(differences(rows, ["cnnwt"], ["cnn_fuse"], metric)["cnn_fuse"].mean())
