"""Test the claims of the GACN paper with the tables that chapter 07 computes or reads.

Each function takes what was measured, pair by pair where there are pairs, and returns the verdicts, which display and record
themselves. A claim about metrics "in most cases" counts the metrics of six that are won.

References: [ma2022gacn]. Chapter: 07_gacn.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mffrepro.benchmarks.measurements import by_pair, gains
from mffrepro.benchmarks.strategies import Attempt
from mffrepro.methods import CARDS
from mffrepro.report.claims import Verdict, judge
from mffrepro.report.gacn26 import METRICS, places, rivals, rivals_as_printed
from mffrepro.report.paired import one_training

#: Metrics on which the paper leads; on the others it is among the first three.
LED = METRICS[:3]


def won(differences: np.ndarray) -> float:
    """Count the metrics whose mean difference is positive.

    Args:
        differences: (images, metrics).
    """
    return float((differences.mean(0) > 0).sum())


# ------------------------------------------------------------------------------------------------------- scores


def leads(rows: pd.DataFrame, maps: pd.DataFrame) -> Verdict:
    """Test whether the authors' weights lead as claimed (C4.1).

    On three of six metrics they should be first, on the others near the top.

    The rivals are those of the paper: some rows of its Table 1 are not what their names say (A4.21).

    Args:
        rows: What `mffrepro.report.gacn26.scores` returns.
        maps: The measurement ``gacn_maps``.
    """
    name = "gacn.published"
    ours = rows[rows["method"] == name].pivot(index="stack", columns="metric", values="value")
    if ours.empty:
        return judge("C4.1", None, note="The test needs scores on the 26 pairs.")
    samples = {}
    for metric, others in rivals_as_printed(rows, maps).items():
        ahead = 0 if metric in LED else 2  # rivals that may be ahead
        left = others.mean().sort_values(ascending=False).index[ahead:]
        against = "the best rival" if metric in LED else "the third best rival"
        samples[f"{metric} against {against}"] = np.column_stack([ours[metric], others.loc[ours.index, left]])
    found, words = places(rows, name)
    note = "Rivals as the paper had them: the authors' scores of each pair, and published weights; without MFF-SSIM, DRPL and "
    note += f"FusionDN. The places are those among {words} as this package has them, which score higher than the paper's rows."
    numbers = {f"place in {metric}": place for metric, place in found.items()}
    return judge("C4.1", samples, scenes="own", statistic=lead_over_best, numbers=numbers, note=note)


def lead_over_best(scores: np.ndarray) -> float:
    """Compute the lead of the first column over the best other one.

    Args:
        scores: (images, methods); means over the images are compared.
    """
    means = scores.mean(0)
    return float(means[0] - means[1:].max())


def outputs(rows: pd.DataFrame) -> Verdict:
    """Test whether networks with a decision map beat decoders (C4.12).

    Args:
        rows: What `mffrepro.report.gacn26.scores` returns.
    """
    names = [name for name in ("gacn.published", *rivals(rows)) if CARDS[name.partition(".")[0]].kind == "network"]
    kinds = {name: CARDS[name.partition(".")[0]].has_decision for name in names}
    chosen = rows[rows["method"].isin(names)]
    if len(set(kinds.values())) < 2 or chosen.empty:
        return judge("C4.12", None, note="The test needs scores of networks of both kinds on the 26 pairs.")
    means = chosen.assign(map=chosen["method"].map(kinds)).groupby(["metric", "map", "stack"])["value"].mean()
    samples = {metric: (means[metric, True] - means[metric, False]).to_numpy() for metric in METRICS}
    of = {True: "with a map", False: "decoders"}
    note = "; ".join(f"{of[kind]}: {', '.join(n for n in names if kinds[n] is kind)}" for kind in (True, False))
    return judge("C4.12", samples, scenes="own", note=f"Networks {note}. Those without .published have weights of this package.")


def fast(rows: pd.DataFrame) -> Verdict:
    """Test whether GACN is faster than every other network but IFCNN (C4.16).

    Args:
        rows: What `mffrepro.report.gacn26.scores` returns.
    """
    recorded = rows[rows["metric"] == "qg"].pivot(index="stack", columns="method", values="seconds")
    others = [name for name in recorded if name.endswith(".published") and name not in ("gacn.published", "ifcnn.published")]
    if "gacn.published" not in recorded or not others:
        return judge("C4.16", None, note="The test needs recorded times on the 26 pairs.")
    samples = {name: (recorded[name] - recorded["gacn.published"]).to_numpy() for name in others}
    note = "Networks at the size of their papers, all by this package on one thread of one CPU; the paper timed a GPU."
    return judge("C4.16", samples, numbers=recorded.mean().loc[["gacn.published", "ifcnn.published"]].to_dict(), note=note)


def blur(table: pd.DataFrame) -> Verdict:
    """Test whether Q_g loses most when the fused image is blurred (C4.6).

    Args:
        table: The measurement ``gacn_blur``: a variant for each standard deviation.
    """
    sigmas = sorted(table["variant"].unique(), key=float)
    sharp, strongest = (by_pair(table, sigmas[i], METRICS) for i in (0, -1))
    left = strongest / sharp
    samples = {f"Q_g minus {name}": (left["qg"] - left[name]).to_numpy() for name in METRICS if name != "qg"}
    numbers = {f"{name} left at {sigma}": float((by_pair(table, sigma, METRICS) / sharp)[name].mean())
               for sigma in ("1", sigmas[-1]) for name in METRICS}  # fmt: skip
    note = f"The strongest blur has a standard deviation of {sigmas[-1]} pixels; the paper does not print its own."
    return judge("C4.6", samples, scenes="own", numbers=numbers, note=note)


def steepness(table: pd.DataFrame, k: str = "1000") -> Verdict:
    """Test whether the smooth Q_g is near the exact one (C4.19).

    Args:
        table: The measurement ``gacn_steepness``: a variant for each steepness.
        k: Steepness of the paper.
    """
    gaps = {one: by_pair(table, one, ["gap"])["gap"] for one in map(str, sorted(map(int, table["variant"].unique())))}
    numbers = {f"gap at k = {one}": float(gap.mean()) for one, gap in gaps.items()}
    return judge("C4.19", gaps[k].to_numpy(), scenes="own", numbers=numbers)


# ---------------------------------------------------------------------------------------------------- trainings


def losses(table: pd.DataFrame, where: str, seed: int) -> list[Verdict]:
    """Test which losses give the best scores (C4.3, C4.4, C4.5).

    Args:
        table: What `mffrepro.training.studies.gacn_losses.loss_study` returns.
        where: Which trainings these are, in words.
        seed: Their seed.
    """
    note = f"From {where}: one seed of minutes of training, of which means were recorded. One training cannot decide."
    best, six = "dice + qg", list(METRICS)
    noise = {}
    if "dice, repeated" in table.index:
        apart = (table.loc["dice, repeated", six] - table.loc["dice", six]).abs()
        noise = {f"{name}, two trainings with Dice and one seed apart": apart[name] for name in six}
    table = table.drop(index="dice, repeated", errors="ignore")
    pairs = {
        "C4.3": [(best, name) for name in table.index if name != best],
        "C4.4": [(name.replace(other, "dice"), name) for other in ("focal", "bce") for name in (other, f"{other} + qg")],
        "C4.5": [(best, "dice + ep"), (best, "dice + st")],
    }
    verdicts = []
    for claim, compared in pairs.items():
        counts = {f"{a} against {b}": int((table.loc[a, six] > table.loc[b, six]).sum()) for a, b in compared}
        samples = {name: one_training(count) for name, count in counts.items()}
        verdicts.append(judge(claim, samples, seeds=[seed], numbers=noise, note=note))
    return verdicts


def trainings(table: pd.DataFrame, seeds: pd.DataFrame) -> list[Verdict]:
    """Test what single choices of the recipe change (C4.2, C4.7, C4.20, C4.21).

    Args:
        table: What `mffrepro.training.studies.gacn_trainings` recorded.
        seeds: The measurement ``gacn_seeds``: a variant for each shipped network.
    """
    six = list(METRICS)
    runs = table.set_index(["changed", "seed"])[[*six, "regions", "variation"]]
    practical = runs.loc[""]
    spread = practical.max() - practical.min()
    alone = runs.loc["gradient_loss=none"].loc[1]
    noise = {name: one_training(practical.loc[1, name] - alone[name]) for name in ("regions", "variation")}
    numbers = {f"{name}, range over {len(practical)} seeds with Q_g": spread[name] for name in noise}
    note = "Whole trainings. Without Q_g there is one; seeds with Q_g differ by more than the effect."
    verdicts = [judge("C4.2", noise, seeds=[1], numbers=numbers, note=note, scenes="own")]
    spreads = {f"range of {name} over {len(practical)} seeds": spread[name] for name in six}
    by_image = by_pair(seeds, "default", six) - by_pair(seeds, "smooth", six)
    note = "Absolute value minus smooth approximation; one training of the smooth one, so it cannot be decided."
    numbers = by_image.mean().to_dict() | spreads
    verdicts.append(judge("C4.7", by_image.to_numpy()[None], seeds=[1], statistic=won, numbers=numbers, note=note, scenes="own"))
    for claim, changed in (("C4.20", "defocus=mask"), ("C4.21", "attention=False")):
        gain = practical.loc[1, six] - runs.loc[changed].loc[1, six]
        note = "One training with the change, of which means were recorded, so it cannot be decided."
        samples = one_training(float((gain > 0).sum()))
        verdicts.append(judge(claim, samples, seeds=[1], numbers=gain.to_dict() | spreads, note=note, scenes="own"))
    return verdicts


# -------------------------------------------------------------------------------------------------- many images


def many_images(
    saved: Mapping[str, np.ndarray], attempts: Mapping[tuple[str, str], Attempt], scores: pd.DataFrame, bound: float, size: str
) -> list[Verdict]:
    """Test what decision calibration saves and costs (C4.8 to C4.11).

    Args:
        saved: What `mffrepro.benchmarks.strategies.saved_runs` returns, for ``gacn``, ``cnn_fuse`` and ``sesf``.
        attempts: What `mffrepro.benchmarks.strategies.compare_strategies` returns.
        scores: The measurement ``gacn_many``: a variant for each strategy.
        bound: Share of the operations of serial fusion that calibration saves for GACN.
        size: Number and size of the images, in words.
    """
    note = f"{size}; the paper's stack of a chip is not public. The bound is the share saved if only the convolutions took time."
    verdicts = [judge("C4.8", saved["gacn"], numbers={"bound": bound}, note=note)]
    others = {name: saved[name] for name in ("cnn_fuse", "sesf")}
    verdicts.append(judge("C4.9", others, note=f"{size}; each network by its own features and decisions."))
    count = len(attempts["gacn", "serial"].result.decision)
    wanted = {"serial": (2 * (count - 1), count - 1), "calibration": (count, count - 1)}
    kinds = ("extract", "decide")
    calls = {way: [attempts["gacn", way].trace.count(kind) for kind in kinds] for way in wanted}
    apart = {f"{way}, {kind}": calls[way][i] - wanted[way][i] for way in wanted for i, kind in enumerate(kinds)}
    verdicts.append(judge("C4.10", apart, numbers={f"calls, {way}": str(tuple(made)) for way, made in calls.items()}))
    lost = gains(scores, "calibration", "serial", ["psnr"])
    ways = list(scores["variant"].unique())
    numbers = {f"{name}, {way}": by_pair(scores, way, [name])[name].mean() for name in ("qg", "psnr") for way in ways}
    note = "Stacks of four images with a known reference, the authors' weights; the paper shows one stack and no numbers."
    return [*verdicts, judge("C4.11", lost["psnr"], numbers=numbers, note=note)]


# --------------------------------------------------------------------------------------------------------- maps


def post_processing(table: pd.DataFrame) -> list[Verdict]:
    """Test what cleaning the decision map is worth (C4.13, C4.14).

    Args:
        table: The measurement ``gacn_maps``: a variant for each label of `mffrepro.benchmarks.decisions.decision_stages`.
    """
    found = {name: gains(table, f"{name}, cleaned", f"{name}, raw", METRICS) for name in ("cnn_fuse", "sesf")}
    samples = {name: np.column_stack(list(gained.values())) for name, gained in found.items()}
    numbers = {f"{metric}, {name}": gained.mean() for name, metrics in found.items() for metric, gained in metrics.items()}
    note = "Mean gains are listed. SESF-Fuse has the authors' weights, CNN-Fuse slim ones of this package."
    needed = judge("C4.13", samples, scenes="own", statistic=won, numbers=numbers, note=note)
    added = gains(table, "gacn, final without islands", "gacn, final", METRICS)
    stages = ("sesf, raw", "cnn_fuse, raw", "gacn, initial", "gacn, final")
    regions = {f"regions, {stage}": by_pair(table, stage, ["regions"])["regions"].mean() for stage in stages}
    note = "The authors' weights. Islands are regions under a hundredth of the image."
    return [needed, judge("C4.14", added, scenes="own", numbers=regions, note=note)]


def residue(table: pd.DataFrame) -> Verdict:
    """Test whether decoders change what was in focus, and GACN does not (C4.15).

    Args:
        table: The measurement ``gacn_residue``: a variant for each method.
    """
    left = table.pivot(index="stack", columns="variant", values="residue")
    ours = left.pop("gacn.published")
    samples = {name: (left[name] - ours).to_numpy() for name in left}
    numbers = {"gacn.published": ours.mean()} | left.mean().to_dict()
    note = "Mean difference from the source in focus, where CNN-Fuse and SESF-Fuse agree, 16 pixels from where they do not."
    return judge("C4.15", samples, scenes="own", numbers=numbers, note=note)


def boundary(maps: pd.DataFrame, bands: pd.DataFrame, printed: str) -> list[Verdict]:
    """Test the smoothing of the boundary and the width of its band (C4.17, C4.18).

    Args:
        maps: The measurement ``gacn_maps``.
        bands: The measurement ``gacn_bands``: a variant for each band, and ``none``.
        printed: Variant with the band of the paper.
    """
    ours = gains(bands, printed, "none", ["qg"])["qg"]
    smoothed = gains(maps, "gacn, final", "gacn, initial", METRICS)
    numbers = {f"{metric}, authors' weights": gained.mean() for metric, gained in smoothed.items()}
    numbers |= {"Q_g, weights of this package": ours.mean()}
    harm = judge("C4.17", smoothed["qg"], scenes="own", numbers=numbers, note="The authors' weights.")
    others = [name for name in bands["variant"].unique() if name not in (printed, "none")]
    samples = {f"against {name}": gains(bands, printed, name, ["qg"])["qg"] for name in others}
    return [harm, judge("C4.18", samples, scenes="own", note="Weights of this package, trained with the printed band.")]
