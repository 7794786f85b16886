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


def clocks(table: pd.DataFrame, printed: pd.DataFrame, proposed: str, seed: int) -> list[Verdict]:
    """Test the scores of the clocks (C2.1, C2.2, C2.3).

    The picture is fixed and the network is not, so each lead is a number of one training. IE is listed only: on this file, a copy
    of pixels has less of it than any transform, whatever the network decides.

    Args:
        table: Methods by ``en``, ``ag``, ``sd``, ``sf``, the rivals of the paper and the proposed method.
        printed: The same as printed, with the row ``Proposed``.
        proposed: Row of the proposed method in `table`.
        seed: Seed of its network.
    """
    best, rivals = table.drop(index=proposed).max(), printed.drop(index="Proposed").max()
    lead, stated = table.loc[proposed] - best, printed.loc["Proposed"] - rivals
    numbers = {f"{name}, lead here": lead[name] for name in table} | {f"{name}, printed lead": stated[name] for name in table}
    relative = {f"{name}, lead here": lead[name] / best[name] for name in ("en", "sd")}
    relative |= {f"{name}, printed lead": stated[name] / rivals[name] for name in ("en", "sd")}
    leads = {"en": None} | {name: one_training(lead[name]) for name in ("sd", "sf")}
    shares = {"en": None, "sd": one_training(lead["sd"] / best["sd"])}
    return [
        judge("C2.1", leads, seeds=[seed], numbers=numbers, note=_IE_NOTE),
        judge("C2.2", shares, seeds=[seed], numbers=relative, note=_IE_NOTE),
        judge("C2.3", one_training(lead["ag"]), seeds=[seed], numbers={"printed lead": stated["ag"]}, note=_CLOCKS_NOTE),
    ]


_CLOCKS_NOTE = "The public clocks at the contrast of the table, one training, the printed cleaning."
_IE_NOTE = (
    f"{_CLOCKS_NOTE} IE (en) cannot be tested on this file: a copy of pixels has less of it than every transform, unlike the "
    "printed row."
)


def cleaning(table: pd.DataFrame, enough: pd.DataFrame, seed: int) -> list[Verdict]:
    """Test border, score maps and cleaning (C2.4, C2.8, C2.9).

    Args:
        table: The measurement ``icacs18_cleaning``.
        enough: The measurement ``icacs18_enough``.
        seed: Seed of the network.
    """
    near, rivals = "error near the border", ("dwt", "lp", "nsct", "nsst")
    errors = {name: by_pair(table, name, [near])[near].to_numpy() for name in rivals}
    ours = {"proposed, printed cleaning": by_pair(table, "as printed", [near])[near].mean()}
    ours["proposed, no cleaning"] = by_pair(table, "pre-decision", [near])[near].mean()
    apart = by_pair(table, "pre-decision", ["|s1 + s2 - 1|"])["|s1 + s2 - 1|"]
    right = "mask_accuracy"
    gained = {
        "printed minus none": gains(enough, "as printed", "pre-decision", [right])[right],
        "printed minus more": gains(enough, "as printed", "printed and both sides", [right])[right],
    }
    shares = {name: by_pair(enough, name, [right])[right].mean() for name in enough["variant"].unique()}
    return [
        judge("C2.4", errors | {"blur told from ghosts": None}, numbers=ours, note=_BORDER_NOTE),
        judge("C2.8", apart.to_numpy(), seeds=[seed], note="For this one network."),
        judge("C2.9", gained, seeds=[seed], numbers=shares, note=_ENOUGH_NOTE),
    ]


_BORDER_NOTE = (
    "Pairs made of BSDS500 photographs. A copy by the true decision errs by 0 there, so the network is not the measure; its own "
    "errors are listed. No test here tells a blurred edge from a ghost."
)
_ENOUGH_NOTE = (
    "One network. Masks are drawn as in training, with any number of regions. More: regions of either source under a hundredth "
    "of the image go to the other."
)


def whole_images(context: pd.DataFrame, zeros: pd.DataFrame, seed: int) -> Verdict:
    """Test whole images against single patches (C2.11).

    Args:
        context: Scenes by the columns of `mffrepro.benchmarks.patchwise.compare`, for a network trained with the surroundings of
            each patch.
        zeros: The same for one that was trained with zeros around each patch.
        seed: Seed of both.
    """
    samples = {"surroundings": context["gap"], "zeros": zeros["gap"], "time": context["time"]}
    note = "Zeros at the border of a patch differ from the pixels that a whole image has there. The network trained with them is "
    note += "small and was trained in this chapter; the other one is the shipped one."
    samples = {name: values.to_numpy() for name, values in samples.items()}
    return judge("C2.11", samples, seeds=[seed], numbers={"time, zeros": zeros["time"].mean()}, note=note)


def patch_sizes(study: pd.DataFrame) -> list[Verdict]:
    """Test patch size and pooling by the recorded trainings (C2.5, C2.6, C2.7).

    Args:
        study: The recorded study ``icacs18``.
    """
    base, longer = study.index[0], "the same, three times as long"
    seeds = [int(study["seed"].iloc[0])]
    right, edge = "accuracy", "boundary_f"
    sizes = {
        "accuracy, 16 minus 8": study_gain(study, base, "8x8", right),
        "accuracy, 32 minus 16": study_gain(study, "32x32", base, right),
        "border, 16 minus 8": study_gain(study, base, "8x8", edge),
        "border, 16 minus 32": study_gain(study, base, "32x32", edge),
    }
    blocks = {f"on grid, {name}": study.loc[name, "on grid"] for name in ("one pooling", base)}
    plain = {f"accuracy with plain patches, {name}": study.loc[name, "accuracy anywhere"] for name in ("mean pooling", longer)}
    return [
        judge("C2.5", sizes, seeds=seeds, note=ONE_SEED),
        judge("C2.6", study_gain(study, "one pooling", base, edge), seeds=seeds, numbers=blocks, note=ONE_SEED),
        judge("C2.7", study_gain(study, "mean pooling", longer, "en"), seeds=seeds, numbers=plain, note=f"24 epochs. {ONE_SEED}"),
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
    verdicts = [judge("C3.1", known[None], seeds=[seed], note=note)]
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
    note = f"A training that does not reach 99 % counts as {longest} epochs, one more than it had. {ONE_SEED}"
    return [*verdicts, judge("C3.4", kinds, seeds=seeds, numbers=numbers, note=note)]


def focus_maps(table: pd.DataFrame, layers: pd.DataFrame, seed: int) -> list[Verdict]:
    """Test the layers, the focus map and the steps after it (C3.5 to C3.9).

    Args:
        table: The measurement ``cnnfuse_focus``.
        layers: The measurement ``cnnfuse_layers``.
        seed: Seed of the network.
    """
    alike = {f"third minus {word}": gains(layers, "conv 3", f"conv {i}", ["likeness"])["likeness"] for i, word in _LAYERS}
    sure = {name: by_pair(table, name, ["|M - 0.5|"])["|M - 0.5|"].to_numpy() for name in ("plain", "detailed")}
    near = {"detailed, near 0 or 1": sure["detailed"] - (0.5 - CLOSE), "plain, near 0.5": CLOSE - sure["plain"]}
    means = {f"|M - 0.5|, {name}": values.mean() for name, values in sure.items()}
    error, rms = "error near the border", "rms near the border"
    filtered = gains(table, "filtered", "no small regions", [rms, error, "psnr", "qabf"])
    numbers = {f"{name}, whole image": filtered[name].mean() for name in ("psnr", "qabf")}
    steps = ("no small regions", "filtered")
    numbers |= {f"{what}, {name}": by_pair(table, name, [what])[what].mean() for what in (rms, error) for name in steps}
    plain = by_pair(table, "plain", ["right"])["right"].to_numpy()
    shown = "Plain: variance under 25; detailed: over 400. Near the true border left out. One network."
    return [
        judge("C3.5", alike | {"what the first two layers show": None}, seeds=[seed], note=_LAYERS_NOTE),
        judge("C3.6", near, seeds=[seed], numbers=means, note=shown),
        judge("C3.7", plain, seeds=[seed], note="Photographs with plain places, away from the true border. One network."),
        small_regions(table, seed),
        judge("C3.9", {"mean error": filtered[error], "root mean square": filtered[rms]}, seeds=[seed], numbers=numbers,
              note=_FILTER_NOTE),
    ]  # fmt: skip


def small_regions(table: pd.DataFrame, seed: int) -> Verdict:
    """Test the removal of small regions (C3.8).

    Pairs whose map has none say nothing about it, so they are left out.

    Args:
        table: The measurement ``cnnfuse_focus``.
        seed: Seed of the network.
    """
    removed = gains(table, "no small regions", "threshold alone", ["mask_accuracy"])["mask_accuracy"]
    changed = removed[removed != 0]
    note = f"One network, made pairs of BSDS500. The removal changes {len(changed)} of {len(removed)} maps, and only these count."
    return judge("C3.8", changed if len(changed) else None, seeds=[seed], numbers={"all pairs": removed.mean()}, note=note)


_LAYERS = ((1, "first"), (2, "second"))
_LAYERS_NOTE = (
    "One network. A quantile stands for a layer, because the largest value grows with the number of maps. The paper does not say "
    "which maps of the first two layers show what it describes, so that half is only drawn."
)
_FILTER_NOTE = (
    "One network, hard outlines. The filter makes large errors smaller and spreads small ones. Versions of this test read the "
    "mean error alone and then the root mean square alone; both are parts now."
)


def blur_kinds(table: pd.DataFrame, real: float, seed: int) -> Verdict:
    """Test the accuracy on blurs that the training did not have (C3.13).

    Args:
        table: The measurement ``cnnfuse_blurs``.
        real: Accuracy on patches of real photographs, of a training of the study.
        seed: Seed of the network.
    """
    kinds = [name for name in table["variant"].unique() if name != "the five levels"]
    samples = {name: by_pair(table, name, ["accuracy"])["accuracy"].to_numpy()[None] for name in kinds}
    note = "One training, a quarter of the paper's width, so it cannot be decided. Patch pairs, made by blurring photographs."
    return judge("C3.13", samples, seeds=[seed], numbers={"accuracy on real photographs, small network": real}, note=note)


def sub_bands(rows: pd.DataFrame, transforms: Sequence[str], seed: int) -> list[Verdict]:
    """Test the wavelet domain and the wavelet transform (C3.11, C3.12).

    Args:
        rows: Recorded scores in long format.
        transforms: Other transforms with the fusion rule of ``dwt``.
        seed: Seed of the networks.
    """
    gained = {name: differences(rows, ["cnnwt"], ["dwt"], name)["dwt"][0] for name in WITH_SOURCES}
    against = {f"{name} minus that of cnn_fuse": _against_pixels(rows, name) for name in WITH_SOURCES}
    note = "Metrics that compare with the sources. The paper announces wavelets and describes none; the networks are our reading."
    others = differences(rows, ["dwt"], transforms, "qabf")
    beaten = np.mean([gap[0] > 0 for gap in others.values()], axis=0)
    shares: Mapping[str, float] = {f"Q_ABF minus that of {name}": float(gap.mean()) for name, gap in others.items()}
    return [
        judge("C3.11", gained, seeds=[seed], numbers=against, note=note),
        judge("C3.12", beaten - 0.5, numbers=shares, note=f"Against {', '.join(transforms)}, in Q_ABF."),
    ]


def _against_pixels(rows: pd.DataFrame, metric: str) -> float:
    return float(differences(rows, ["cnnwt"], ["cnn_fuse"], metric)["cnn_fuse"].mean())
