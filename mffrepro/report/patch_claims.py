"""Test the claims of icacs18 and cnnwt, the patch classifiers.

Each function takes what was measured, pair by pair where there are pairs, and returns the verdicts, which display and record
themselves.

References: [li2018icacs], [liu2017cnn]. Chapters: 05_icacs18, 06_cnnwt.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mffrepro.benchmarks.measurements import by_pair, gains
from mffrepro.report.claims import Verdict, judge
from mffrepro.report.paired import differences, one_training
from mffrepro.report.trainings import of_same_seeds, on_stacks, paired_by_seed
from mffrepro.training.studies.patch_errors import paired_interval, wilson
from mffrepro.training.studies.patches import PAIRS
from mffrepro.training.studies.subbands import METRICS

#: Half of the range that "near" means for a focus map, C3.6.
CLOSE = 0.1
#: Kinds of hard patch that are no blur of the training, C3.13.
OTHER_BLURS = ("disc", "sigma 0.5", "sigma 1", "sigma 5", "sigma 7")
SHARED = "Intervals cover the seeds and, for shares of answers, the choice of the patches."

Part = tuple[np.ndarray, tuple[float, float]]
#: Scores of each stack, by seed.
Scores = Mapping[int, pd.DataFrame]


def by_seed(study: pd.DataFrame, row: str, quantity: str) -> pd.Series:
    """Select a quantity of all trainings of one kind, by seed.

    Args:
        study: What `mffrepro.report.trainings.read_study` returns.
        row: Kind of training.
        quantity: Column.
    """
    return study.loc[[row]].set_index("seed")[quantity].sort_index()


def study_gain(study: pd.DataFrame, after: str, before: str, quantity: str) -> np.ndarray:
    """Subtract one kind of training from another, seed by seed, (seeds, 1).

    Both have the same seeds, see `mffrepro.report.trainings.of_same_seeds`.
    """
    return (by_seed(study, after, quantity) - by_seed(study, before, quantity)).to_numpy()[:, None]


def more_wrong(study: pd.DataFrame, after: str, before: str, kind: str) -> Part:
    """Subtract the errors of two kinds of training on one kind of patch.

    Returns:
        The differences seed by seed, (seeds, 1), and how far the mean over other patches may lie below and above theirs.
    """
    gain = study_gain(study, after, before, f"error, {kind}")
    first, second = (by_seed(study, row, f"error, {kind}").mean() for row in (after, before))
    low, high = paired_interval(first, second, PAIRS)
    return gain, (max(gain.mean() - low, 0), max(high - gain.mean(), 0))


def right(study: pd.DataFrame, row: str, kind: str) -> Part:
    """Compute the shares of right answers on one kind of patch.

    Returned as `more_wrong` returns differences.
    """
    wrong = by_seed(study, row, f"error, {kind}")
    low, high = wilson(wrong.mean(), PAIRS)
    return 1 - wrong.to_numpy()[:, None], (high - wrong.mean(), wrong.mean() - low)


def judge_parts(claim: str, study: pd.DataFrame, parts: Mapping[str, np.ndarray | Part], **options: Any) -> Verdict:
    """Judge a claim by parts, of which some carry the error of the patches."""
    whole = {name: part[0] if isinstance(part, tuple) else part for name, part in parts.items()}
    shared = {name: part[1] for name, part in parts.items() if isinstance(part, tuple)}
    return judge(claim, whole, seeds=sorted(study["seed"].unique()), shared_errors=shared, **options)


def errors_apart(study: pd.DataFrame, after: str, before: str) -> dict[str, float]:
    """Subtract the mean errors of two kinds of training, by kind of patch.

    Kinds that both always get right are left out.
    """
    means = study.loc[[after, before], [name for name in study if name.startswith("error, ")]].groupby(level=0).mean()
    return {f"{name}, difference": means.loc[after, name] - means.loc[before, name] for name in means if means[name].any()}


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
    small = f"{_IE_NOTE} The printed lead in SD is {relative['sd, printed lead']:.1%}."
    return [
        judge("C2.1", leads, seeds=[seed], numbers=numbers, note=_IE_NOTE),
        judge("C2.2", shares, seeds=[seed], numbers=relative, note=small),
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
    printed = gains(enough, "as printed", "pre-decision", [right])[right]
    one = by_pair(enough, "pre-decision", ["regions behind"])["regions behind"].to_numpy() == 1
    gained = {
        "printed minus none, one region behind": printed[one],
        "printed minus none, several regions behind": printed[~one],
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
    "One network. Masks are drawn as in training, with any number of regions; the printed cleaning keeps one region of the "
    "second source. More: regions of either source under a hundredth of the image go to the other."
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
    samples = {name: values.to_numpy() for name, values in samples.items()}
    return judge("C2.11", samples, seeds=[seed], numbers={"time, zeros": zeros["time"].mean()}, note=_WHOLE_NOTE)


_WHOLE_NOTE = (
    "Zeros at the border of a patch differ from the pixels that a whole image has there, whatever the weights; by how much the "
    "scores then differ depends on them. The network trained with zeros is small and was trained in this chapter; the other one "
    "is the shipped one."
)


def patch_sizes(study: pd.DataFrame) -> list[Verdict]:
    """Test patch size and pooling by the recorded trainings (C2.5, C2.6, C2.7).

    Args:
        study: The recorded study ``icacs18``.
    """
    base = "16x16, three max poolings"
    small = {f"8 minus 16, {kind}": more_wrong(study, "8x8", base, kind) for kind in _ever_wrong(study, "8x8", base)}
    large = {f"16 minus 32, {kind}": more_wrong(study, base, "32x32", kind) for kind in _ever_wrong(study, base, "32x32")}
    edges = {
        "32 minus 16, across a border": more_wrong(study, "32x32", base, "across a border"),
        "overlap, 16 minus 32": study_gain(study, base, "32x32", "boundary_f"),
    }
    real = {
        "16 minus 8, real pairs": study_gain(study, base, "8x8", "accuracy on real"),
        "32 minus 16, real pairs": study_gain(study, "32x32", base, "accuracy on real"),
    }
    numbers = {f"accuracy, {row}": by_seed(study, row, "accuracy").mean() for row in ("8x8", base, "32x32")}
    numbers["overlap, 16 minus 8"] = study_gain(study, base, "8x8", "boundary_f").mean()
    poolings = {"two": "two poolings", "three": base}
    grid = {f"{name} minus one": study_gain(study, row, "one pooling", "on grid") for name, row in poolings.items()}
    three = study_gain(study, "one pooling", base, "boundary_f").ravel()
    overlaps = {"overlap with the border, one minus three, by seed": ", ".join(f"{value:.3f}" for value in three)}
    poolings |= {"one": "one pooling"}
    means = {f"on grid, {name}": by_seed(study, row, "on grid").mean() for name, row in poolings.items()}
    kept = {"IE": study_gain(study, "mean pooling", base, "en"), "flat patches": more_wrong(study, base, "mean pooling", "flat")}
    return [
        judge_parts("C2.5", study, small | large | real | edges, numbers=numbers, note=_SIZES_NOTE),
        judge_parts("C2.6", study, grid, numbers=means | overlaps, note=_BLOCKS_NOTE),
        judge_parts(
            "C2.7",
            study,
            kept,
            numbers=errors_apart(study, "mean pooling", base),
            note=f"Listed: errors of average minus maximum. {SHARED}",
        ),
    ]


def _ever_wrong(study: pd.DataFrame, *rows: str) -> list[str]:
    """Name kinds of patch without a border of which one of the trainings gets some wrong, whatever its seed."""
    kinds = [name for name in study if name.startswith("error, ") and name != "error, across a border"]
    return [name.removeprefix("error, ") for name in kinds if any((by_seed(study, row, name) > 0).all() for row in rows)]


_SIZES_NOTE = (
    "All sizes are right on nearly every validation patch, so only kinds of hard patch count that one of two sizes gets wrong "
    f"with every seed, and right answers on real pairs. The networks also see ten pixels around each patch. {SHARED}"
)
_BLOCKS_NOTE = (
    "With one pooling more, the scores of a whole image lie twice as far apart, so this holds by construction. Of a border that "
    "follows no grid, an eighth lies on these lines. Blocks need not cost overlap with the true border: that is listed."
)


# -------------------------------------------------------------------------------------------------------- cnnwt


def patch_trainings(study: pd.DataFrame) -> list[Verdict]:
    """Test accuracies of trainings (C3.1 to C3.4).

    Args:
        study: The recorded study ``cnn_fuse``.
    """
    base, mixed, few, real = "five levels", "half of them real", "three levels", "accuracy on real"
    known = {what: by_seed(study, base, what).mean() for what in ("accuracy", "accuracy anywhere", real)}
    halves, fewer = of_same_seeds(study, base, mixed), of_same_seeds(study, base, few)
    added = {"plain": more_wrong(halves, base, mixed, "plain"), "real": study_gain(halves, mixed, base, real)}
    right_on = {"blurred": right(study, base, "plain"), "real": by_seed(study, base, real).to_numpy()[:, None]}
    lost = {"blurred": more_wrong(fewer, few, base, "plain"), "real": study_gain(fewer, base, few, real)}
    others = ("pseudo-siamese", "2-channel")
    longest = int(study["epochs"].max()) + 1
    waited = of_same_seeds(study.assign(epochs=study["epochs to 99 %"].fillna(longest)), base, *others)
    kinds = {kind: study_gain(waited, kind, base, "epochs") for kind in others}
    numbers = {f"epochs to 99 %, {kind}": by_seed(waited, kind, "epochs").mean() for kind in (base, *kinds)}
    note = f"A training that does not reach 99 % counts as {longest} epochs, one more than it had."
    return [
        judge_parts("C3.1", study.loc[[base]], right_on, numbers=known, note=_VALIDATION_NOTE),
        judge_parts("C3.2", halves, added, numbers=errors_apart(halves, mixed, base), note=_REAL_NOTE),
        judge_parts("C3.3", fewer, lost, numbers=errors_apart(fewer, few, base),
                    note=f"Listed: errors of three minus five. {_VALIDATION_NOTE}"),
        judge_parts("C3.4", waited, kinds, numbers=numbers, note=note),
    ]  # fmt: skip


_ON_REAL = f"{SHARED} For real patches, whose photographs are few, they cover the seeds only."
_REAL_NOTE = f"Listed: errors of half real minus none. {_ON_REAL}"
_VALIDATION_NOTE = (
    "The paper's validation pairs came from other multi-focus images. Blurred: photographs that no training saw; real: patches "
    f"of pairs of the 26 that no training saw, labelled by GACN. {_ON_REAL}"
)


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
    lowest = {"lowest share of a photograph": plain.min()}
    return [
        judge("C3.5", alike | {"what the first two layers show": None}, seeds=[seed], note=_LAYERS_NOTE),
        judge("C3.6", near, seeds=[seed], numbers=means, note=shown),
        judge("C3.7", plain, seeds=[seed], numbers=lowest, note=_PLAIN_NOTE),
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
    numbers = {"all pairs": removed.mean()} | ({"largest change": max(changed, key=abs)} if len(changed) else {})
    return judge("C3.8", changed if len(changed) else None, seeds=[seed], numbers=numbers, note=note)


_PLAIN_NOTE = (
    "Photographs with plain places, away from the true border. One network. Nearly all photographs are near 1, and the interval "
    "is somewhat narrow for so uneven a sample."
)
_LAYERS = ((1, "first"), (2, "second"))
_LAYERS_NOTE = (
    "One network. A quantile stands for a layer, because the largest value grows with the number of maps. The paper does not say "
    "which maps of the first two layers show what it describes, so that half is only drawn."
)
_FILTER_NOTE = (
    "One network, hard outlines. The filter makes large errors smaller and spreads small ones. Versions of this test read the "
    "mean error alone and then the root mean square alone; both are parts now."
)


def blur_kinds(study: pd.DataFrame) -> Verdict:
    """Test the accuracy on blurs that the training did not have (C3.13).

    Args:
        study: The recorded study ``cnn_fuse``.
    """
    parts = {kind: right(study, "five levels", kind) for kind in OTHER_BLURS}
    numbers = {"accuracy on real photographs": by_seed(study, "five levels", "accuracy on real").mean()}
    note = f"Patch pairs, made by blurring photographs: a disc, and Gaussians weaker and stronger than the five levels. {SHARED}"
    return judge_parts("C3.13", study.loc[["five levels"]], parts, numbers=numbers, note=note)


def sub_bands(
    rows: pd.DataFrame, rules: pd.DataFrame, mapped: Scores, on_blocks: Scores, transforms: Sequence[str]
) -> list[Verdict]:
    """Test the wavelet domain and the wavelet transform (C3.11, C3.12).

    Args:
        rows: Recorded scores in long format, with those of ``dwt``, ``cnnwt`` and the transforms.
        rules: The measurement ``cnnfuse_rules``.
        mapped: Scores of the networks that map sub-bands, as the study ``subbands`` recorded them.
        on_blocks: Those of the same networks on the pixels of blocks.
        transforms: Other transforms with the fusion rule of ``dwt``.
    """
    gained: dict[str, np.ndarray] = {}
    numbers: dict[str, float] = {}
    for name in METRICS:
        for levels, rule in rules.groupby("variant", sort=False):
            gained[f"{name}, {levels}"] = _beyond(rule.set_index("stack")[name], mapped, name)
        _, gain = paired_by_seed(on_blocks, mapped, on_stacks(name, data="real"))
        numbers[f"{name} minus that on pixels"] = float(gain.mean())
        numbers[f"{name}, networks that decide, 4 levels"] = float(differences(rows, ["cnnwt"], ["dwt"], name)["dwt"].mean())
    apart = differences(rows, ["dwt"], transforms, "qabf")
    beaten = np.mean([gap[0] > 0 for gap in apart.values()], axis=0)
    shares: Mapping[str, float] = {f"Q_ABF minus that of {name}": float(gap.mean()) for name, gap in apart.items()}
    return [
        judge("C3.11", gained, seeds=[*mapped], numbers=numbers, note=_MAPPING_NOTE),
        judge("C3.12", beaten - 0.5, numbers=shares, note=f"Against {', '.join(transforms)}, in Q_ABF."),
    ]


_MAPPING_NOTE = (
    "Networks that map the sub-bands of one level, minus the wavelet rule without a network: of the same level, and of the four "
    "levels of classical fusion, which see farther than the networks. The first version of this test had the four levels alone; "
    "both are parts now. The paper announces wavelets and describes none; the networks are our reading. Networks that decide, "
    "another reading, are only listed."
)


def _beyond(rule: pd.Series, mapped: Scores, metric: str) -> np.ndarray:
    """Subtract the scores of a rule from those of trainings, (seeds, pairs)."""
    return np.stack([on_stacks(metric, data="real")(scores).sub(rule).to_numpy() for scores in mapped.values()])
