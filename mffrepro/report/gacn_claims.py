"""Test the claims of the GACN paper with the tables that its chapters compute or read.

Each function takes what was measured, pair by pair where there are pairs, and returns the verdicts, which display and record
themselves. A claim about metrics "in most cases" counts the metrics of six that are won.

References: [ma2022gacn]. Chapters: 07_gacn, 14_many_images, 15_gacn_trainings.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mffrepro.benchmarks.measurements import by_pair, gains
from mffrepro.benchmarks.measurements.gacn import BANDS, NEAR, PRINTED_BAND, SEEDS
from mffrepro.benchmarks.strategies import Attempt
from mffrepro.methods import CARDS
from mffrepro.report.claims import Verdict, judge
from mffrepro.report.gacn26 import METRICS, places, rivals, rivals_as_printed
from mffrepro.report.tables import reported

#: Metrics on which the paper leads; on the others it is among the first three.
LED = METRICS[:3]
#: Places that are near the top.
PLACES = 3


def won(differences: np.ndarray) -> float:
    """Count the metrics that are won beyond their noise.

    Their mean difference is over twice its standard error.

    Args:
        differences: (images, metrics).
    """
    errors = differences.std(0, ddof=1) / np.sqrt(len(differences))
    return float((differences.mean(0) > 2 * errors).sum())


def ahead(differences: np.ndarray) -> float:
    """Count the metrics whose mean difference is above zero.

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
        against, times = ("best", PLACES) if metric in LED else ("third best", 1)
        scores = np.repeat(others.loc[ours.index].to_numpy(), times, axis=1)  # the third of three equal rivals is the best
        samples[f"{metric} against the {against} rival"] = np.column_stack([ours[metric], scores])
    found, words = places(rows, name)
    note = "Rivals as the paper had them: the authors' scores of each pair, and published weights; without MFF-SSIM, DRPL and "
    note += "FusionDN."
    if found:
        note += f" The places are those among {words} as this package has them; most score higher than the paper's rows."
    numbers = {f"place in {metric}": place for metric, place in found.items()}
    numbers |= {"Q_y of SESF-Fuse, computed anew": by_pair(maps, "sesf, as published", ["qy"])["qy"].mean()}
    numbers |= {"Q_y of SESF-Fuse, printed": reported("p004_table1").loc["SESF-Fuse", "qy"]}
    return judge("C4.1", samples, scenes="own", statistic=lead_over_third, numbers=numbers, note=note)


def lead_over_third(scores: np.ndarray) -> float:
    """Compute the lead of the first column over the third best other one.

    Every draw ranks the others anew.

    Args:
        scores: (images, methods); means over the images are compared.
    """
    means = scores.mean(0)
    return float(means[0] - np.sort(means[1:])[-PLACES])


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
    """Say why the ranking by time cannot be tested (C4.16).

    The times of this package are listed.

    Args:
        rows: What `mffrepro.report.gacn26.scores` returns.
    """
    recorded = rows[rows["metric"] == "qg"].pivot(index="stack", columns="method", values="seconds")
    listed = ("gacn.published", *rivals(rows))
    times = {name: recorded[name].mean() for name in listed if name in recorded and name.endswith(".published")}
    note = "The paper ranks times on its GPU and ties GACN with DRPL, of which this package has no weights of the authors. The "
    note += "listed seconds are those of one thread of one CPU, which may rank otherwise: they neither confirm nor refute it."
    return judge("C4.16", None, numbers=times, note=note)


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


def losses(scores: Mapping[str, Mapping[int, pd.DataFrame]]) -> list[Verdict]:
    """Test which losses give the best scores (C4.3, C4.4, C4.5).

    Args:
        scores: By combination of losses and seed, the six metrics of each pair, as the study ``gacn_losses`` keeps them.
    """
    best = "dice + qg"
    pairs = {
        "C4.3": [(best, name) for name in scores if name != best],
        "C4.4": [(name.replace(other, "dice"), name) for other in ("focal", "bce") for name in (other, f"{other} + qg")],
        "C4.5": [(best, "dice + ep"), (best, "dice + st")],
    }
    verdicts = []
    for claim, compared in pairs.items():
        gained = {f"{a} against {b}": _by_seed(scores[a], scores[b]) for a, b in compared}
        seeds = sorted(set.intersection(*(set(scores[name]) for pair in compared for name in pair)))
        samples = {name: np.stack([gain[seed] for seed in seeds]) for name, gain in gained.items()}
        counts = {f"metrics won, {name}": np.mean([ahead(one) for one in gain]) for name, gain in samples.items()}
        verdicts.append(judge(claim, samples, seeds=seeds, statistic=ahead, scenes="own", numbers=counts, note=_LOSSES_NOTE))
    return verdicts


_LOSSES_NOTE = "Twelve trainings of half the usual length at the paper's crop, scored on the 26 pairs."


def _by_seed(
    first: Mapping[int, pd.DataFrame], second: Mapping[int, pd.DataFrame], columns: Sequence[str] = METRICS
) -> dict[int, np.ndarray]:
    """Subtract the scores of one kind of training from those of another: by seed, (images, columns)."""
    both = sorted(set(first) & set(second))
    tables = [[one[seed].set_index("stack")[list(columns)] for seed in both] for one in (first, second)]
    return {seed: (a - b).to_numpy() for seed, a, b in zip(both, *tables, strict=True)}


#: How restless a map is, pair by pair.
NOISE = ("regions", "variation")


def trainings(choices: Mapping[str, Mapping[int, pd.DataFrame]]) -> list[Verdict]:
    """Test what single choices of the recipe change (C4.2, C4.7, C4.20, C4.21).

    Args:
        choices: What the study ``gacn_trainings`` recorded: scores of each pair, by choice and seed. The practical recipe has no
            name.
    """
    practical = choices[""]
    ranges = {column: np.ptp([table[column].mean() for table in practical.values()]) for column in (*METRICS, *NOISE)}
    gained = _by_seed(practical, choices["gradient_loss=none"], NOISE)
    noise = {name: np.stack([gain[:, i] for gain in gained.values()]) for i, name in enumerate(NOISE)}
    numbers = {f"{name}, range over {len(practical)} seeds with Q_g": ranges[name] for name in NOISE}
    within = [name for name, gain in noise.items() if abs(gain.mean()) < ranges[name]]
    note = f"Whole trainings. Smaller than what seeds with Q_g differ by: {', '.join(within) or 'neither effect'}."
    verdicts = [judge("C4.2", noise, seeds=[*gained], numbers=numbers, note=note, scenes="own")]
    spreads = {f"range of {name} over {len(practical)} seeds": ranges[name] for name in METRICS}
    for claim, changed in (("C4.7", "angle=smooth"), ("C4.20", "defocus=mask"), ("C4.21", "attention=False")):
        gained = _by_seed(practical, choices[changed])
        samples = np.stack([*gained.values()])
        numbers = dict(zip(METRICS, samples.mean((0, 1)), strict=True)) | spreads
        note = f"The practical recipe minus the training with {changed}; fewer than three seeds do not decide."
        verdicts.append(judge(claim, samples, seeds=[*gained], statistic=ahead, numbers=numbers, note=note, scenes="own"))
    return verdicts


# -------------------------------------------------------------------------------------------------- many images


def many_images(
    saved: Mapping[str, np.ndarray],
    attempts: Mapping[tuple[str, str], Attempt],
    scores: pd.DataFrame,
    predicted: float,
    size: str,
) -> list[Verdict]:
    """Test what decision calibration saves and costs (C4.8 to C4.11).

    Args:
        saved: What `mffrepro.benchmarks.strategies.saved_runs` returns, for ``gacn``, ``cnn_fuse`` and ``sesf``.
        attempts: What `mffrepro.benchmarks.strategies.compare_strategies` returns.
        scores: The measurement ``gacn_many``: a variant for each strategy.
        predicted: Share of the operations of serial fusion that calibration saves for GACN.
        size: Number and size of the images, in words.
    """
    count = len(attempts["gacn", "serial"].result.decision)
    note = f"Runs on one stack of {size} and one machine; on a CPU its processor time counts. {_SAVING_NOTE}"
    numbers = {"measured on this stack": saved["gacn"].mean(), "predicted for it": predicted}
    verdicts = [judge("C4.8", saved["gacn"] * (count - 1) / (count - 2), numbers=numbers, note=note)]
    others = {name: saved[name] for name in ("cnn_fuse", "sesf")}
    verdicts.append(judge("C4.9", others, note=f"{size}; each network by its own features and decisions."))
    wanted = {"serial": (2 * (count - 1), count - 1), "calibration": (count, count - 1)}
    kinds = ("extract", "decide")
    calls = {way: [attempts["gacn", way].trace.count(kind) for kind in kinds] for way in wanted}
    apart = {f"{way}, {kind}": calls[way][i] - wanted[way][i] for way in wanted for i, kind in enumerate(kinds)}
    verdicts.append(judge("C4.10", apart, numbers={f"calls, {way}": str(tuple(made)) for way, made in calls.items()}))
    lost = gains(scores, "calibration", "serial", ["psnr", "qg"])
    ways = list(scores["variant"].unique())
    numbers = {f"{name}, {way}": by_pair(scores, way, [name])[name].mean() for name in ("qg", "psnr") for way in ways}
    samples = {"PSNR": lost["psnr"], "Q_g": lost["qg"]}
    return [*verdicts, judge("C4.11", samples, numbers=numbers, note=_CALIBRATION_NOTE)]


_SAVING_NOTE = (
    "The load and other machines change the share, and so does the number of images. The paper does not print how many its stack "
    "has, so the share is that of very many, the largest that follows from the runs: of N images, calibration saves (N - 2) / "
    "(N - 1) of it. Predicted is the share saved of the convolutions' operations, which the time need not follow."
)
_CALIBRATION_NOTE = (
    "Stacks of four images with a known reference, the authors' weights; the paper shows one stack and no numbers. It grants "
    "that wrong features propagate, and a loss of PSNR agrees with that half of the claim. Versions of this test read Q_g alone "
    "and then PSNR alone; both are parts now."
)


# --------------------------------------------------------------------------------------------------------- maps


def post_processing(table: pd.DataFrame) -> list[Verdict]:
    """Test what cleaning the decision map is worth (C4.13, C4.14).

    Args:
        table: The measurement ``gacn_maps``: a variant for each label of `mffrepro.benchmarks.decisions.decision_stages`.
    """
    cleaned = {"sesf, as published": "sesf, raw", "sesf, cleaned": "sesf, raw", "cnn_fuse, cleaned": "cnn_fuse, raw"}
    found = {stage: gains(table, stage, raw, METRICS) for stage, raw in cleaned.items()}
    numbers = {f"{metric}, {stage}": gained.mean() for stage, metrics in found.items() for metric, gained in metrics.items()}
    note = (
        "SESF-Fuse with the authors' weights and their own filter decides. Its cleaning by this package's filter is only listed, "
    )
    note += "and so is CNN-Fuse, which has slim weights of this package."
    sesf = np.column_stack(list(found["sesf, as published"].values()))
    needed = judge("C4.13", sesf, scenes="own", statistic=won, numbers=numbers, note=note)
    cleaner = gains(table, "gacn, final without islands", "gacn, final", [*METRICS, "regions"])
    samples = {metric: cleaner[metric] for metric in METRICS} | {"islands": -cleaner["regions"]}
    stages = ("sesf, raw", "cnn_fuse, raw", "gacn, initial", "gacn, final", "gacn, final without islands")
    regions = {f"regions, {stage}": by_pair(table, stage, ["regions"])["regions"].mean() for stage in stages}
    note = "The authors' weights. Islands are regions under a hundredth of the image, right or wrong: there is no true map."
    return [needed, judge("C4.14", samples, scenes="own", numbers=regions, note=note)]


def residue(table: pd.DataFrame) -> Verdict:
    """Test whether decoders change what was in focus, and GACN does not (C4.15).

    Args:
        table: The measurement ``gacn_residue``: a variant for each method.
    """
    left = table.pivot(index="stack", columns="variant", values="residue")
    ours = left.pop("gacn.published")
    samples = {name: (left[name] - ours).to_numpy() for name in left if name.endswith(".published")}
    numbers = {"gacn.published": ours.mean()} | left.mean().to_dict()
    note = "Mean difference from the source in focus, where CNN-Fuse and SESF-Fuse agree, 16 pixels from where they do not. "
    note += "Decoders with weights of this package are only listed."
    return judge("C4.15", samples, scenes="own", numbers=numbers, note=note)


def boundary(table: pd.DataFrame) -> Verdict:
    """Test the smoothing of the boundary where it acts (C4.17).

    Args:
        table: The measurement ``gacn_boundary``: the variants ``initial`` and ``final``.
    """
    gained = gains(table, "final", "initial", ["qg near", "qabf near", "variation near"])
    rougher = {"roughness of the map": gained.pop("variation near").mean()}
    note = f"The authors' weights, pixels within {NEAR} of the border of the initial map. The map is smoother by construction."
    return judge("C4.17", gained, scenes="own", numbers=rougher, note=note)


def band_width(table: pd.DataFrame) -> Verdict:
    """Test the width of the boundary band (C4.18).

    Detail is compared with wider bands, and smoothness with thinner ones.

    Args:
        table: The measurement ``gacn_bands``: a variant for each band and training.
    """
    seeds = [name for name in SEEDS if f"{PRINTED_BAND}, {name}" in set(table["variant"])]

    def gained(band: str, quantity: str) -> np.ndarray:
        """Compute how much more the printed band has than another, (trainings, images)."""
        pairs = [(f"{PRINTED_BAND}, {name}", f"{band}, {name}") for name in seeds]
        return np.array([gains(table, printed, other, [quantity])[quantity] for printed, other in pairs])

    wider = [name for name, (low, _) in BANDS.items() if low < BANDS[PRINTED_BAND][0]]
    thinner = [name for name, (low, _) in BANDS.items() if low > BANDS[PRINTED_BAND][0]]
    samples = {f"detail, against {band}": gained(band, "qg near") for band in wider}
    samples |= {f"smoothness, against {band}": -gained(band, "variation near") for band in thinner}
    note = f"{len(seeds)} training{'s' * (len(seeds) != 1)} of this package with the printed band. The paper does not say how "
    note += "smooth is enough."
    means = table.groupby(table["variant"].str.rpartition(", ")[0], sort=False)["variation near"].mean()
    numbers = {f"variation of the map near the boundary, {band}": float(mean) for band, mean in means.items()}
    return judge("C4.18", samples, seeds=range(1, len(seeds) + 1), scenes="own", numbers=numbers, note=note)
