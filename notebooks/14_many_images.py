# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Many images: serial, calibrated or ranked?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/14_many_images.ipynb)
#
# A focal stack has more than two images, and GACN compares two. Its paper proposes *decision calibration*, which is said to save over 30 % of the
# time and to change the quality hardly at all. **How should a network that compares two images fuse many: one after the other, by calibration, or by ranking
# all of them?**
#
# *Paper:* Boyuan Ma, Xiang Yin, Di Wu, Haokai Shen, Xiaojuan Ban, Yu Wang, *End-to-end learning for simultaneously generating
# decision map and multi-focus image fusion result*, Neurocomputing 470, 2022, section 3.6 and Eq. 19 [ma2022gacn]. The
# [chapter on GACN](07_gacn.ipynb) has the network itself.
#
# The answer is computed from the verdicts at the end of the chapter. The book shows a copy of it here, in the box *In one minute*.
#
# *Needs: a CPU; about a minute and a half (quick), longer (full).*
#
# *Read first: [GACN](07_gacn.ipynb): its feature path, its decision path and the slope of its sigmoid.*

# %% [markdown]
# ## Set up
#
# The folded cell holds the parameters of the chapter and installs mffrepro where it is missing, as in Colab. `profile`: `"quick"` takes
# minutes on a CPU, `"full"` uses all of the data; `dataset`: a name of `mff.list_datasets()`; `retrain`: `"yes"` trains the networks of the chapter anew.

# %% tags=["parameters", "hide-input"]
profile = "quick"
dataset = "embedded"
device = "auto"
retrain = "no"
seed = 1

import importlib.util
import subprocess
import sys

if importlib.util.find_spec("mffrepro") is None:  # Colab, Kaggle, any bare kernel
    subprocess.check_call(
        [sys.executable, "-m", "pip", "install", "-q"]
        + ["--no-deps"]
        * bool(importlib.util.find_spec("torch"))  # the host's torch stays
        + ["git+https://github.com/mffrepro/mffrepro@main"]
    )
    importlib.invalidate_caches()
    print("installed mffrepro from github.com/mffrepro/mffrepro")
assert importlib.import_module("mffrepro")  # before torch: says how its threads wait

# %% tags=["remove-input"]
import time
from functools import partial

import numpy as np
import pandas as pd
import torch
from IPython.display import display
from scipy.ndimage import uniform_filter

import mffrepro as mff
from mffrepro.benchmarks import measurements, speed, strategies
from mffrepro.data.photographs import is_fetched
from mffrepro.fusion.decision import extract_all
from mffrepro.images import FocusStack, to_gray
from mffrepro.models.gacn import GacnComparer
from mffrepro.report import diagram, figures, gacn_claims, tables
from mffrepro.report.evidence import estimate
from mffrepro.report.explorable import Explorable, State
from mffrepro.report.interval_chart import numbers
from mffrepro.report.source import show_source

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)
network = mff.methods.load_network("gacn", device=device)
comparer = GacnComparer(network)

# %% [markdown]
# ## Figure 3: four strategies for many images
#
# A comparison of two images has two parts. The feature path *extracts* the activity level of one image, and the decision path *decides* between two
# activity levels. The strategies for $N_I$ images differ in what they extract and compare:
#
# * **serial**: fuse the first two images, then the result with the third, and so on. Each intermediate result passes through the feature path again,
#   which makes $2(N_I - 1)$ extractions and $N_I - 1$ decisions.
# * **calibration**: the decision calibration of the paper. Each image passes through the feature path once and is compared with the first image only:
#   $N_I$ extractions and $N_I - 1$ decisions. Eq. 19 then computes how clear each image is and copies each pixel from the clearest.
# * **carry**: ours. Fuse one after the other as in serial fusion, but keep the activity level of the winner at each pixel instead of extracting it
#   from the intermediate result. Every image is compared with the sharpest so far: $N_I$ extractions and $N_I - 1$ decisions.
# * **rank**: ours, and the default. Order the images at each pixel by the mean of their 64 activity levels. The decision path chooses between the
#   first two ranks, once for the whole stack, and the borders between all winners are smoothed together: $N_I$ extractions and one decision.
#
# For the final map $p^j$ of image 1 against image $j$, calibration takes at pixel $i$ the image with the largest entry of the decision volume
#
# $$DV_i^j = \begin{cases} p_i^2 & j = 1 \\ 1 - p_i^2 & j = 2 \\ \dfrac{p_i^2\,(1 - p_i^j)}{p_i^j} & j > 2 \end{cases} \qquad (19)$$
#
# where upper numbers are indices, not powers. If $p^j$ is the share $a_1 / (a_1 + a_j)$ of two clarities, then $a_j = a_1 (1 - p^j) / p^j$, and (19) lists the
# clarities of all images, scaled to $a_1 + a_2 = 1$. The diagrams show the recorded calls of a comparer, for four images of a stack.

# %%
lens = mff.load("embedded", size=run.pick(quick=256, full=512, tiny=128))[
    "motorcycle_lens"
]
four = FocusStack("four", lens.images[:4])
diagram.strategies(
    {
        name: strategies.attempt(four, comparer, name).trace
        for name in strategies.strategies_of(comparer)
    },
    alt=(
        "Four diagrams: serial fusion extracts from each fused image; calibration "
        "compares all with the first, carry with the winner; rank decides once."
    ),
    caption=(
        "Fig. 3 of the paper, with two strategies more. Blue: activity level of an "
        "image. Orange: decision path. Arrows: the results that a call needed."
    ),
)

# %% [markdown]
# ## Table 3: time per image, serial or calibrated
#
# The paper's stack of a chip is not public. Here five comparers fuse a rendered stack: GACN, the two networks that the paper
# times beside it, dense SIFT, and `share`, the simplest soft map: the share of the first image in the sum of both spatial frequencies. *Predicted* is
# the saving that follows from the number of calls and the seconds of one extraction and one decision (A4.20).

# %%
from mffrepro.baselines.dsift import DescriptorComparer
from mffrepro.fusion.multi_image import ImageComparer
from mffrepro.models import cnn_fuse, sesf


def share(first, second):
    sharpness = [
        uniform_filter(np.square(np.gradient(to_gray(image))).sum(0), 11) + 1e-8
        for image in (first, second)
    ]
    return sharpness[0] / (sharpness[0] + sharpness[1])


comparers = {
    "gacn": comparer,
    "sesf": sesf.SesfComparer(mff.methods.load_network("sesf", device=device)),
    "cnn_fuse": cnn_fuse.comparer(mff.methods.load_network("cnn_fuse", device=device)),
    "dsift": DescriptorComparer(24, 8, 3600),
    "share": ImageComparer(share),
}
attempts = strategies.compare_strategies(
    lens, comparers, repeats=run.pick(quick=2, full=3, tiny=1)
)
many = strategies.tabulate_strategies(lens, attempts)
timed = {name: comparers[name] for name in ("gacn", "sesf", "cnn_fuse")}
clock = time.perf_counter if network.gaussian.is_cuda else time.process_time
saved = strategies.saved_runs(lens, timed, runs=5, clock=clock)

# %% tags=["hide-input"]
printed = tables.reported("p004_table3").set_axis(["serial", "calibration"], axis=1)
printed["saved"] = 1 - printed["calibration"] / printed["serial"]
here = many["seconds"].unstack()[["serial", "calibration"]].loc[list(timed)]
here = here.assign(
    saved=pd.Series({name: shares.mean() for name, shares in saved.items()})
)
size = f"{len(lens)} images of {lens.images.shape[2]} × {lens.images.shape[1]}"
title = (
    "Table 3: seconds per image and share saved; printed for a chip of 2700 × 1800, "
    f"here for {size}: seconds by the clock, the share from five more runs"
)
display(
    tables.beside(
        tables.method_names(printed, tables.TIMED_NAMES), here, caption=title, digits=3
    )
)
tables.plain(many, caption=f"All strategies; {size}; seconds per image", digits=3)

# %% [markdown]
# Fewer extractions save the larger a share of the time, the less a decision costs beside an extraction. Dense SIFT takes long to decide. The extraction of
# `share` costs nothing, so what it seems to save or lose is the noise of the clock, and what else the strategies do. GACN's convolutions need far more
# operations to decide than to extract, which predicts a small saving; but operations are not all that takes time. Fewer decisions save more, which is what ranking does. [The appendix on speed](13_speed.ipynb) compares all networks with the
# limits of the machine.

# %%
with torch.inference_mode():
    probe = torch.rand(1, 1, 520, 520, device=network.gaussian.device)
    level = network.extract(probe)
calls = {
    "extract": partial(network.features, probe),
    "decide": partial(network.decide, probe, probe, level, level),
}
cost = {kind: speed.count_work(call).operations for kind, call in calls.items()}
predicted = {
    name: strategies.share_saved(
        attempts["gacn", name].trace, attempts["gacn", "serial"].trace, cost
    )
    for name in many.loc["gacn"].index
}
needed = (f"to {kind}: {n / 1e9:.1f} · 10⁹ operations" for kind, n in cost.items())
print(*needed, sep=", ")
print(
    "predicted by operations:",
    ", ".join(
        f"{predicted[name]:.0%} saved by {name}" for name in ("calibration", "rank")
    ),
)

# %% [markdown]
# ## Why calibration loses detail
#
# And the images? With the network, calibration is **far below** serial fusion in PSNR and SF. Eq. 19 needs maps that say *how much* sharper an image
# is. A map that has passed a sigmoid of slope 1000 says only *which* image is sharper: nearly all its values are 0 or 1. Where the second image
# beats the first, $p^2 = 0$, and with it all other entries of (19) are 0: the second wins, however sharp the others are. Where the first beats the second
# but loses to several others, these tie, and the earliest of them wins (A4.6). On the stack below that
# is rare; where many frames beat the first one at a pixel, it is the rule. The
# soft `share` fits (19): there calibration picks the sharpest image of all, and serial fusion fails, because it blends by the share at every step.

# %%
each = extract_all(lens, comparer)
finals = np.stack([comparer.decide(each[0], other)[0] for other in each[1:]])
volume = np.stack(
    [finals[0], 1 - finals[0], *(finals[0] * (1 - p) / (p + 1e-4) for p in finals[1:])]
)
saturated = ((finals < 1e-4) | (finals > 1 - 1e-4)).mean()
ties = ((volume == volume.max(0)).sum(0) > 1).mean()
second_wins = (volume.argmax(0) == 1)[finals[0] <= 1e-4].mean()
print(
    f"values within 1e-4 of 0 or 1: {saturated:.1%}; pixels with a tie for the "
    f"largest entry: {ties:.1%}"
)
print(
    f"pixels where the second image beats the first: {second_wins:.1%} of them go to "
    "the second image"
)

# %% [markdown]
# See it on a line of pixels, with the first five images. *Slope* is that of the maps in (19), 1000 in the paper. Does a gentler slope bring Eq. 19
# as near to the truth as ranking?

# %% tags=["hide-input"]
by_slope = strategies.choices(lens.images[:5], comparer, [1, 10, 100, 1000])
nearest = np.minimum(lens.decision.argmax(0), 4) + 1  # of the first five
rows = [round(share * len(nearest)) for share in (0.2, 0.35, 0.5, 0.65, 0.8)]


def on_row(slope, row):
    chosen = {"truth": nearest} | by_slope[slope]
    chart = figures.steps(
        {name: numbers[row] for name, numbers in chosen.items()},
        xlabel="column",
        ylabel="image",
    )
    right = {
        name: f"{(numbers == nearest).mean():.0%}"
        for name, numbers in by_slope[slope].items()
    }
    return State({"": chart}, right)


Explorable(
    {"slope": list(by_slope), "row": rows},
    on_row,
    start=[1000, rows[2]],
    alt="Which of five images is chosen along a row: truth, Eq. 19 and ranking.",
    caption=(
        "The image that is chosen at each pixel of a row. Numbers: share of the pixels "
        "of the whole picture that are right."
    ),
)

# %% [markdown]
# The logits do not saturate. The same order computed from them (`calibration_log`) removes the ties, but it does not help: both forms compare every image
# with the *first*, and the network was trained to tell which of two images is sharper, not by how much. Beating the first image by more does not make an
# image the sharpest. The result must then depend on which image comes first. So the same stack is also fused from the last image to the first.
#
# The clarity that (19) seeks in the maps can be read one step earlier: all activity levels have one scale before any two are compared.
# Ranking by them has no first image, so the order of the stack does not matter.

# %%
attempts["gacn", "calibration_log"] = strategies.attempt(
    lens, comparer, "calibration_log"
)
forward = {name: made for (method, name), made in attempts.items() if method == "gacn"}
orders = strategies.compare_orders(lens, forward, comparer)
tables.plain(
    orders,
    caption=(
        "PSNR in decibels for both orders of the images; inf: the fused images are "
        "equal"
    ),
    digits=2,
)

# %% [markdown]
# ## Figure 10: the fused images

# %% tags=["hide-input"]
scale = lens.images.shape[2] / 512
boxes = [
    tuple(round(scale * side) for side in box)
    for box in ((60, 60, 70, 100), (210, 250, 70, 100))
]
figures.comparison(
    {
        "first of the stack": lens.images[0],
        "last": lens.images[-1],
        "reference": lens.reference,
    }
    | {name: made.result.image for name, made in forward.items()},
    zoom=boxes,
    columns=3,
    alt=(
        "A motorcycle: sharp all over in the reference and by serial, carry and rank; "
        "with blurred and ragged patches by calibration."
    ),
    caption=(
        "Fig. 10 of the paper, on a rendered stack: GACN. Serial, carry and rank are "
        "near the reference; both forms of calibration leave blurred patches with "
        "ragged borders."
    ),
)

# %% tags=["hide-input"]
two = ("serial", "calibration")
panels = {
    f"{name}, {way}": attempts[name, way].result.image
    for name in ("cnn_fuse", "sesf")
    for way in two
}
figures.comparison(
    panels,
    zoom=boxes,
    columns=2,
    alt=(
        "The same motorcycle by CNN-Fuse and SESF-Fuse, each by serial fusion and by "
        "calibration."
    ),
    caption="Fig. 10 of the paper, its panels of CNN-Fuse and SESF-Fuse.",
)

# %% [markdown]
# The authors published one microscope stack. Where it has been fetched (`mffrepro data fetch v4stack`), its frames are fused as well.

# %% tags=["hide-input"]
if is_fetched("v4stack"):
    window = run.pick(
        quick=np.s_[:, 450:690, 600:920],
        full=np.s_[:, 300:900, 400:1200],
        tiny=np.s_[:, 450:514, 600:664],
    )
    microscope = FocusStack("v4stack", mff.load("v4stack")[0].images[window])
    made = strategies.compare_strategies(microscope, {"gacn": comparer}, repeats=1)
    table = strategies.tabulate_strategies(microscope, made, ["qg", "sf"]).loc[
        "gacn", ["seconds", "qg", "sf"]
    ]
    count, height, width = microscope.images.shape[:3]
    display(
        tables.plain(
            table, caption=f"{count} frames of {width} × {height}; seconds per image"
        )
    )
    shown = {"frame 1": microscope.images[0], f"frame {count}": microscope.images[-1]}
    shown |= {name: one.result.image for (_, name), one in made.items()}
    alt = (
        "Two frames of a microscope stack and four fusions of all: calibration leaves "
        "blurred and ragged patches."
    )
    display(
        figures.comparison(
            shown,
            alt=alt,
            columns=3,
            caption="Not in the paper: frames of a microscope, fused by GACN.",
        )
    )
else:
    print(
        "The stack has not been fetched in this build; run `mffrepro data fetch "
        "v4stack` first."
    )

# %% [markdown]
# ## Twelve stacks with a known reference
#
# One stack is one case. The same strategies were recorded on twelve stacks of four images, with the authors' weights. They are made of photographs of
# the Berkeley set: four layers, from the lower border upwards, each sharp in one image and equally blurred in the others. So which of two images that
# are both blurred at a place is said to be the sharper one there is chance, and calibration depends on such comparisons. The table has each strategy minus
# serial fusion, with its 95 % interval: an interval that contains zero leaves open which of the two is better.

# %%
recorded = measurements.recorded("gacn_many")
apart = {
    way: measurements.gains(recorded, way, "serial", ["psnr", "qg"])
    for way in ("calibration", "carry", "rank")
}
against = pd.DataFrame(
    {
        way: {metric: numbers(estimate(gain)) for metric, gain in gains.items()}
        for way, gains in apart.items()
    }
).T
count = recorded["stack"].nunique()
tables.plain(
    against, caption=f"Minus serial fusion, means over {count} recorded stacks"
)

# %% [markdown]
# ## Claims and verdicts
#
# Time is measured in this run, calls are counted in it, and quality was recorded on twelve stacks with a known reference, with date, commit and
# machine. The tests are in the folded source.

# %% tags=["hide-input"]
show_source(gacn_claims.many_images)
display(
    *gacn_claims.many_images(
        saved,
        attempts,
        recorded,
        predicted["calibration"],
        size,
    )
)

# %% [markdown]
# ### The answer

# %% tags=["hide-input", "in-one-minute"]
from mffrepro.report.summary import in_one_minute, says

question = (
    "How should a network that compares two images fuse many: one after the other, by "
    "calibration, or by ranking all of them?"
)
others = (
    "Against serial fusion, carrying changes PSNR by "
    f"{against.loc['carry', 'psnr']} dB and ranking, the default, by "
    f"{against.loc['rank', 'psnr']} dB; Q_g changes by "
    f"{against.loc['carry', 'qg']} and {against.loc['rank', 'qg']}."
)
in_one_minute(
    "gacn",
    question,
    answer=f"{says('C4.11')} {others}",
    best="C4.11",
    number="Calibration minus serial fusion, PSNR in decibels and Q_g",
    learned=[says("C4.8"), says("C4.9"), says("C4.10")],
    elsewhere=["07_gacn", "15_gacn_trainings"],
)

# %% [markdown]
# The maps say which image is sharper and not by how much, so that Eq. 19 fails. Ranking needs no maps to order the images, and decides only between the
# first two at each pixel.

# %% [markdown]
# ## Exercises
#
# ### Check yourself
#
# <details><summary>How many extractions and decisions do ten images need, serially and calibrated?</summary>
#
# Serially $2 \cdot 9 = 18$ extractions and 9 decisions; calibrated 10 extractions and 9 decisions. Only the extractions become
# fewer.
#
# </details>
#
# <details><summary>Why does calibration lose detail in a stack of eight frames although each comparison is right?</summary>
#
# Saturated maps say only that a frame beats the first, not by how much. Where the second frame beats it, $p^2 = 0$ makes all other entries of
# Eq. 19 zero, and the second wins, however sharp the others are. Where only later frames beat it, several of them can have the same
# clarity, and the earliest of these wins.
#
# </details>
#
# <details><summary>Why does the order of the images matter for calibration, and not for ranking?</summary>
#
# Calibration compares every image with the first, so another first image gives other maps. Ranking sorts the activity levels of all images
# at a pixel, which have one scale before any two are compared. The sorted order does not depend on which image comes first.
#
# </details>
#
# ### Try it
#
# **1.** Does Eq. 19 find the sharpest of eight images if all comparisons are right? Draw clarities at random, compute the maps
# of image 1 against each other image, and apply Eq. 19 to the maps and to the same maps rounded to 0 or 1.
#
# <details><summary>Hint</summary>
#
# The soft map is $p^j = a_1 / (a_1 + a_j)$. Add the $10^{-4}$ of the authors' code to the denominator. As a rival, compare each
# image with the winner of all before it, as serial fusion does.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# With soft maps Eq. 19 finds the sharpest image of 99.9 % of the pixels; the rest are near ties, which the $10^{-4}$ decides.
# With rounded maps it finds it in 45 %. Each rounded map is right, and yet says only whether image $j$ beats image 1. Where
# image 2 beats it, all other entries are 0. Where several later images beat it, they tie. Comparing each image with the winner
# so far needs the same number of comparisons, and right comparisons then always lead to the sharpest. So the rule of
# calibration loses detail even where the network is never wrong.
#
# ```python
# import numpy as np
#
# random = np.random.default_rng(1)
# images, pixels = 8, 100_000
# clarity = random.random((images, pixels))
# share = clarity[0] / (clarity[0] + clarity[1:])  # image 1 against each other one
#
#
# def eq19(p):
#     rest = [p[0] * (1 - pj) / (pj + 1e-4) for pj in p[1:]]
#     return np.stack([p[0], 1 - p[0], *rest]).argmax(0)
#
#
# def one_after_the_other(clarity):
#     best = np.zeros(pixels, int)
#     for j in range(1, images):
#         beats = clarity[j] > np.take_along_axis(clarity, best[None], 0)[0]
#         best = np.where(beats, j, best)
#     return best
#
#
# chosen = {
#     "Eq. 19, soft maps": eq19(share),
#     "Eq. 19, hard maps": eq19((share > 0.5).astype(float)),
#     "winner against the next": one_after_the_other(clarity),
# }
# right = {name: (found == clarity.argmax(0)).mean() for name, found in chosen.items()}
# print(*(f"{name}: {value:.1%}" for name, value in right.items()), sep="\n")
# assert right["Eq. 19, soft maps"] > 0.99
# assert right["Eq. 19, hard maps"] < 0.55
# assert right["winner against the next"] == 1
# ```
#
# </details>
#
# **2.** Table 3 prints savings of 31.3 % (GACN), 22.5 % (CNN-Fuse) and 55.4 % (SESF-Fuse). Which of them can follow from the number of
# calls alone, and what would a decision have to cost?
#
# <details><summary>Hint</summary>
#
# With $e$ for the time of an extraction and $d$ for that of a decision, serial fusion of $N$ images takes
# $2 (N - 1) e + (N - 1) d$, and calibration $N e + (N - 1) d$. Divide by $e$, and solve the saving for $d / e$.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# The saving is $(N - 2) / ((N - 1) (2 + d / e))$. It is below one half, whatever $N$, even if a decision costs nothing. So the
# 55.4 % of SESF-Fuse cannot follow from the calls: something else must have become faster too, such as the conversion to gray and the blending, of
# which calibration does less. For very many images, 31.3 % need a
# decision that costs 1.2 extractions, and 22.5 % one that costs 2.5; fewer images need a cheaper one. GACN's decision needs about four times the operations of an extraction;
# operations are not all that takes time.
#
# ```python
# from mffrepro.report import tables
#
# table = tables.reported("p004_table3")
# serial, calibrated = (table[name] for name in table)
#
#
# def saving(images, cost):
#     return (images - 2) / ((images - 1) * (2 + cost))
#
#
# for name, saved in (1 - calibrated / serial).items():
#     cost = 1 / saved - 2  # of a decision in extractions, for very many images
#     answer = f"if a decision costs {cost:.2f} extractions" if cost > 0 else "never"
#     print(f"{name}: {saved:.1%} saved by the number of calls: {answer}")
#     assert (cost > 0) == (saved < saving(1_000_000, 0))
#     assert abs(saving(1_000_000, cost) - saved) < 1e-5
#     assert (cost > 0) == (name != "SESF-Fuse")
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(run, started, ["gacn.default", "sesf.default", "cnn_fuse.default"])
