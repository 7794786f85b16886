"""Test the claims of the GACN paper with the tables that chapter 07 computes.

Each function takes what the chapter measured and returns the verdicts, which display and record themselves.

References: [ma2022gacn]. Chapter: 07_gacn.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mffrepro.benchmarks.strategies import Attempt
from mffrepro.images import FocusStack, FusionResult, to_unit
from mffrepro.methods import CARDS
from mffrepro.report.claims import Verdict, decide
from mffrepro.report.gacn26 import METRICS, places


def cells(table: pd.DataFrame) -> dict[str, float]:
    """List the cells of a table as "column, row" -> value, column by column."""
    return {f"{column}, {row}": value for column in table for row, value in table[column].items()}


def wins(table: pd.DataFrame, one: str, others: Sequence[str]) -> dict[str, int]:
    """Count the metrics of the paper on which a row beats each other row."""
    return {f"against {other}": int((table.loc[one, list(METRICS)] > table.loc[other, list(METRICS)]).sum()) for other in others}


# ---------------------------------------------------------------------------------------- scores and trainings


def leads(rows: pd.DataFrame) -> Verdict:
    """Test whether the authors' weights lead on three of six metrics (C4.1).

    Args:
        rows: What `mffrepro.report.gacn26.scores` returns.
    """
    found, compared = places(rows, "gacn.published")
    complete = len(found) == len(METRICS)
    led = all(found[name] == 1 for name in METRICS[:3]) and max(found.values()) <= 3 if complete else None
    note = f"Places of the authors' weights among {compared}; the paper has 22 methods."
    return decide("C4.1", led, found, note=note if found else "The test needs scores on the 26 pairs.")


def losses(table: pd.DataFrame, where: str, seed: int) -> list[Verdict]:
    """Test which losses give the best scores (C4.3, C4.4, C4.5).

    Args:
        table: What `mffrepro.training.studies.gacn_losses.loss_study` returns.
        where: Which trainings these are, in words.
        seed: Their seed.
    """
    verdicts = []
    note = f"From {where}: minutes of training or less, and one seed."
    rivals = {"C4.3": [name for name in table.index if name != "dice + qg"], "C4.5": ["dice + ep", "dice + st"]}
    for claim, others in rivals.items():
        won = wins(table, "dice + qg", others)
        text = f"Metrics of six won by dice + qg. {note}"
        verdicts.append(decide(claim, min(won.values()) > 3, won, note=text, seeds=[seed]))
    won = wins(table, "dice", ["focal", "bce"])
    won |= {f"{name}, with qg": count for name, count in wins(table, "dice + qg", ["focal + qg", "bce + qg"]).items()}
    text = f"Metrics of six won by Dice. {note}"
    return [*verdicts, decide("C4.4", min(won.values()) > 3, won, note=text, seeds=[seed])]


def trainings(table: pd.DataFrame) -> list[Verdict]:
    """Test what single choices of the recipe change (C4.2, C4.7, C4.20, C4.21).

    Args:
        table: What `mffrepro.training.studies.gacn_trainings` recorded.
    """
    runs = table.set_index(["changed", "seed"])[[*METRICS, "regions", "variation"]]
    practical, alone = runs.loc[""], runs.loc["gradient_loss=none"]
    seeds = list(alone.index.intersection(practical.index))
    noise = pd.DataFrame({"Dice": alone.loc[seeds].mean(), "Dice + Qg": practical.loc[seeds].mean()}).T
    noise = noise[["regions", "variation"]]
    note = "Initial maps of the 26 pairs, whole trainings."
    verdicts = [decide("C4.2", (noise.loc["Dice + Qg"] < noise.loc["Dice"]).all(), cells(noise), note=note, seeds=seeds)]
    rivals = {
        "C4.7": ("angle=smooth", "Absolute value minus smooth approximation"),
        "C4.20": ("defocus=mask", "With defocus spread minus without it"),
        "C4.21": ("attention=False", "With attention minus without it"),
    }
    for claim, (changed, difference) in rivals.items():
        seeds = list(practical.index.intersection(runs.loc[changed].index))
        gains = (practical.loc[seeds] - runs.loc[changed].loc[seeds]).mean()[list(METRICS)]
        numbers = gains.to_dict() | {"range of qg over three seeds": np.ptp(practical["qg"])}
        note = f"{difference}, 26 real pairs. The claim holds if the difference is positive on more than three of six metrics. "
        note += "A difference below the range over the seeds says little."
        verdicts.append(decide(claim, int((gains > 0).sum()) > 3, numbers, note=note, seeds=seeds))
    return verdicts


def outputs(candidates: Mapping[str, pd.DataFrame]) -> Verdict:
    """Test whether networks with a decision map beat decoders (C4.12).

    Args:
        candidates: Where scores come from, in words -> methods by metrics; the first that has networks of both kinds counts.
    """
    found = [(where, *_by_output(table)) for where, table in candidates.items()]
    where, means, names = next((one for one in found if len(one[1]) == 2), found[-1])
    ahead = bool((means.loc["map"] > means.loc["decoder"]).all()) if len(means) == 2 else None
    note = f"Means over networks on {where}: {', '.join(names)}. The claim holds if maps lead on all metrics."
    return decide("C4.12", ahead, cells(means), note=note)


def _by_output(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Average networks by what they compute, ``map`` or ``decoder``; list them."""
    cards = {name: CARDS[name.partition(".")[0]] for name in table.index}
    rows = table.loc[[name for name, card in cards.items() if card.kind == "network" and ".random" not in name]].dropna()
    kind = rows.index.map(lambda name: "map" if cards[name].has_decision else "decoder")
    return rows.groupby(kind).mean(), list(rows.index)


def blur(scores: Sequence[Mapping[str, float]], sigma: float) -> Verdict:
    """Test whether Q_g loses most when the fused image is blurred (C4.6).

    Args:
        scores: The six metrics without blur first and with the strongest blur last.
        sigma: Standard deviation of the strongest blur, pixels.
    """
    left = {name: scores[-1][name] / scores[0][name] for name in METRICS}
    note = f"Share of each metric that is left at a blur of {sigma} pixels."
    return decide("C4.6", min(left, key=left.get) == "qg", left, note=note)


def steepness(gaps: Mapping[int, float]) -> Verdict:
    """Test whether the smooth Q_g approaches the exact one (C4.19).

    Args:
        gaps: Steepness k -> distance from the exact loss.
    """
    return decide("C4.19", bool(np.all(np.diff(list(gaps.values())) <= 0)), {f"gap at k={k}": gap for k, gap in gaps.items()})


# -------------------------------------------------------------------------------------------------- many images


def many_images(table: pd.DataFrame, attempts: Mapping[tuple[str, str], Attempt], bound: float, size: str) -> list[Verdict]:
    """Test what decision calibration saves and costs (C4.8 to C4.11).

    Args:
        table: What `mffrepro.benchmarks.strategies.tabulate_strategies` returns.
        attempts: What `mffrepro.benchmarks.strategies.compare_strategies` returns.
        bound: Share of the operations of serial fusion that calibration saves for GACN.
        size: Number and size of the images, in words.
    """
    gacn, calibrated = table.loc["gacn"], table.xs("calibration", level=1)
    faster = {f"saved, {strategy}": gacn.loc[strategy, "saved"] for strategy in ("calibration", "carry", "rank")}
    faster |= {"predicted": gacn.loc["calibration", "predicted"], "bound": bound}
    note = f"{size}; the paper's own stack is not public. Predicted and bound are for calibration. The bound is the share saved "
    note += "if only the convolutions took time."
    verdicts = [decide("C4.8", gacn.loc["calibration", "saved"] > 0.30, faster, note=note)]
    others = {
        f"{name}, {what}": calibrated.loc[name, what] for name in ("cnn_fuse", "sesf", "dsift") for what in ("saved", "predicted")
    }
    note = f"{size}. The claim holds if both networks are faster. Dense SIFT takes longer to decide than to extract, so there is "
    note += "little to save."
    verdicts.append(decide("C4.9", min(others["cnn_fuse, saved"], others["sesf, saved"]) > 0, others, note=note))
    count = len(attempts["gacn", "serial"].result.decision)
    wanted = {"serial": (2 * (count - 1), count - 1), "calibration": (count, count - 1), "carry": (count, count - 1)}
    asked = {way: tuple(attempts["gacn", way].trace.count(kind) for kind in ("extract", "decide")) for way in wanted}
    numbers = {f"{way} (extractions, decisions)": str(calls) for way, calls in asked.items()}
    verdicts.append(decide("C4.10", asked == wanted, numbers))
    quality = gacn.loc[["serial", "calibration", "carry", "rank"], ["qg", "psnr"]]
    near = (quality - quality.loc["serial"]).abs().lt([0.01, 1.0]).all(axis=1)
    both = (
        "carry and rank stay within both limits"
        if near["carry"] and near["rank"]
        else "carry and rank do not both stay within them"
    )
    note = f"Small means less than 0.01 of Q_g and less than one decibel. {size}; {both}."
    return [*verdicts, decide("C4.11", near["calibration"], cells(quality), note=note)]


# --------------------------------------------------------------------------------------------------------- maps


def post_processing(table: pd.DataFrame) -> list[Verdict]:
    """Test what cleaning the decision map is worth (C4.13, C4.14).

    Args:
        table: ``mask_accuracy`` and ``qg`` of every label of `mffrepro.benchmarks.decisions.decision_stages`.
    """
    columns = ["mask_accuracy", "qg"]
    gains = {
        f"{what}, {name}": table.loc[f"{name}, cleaned", what] - table.loc[f"{name}, raw", what]
        for name in ("sesf", "cnn_fuse", "sml")
        for what in columns
    }
    note = "The gain from cleaning; networks with the weights of this book."
    needed = all(gain > 0 for name, gain in gains.items() if "sml" not in name)
    stages = table.loc[["gacn, initial", "gacn, islands removed"], columns]
    no_gain = bool((stages.iloc[1] - stages.iloc[0] < 1e-3).all())
    limit = "No gain means: removing islands under a hundredth of the image adds less than 0.001 to both."
    numbers = {f"{what}, {row}": stages.loc[row, what] for row in stages.index for what in columns}
    return [decide("C4.13", needed, gains, note=note), decide("C4.14", no_gain, numbers, note=limit)]


def residue(pair: FocusStack, results: Mapping[str, FusionResult]) -> Verdict:
    """Test whether decoders change what was in focus, and GACN does not (C4.15).

    Args:
        pair: Near- and far-focused image with the true decision.
        results: Method -> fused image.
    """
    inside, near = pair.decision[0] > 0.5, to_unit(pair.images[0])
    left = {name: float(255 * np.abs(to_unit(result.image) - near)[inside].mean()) for name, result in results.items()}
    note = "Mean difference from the near-focused image inside the mask, in gray levels. The claim holds if decoders leave more "
    note += "than half a level and GACN does not."
    decoders = [left[name] for name in ("ifcnn", "densefuse", "u2fusion")]
    return decide("C4.15", left["gacn"] < 0.5 < min(decoders), left, note=note)


def fast(seconds: pd.Series) -> Verdict:
    """Test whether GACN is faster than the transforms that ran beside it (C4.16).

    Args:
        seconds: Method -> seconds per pair.
    """
    transforms = [name for name in ("lp", "dwt", "swt", "dtcwt", "cvt", "nsct", "nsst") if name in seconds.index]
    note = "Seconds per pair on this machine; the paper times its network on a GPU and the transforms on a CPU, in MATLAB."
    return decide("C4.16", seconds["gacn"] < seconds[transforms].min(), seconds[["gacn", *transforms]].to_dict(), note=note)


def boundary(smoothing: pd.DataFrame, bands: pd.DataFrame, printed: str) -> list[Verdict]:
    """Test the smoothing of the boundary and the width of its band (C4.17, C4.18).

    Args:
        smoothing: Scores by the kind of smoothing: ``none``, ``paper`` and ``published``.
        bands: Scores by band.
        printed: The row of `bands` with the band of the paper.
    """
    note = "Final map against initial map on the embedded stacks."
    better = smoothing.loc["paper", "qg"] >= smoothing.loc["none", "qg"]
    best = bands["qg"].idxmax() == bands["qabf"].idxmax() == printed
    text = f"The claim holds if the paper's band is the best of {len(bands)} in Q_g and in Q_ABF."
    return [
        decide("C4.17", better, cells(smoothing[["qg"]]), note=note),
        decide("C4.18", best, cells(bands[["qg"]]), note=text),
    ]
