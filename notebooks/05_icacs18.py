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
# # ICACS '18: a patch classifier with three poolings
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/05_icacs18.ipynb)
#
# A network decides which of two patches is sharper, and its answers make a decision map. How much cleaning does this map still
# need? Almost none, say [Li et al., 2018](https://doi.org/10.1145/3242840.3242863).
#
# *Paper:* Huaguang Li, Rencan Nie, Dongming Zhou, Xiaopeng Gou, *Convolutional neural network based multi-focus image fusion*,
# ICACS '18, Beijing, 2018, [doi:10.1145/3242840.3242863](https://doi.org/10.1145/3242840.3242863) [li2018icacs].
#
# The answer is computed from the verdicts at the end of the chapter. The book shows a copy of it here, in the box *In one minute*.
#
# *Needs: a CPU; about a minute (quick and full). With `retrain = "yes"` a few minutes more.*
#
# *Read first: [metrics](01_metrics.ipynb); you should know what a convolutional network is and how it is trained.*

# %% [markdown]
# ## Set up
#
# The folded cell holds the parameters of the chapter and installs mffrepro where it is missing, as in Colab. `profile`: `"quick"`
# takes minutes on a CPU, `"full"` uses all of the data; `dataset`: a name of `mff.list_datasets()`; `retrain`: `"yes"` trains the networks of the chapter anew.

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
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import display

import mffrepro as mff
from mffrepro.benchmarks import measurements
from mffrepro.data import load_regions
from mffrepro.data.photographs import is_fetched, lytro_or_spread
from mffrepro.fusion.decision import extract_all, fuse_by_decision
from mffrepro.images import to_unit
from mffrepro.models import icacs18, siamese
from mffrepro.report import claims, diagram, figures, patch_claims, style, tables
from mffrepro.report.source import show_source

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## The paper in one picture
#
# Two gray patches of 16 × 16 pixels pass through one branch of convolutions. The feature maps of both are joined, and three fully
# connected layers decide which patch is sharper. The feature maps are those of the paper's network. Its sizes imply zeros around each patch; here a
# patch is cut out with the ten pixels around it that its convolutions reach, and the shapes are drawn with them.

# %% tags=["remove-input"]
full = icacs18.Icacs18()
branch, head = diagram.classifier_boxes(full)
blue, orange, green = style.PALETTE[0], style.PALETTE[1], style.PALETTE[2]
rows = [
    ("branch, once per source", branch[:5], blue),
    ("", branch[5:], blue),
    ("which patch is sharper?", head, orange),
]
last = [("average\noverlaps", "score maps"), ("s1 > s2", "pre-decision")]
last += [("cancel\nregions", "of the inverse"), ("dilate", "one pixel")]
diagram.flow(
    [*rows, ("decision", last, green)],
    alt=(
        "Rows of boxes: a gray patch, five convolutions and three poolings, three "
        "fully connected layers, and the steps of the decision."
    ),
    caption=(
        "Fig. 1 of the paper: the layers at full width, and the steps that follow the "
        "scores."
    ),
)

# %% [markdown]
# ## Data
#
# A photograph $I$ is blurred one to five times. With $g$ a Gaussian filter of standard deviation 2, cut off to 7 × 7 pixels as in Liu et al. [liu2017cnn]:
#
# $$I_0 = I, \qquad I_\ell = g * I_{\ell-1}, \qquad \ell = 1, \dots, 5.$$
#
# A patch $c$ of the photograph and the same patch $b$ of a blurred copy make two examples: the pair $(c, b)$ with label 1, and
# the pair $(b, c)$ with label 0; the paper does not say that it takes both. It counts 20 000 patches of 10 000 photographs of PASCAL VOC 2012 and does not print the
# number of levels (A2.18). The shipped weights were trained on patches of the Berkeley photographs.

# %% tags=["hide-input"]
from mffrepro.report.samples import patch_row
from mffrepro.training.icacs18 import PRESETS
from mffrepro.training.patches import PatchPairs, both_orders

show_source(PatchPairs.crops)
recipe = PRESETS["practical"]
photographs = load_regions("embedded")
examples = replace(recipe, samples=64).data(photographs, split="train", seed=seed)
pairs = [examples[i] for i in range(8)]
figures.comparison(
    {which: patch_row(pairs, which) for which in ("sharp", "blurred")},
    columns=1,
    alt=(
        "Eight patches of photographs above the same patches blurred by one to five "
        "passes of a Gaussian."
    ),
    caption=(
        "Not in the paper: eight training pairs. The patch is the middle 16 pixels of "
        "each square; ten pixels of its surroundings lie around it."
    ),
)

# %% [markdown]
# Figure 2 of the paper shows whole photographs instead, blurred inside or outside an object, with a binary label. Here patches
# train the classifier, and such pairs test the decision map (A2.9).

# %% tags=["hide-input"]
data = mff.load("embedded")
artificial = {name: data[f"{name}_blur3"] for name in ("coffee", "chelsea")}
for name, pair in artificial.items():
    named = {
        f"{name}, near": pair.images[0],
        f"{name}, far": pair.images[1],
        f"{name}, label": pair.decision[0],
    }
    alt = "A near-focused and a far-focused photograph and the mask of what is near."
    display(
        figures.comparison(
            named, columns=3, alt=alt, caption=f"Fig. 2 of the paper: {name}."
        )
    )

# %% [markdown]
# ## Model
#
# Let $f$ be the branch, $[\cdot, \cdot]$ the joining of feature maps, and $h$ the fully connected layers with two outputs $z_0$
# and $z_1$. The **score** of a pair of patches $(a, a')$ is the probability that the first is sharper:
#
# $$(z_0, z_1) = h\big([\,f(a),\, f(a')\,]\big),$$
#
# $$s(a, a') = \frac{e^{z_1}}{e^{z_0} + e^{z_1}}.$$
#
# The class `Icacs18` holds the layers of this paper. The class `Siamese` holds what this network shares with that of [the next
# chapter](06_cnnwt.ipynb): one branch, and fully connected layers that are written as convolutions. As convolutions they score
# all patches of an image at once.

# %% tags=["remove-input"]
show_source(icacs18.Icacs18, siamese.Siamese)

# %% tags=["hide-input"]
network = mff.methods.load_network("icacs18", device=device)
counts = {
    name: {
        "branch": sum(p.numel() for p in net.branch.parameters()),
        "fully connected": sum(p.numel() for p in net.head.parameters()),
        "joint features": net.head[0].in_channels * (net.patch // net.stride) ** 2,
    }
    for name, net in {"full width": full, "shipped": network}.items()
}
tables.plain(
    pd.DataFrame(counts),
    caption=(
        "Parameters; the paper prints 256 maps and 256, 128 and 2 outputs, and no count"
    ),
    digits=0,
)

# %% [markdown]
# ## Loss
#
# The loss is the cross-entropy of the scores over both orders of $n$ pairs of patches, $c_i$ sharp and $b_i$ blurred:
#
# $$L = -\frac{1}{2n} \sum_{i=1}^{n} \big[ \log s(c_i, b_i) + \log\big(1 - s(b_i, c_i)\big) \big].$$
#
# It is minimised by gradient descent with momentum. The update that the paper prints lacks the term of the weights. Restored from
# [Liu et al., 2017](https://doi.org/10.1016/j.inffus.2016.12.001), step $t$ changes the momentum $v_t$ and the weights $w_t$ at
# the rate $\alpha$:
#
# $$v_{t+1} = 0.9\,v_t - 0.0005\,\alpha\,w_t - \alpha\,\frac{\partial L}{\partial w_t},$$
#
# $$w_{t+1} = w_t + v_{t+1}.$$

# %% tags=["remove-input"]
show_source(both_orders, type(recipe).optimiser)

# %% [markdown]
# ## Training
#
# The recipe `practical` trained the shipped weights.

# %% tags=["hide-input"]
from mffrepro.report.trainings import (
    read_study,
    study_files,
    study_origin,
    study_table,
    training_curves,
    training_table,
)

display(training_table(["icacs18.default"]))
training_curves(
    "icacs18.default",
    alt=(
        "Loss and accuracy of training and validation over the epochs: accuracy is "
        "near one after the second."
    ),
    caption=(
        "Not in the paper: training of the shipped weights, validated on other "
        "photographs."
    ),
)

# %% [markdown]
# The paper prints a rate of $10^{-6}$ (A2.11). The next figure trains one small network on patches of the embedded photographs,
# once at that rate and once at the rate of `practical`. A third network has zeros around each patch; C2.11 needs it.

# %% tags=["hide-input", "hide-output"]
import warnings

from mffrepro.training.trainer import read_log, train

warnings.filterwarnings("ignore", message="IProgress not found")  # the bar of a library
runs = Path(tempfile.mkdtemp())
here = {"train": photographs[:3], "val": photographs[3:]}
tiny = replace(
    recipe,
    width=0.125,
    epochs=run.pick(quick=4, full=8, tiny=1),
    samples=1536,
    validation=400,
)
rates = {"practical": recipe.rate, "as printed": PRESETS["paper"].rate}
for name, rate in rates.items():
    train(
        replace(tiny, rate=rate),
        here,
        runs / name.replace(" ", "_"),
        seed=seed,
        device=device,
    )
with_zeros = train(
    replace(tiny, border="zeros"), here, runs / "zeros", seed=seed, device=device
)
if run.retrain:  # to compare: what follows keeps the shipped weights
    train(recipe, here, runs / "retrained", seed=seed, device=device)

# %% tags=["remove-input"]
logs = {
    f"{name}, rate {rate:g}": read_log(runs / name.replace(" ", "_") / "log.csv")
    for name, rate in rates.items()
}
figures.curves(
    [row["epoch"] for row in next(iter(logs.values()))],
    {name: [row["val_accuracy"] for row in log] for name, log in logs.items()},
    xlabel="epoch",
    ylabel="validation accuracy",
    alt=(
        "Accuracy over the epochs: it rises to one at the practical rate and stays "
        "near one half at the printed one."
    ),
    caption=(
        "Not in the paper. At the printed rate the network learns nothing in these "
        "epochs: a guess is right half the time."
    ),
)

# %% [markdown]
# ## Fusion, step by step
#
# **Score maps.** The network scores every patch of the gray sources $A$ and $B$, eight pixels apart. A pixel $x$ gets the mean
# over the set $J(x)$ of the patches that cover it:
#
# $$s_1(x) = \frac{1}{|J(x)|} \sum_{j \in J(x)} s(A_j, B_j).$$
#
# The second score map $s_2$ comes from the swapped sources, with $s(B_j, A_j)$.
#
# **Focus map.** The paper adds both score maps. They come from two passes, whose answers need not sum to 1. The training shows
# every pair in both orders, and the network learns that $s_1 + s_2$ is nearly 1 (C2.8). Such a sum says little about the place.
# The mean of $s_1$ and $1 - s_2$ fits the paper's description (A2.4):
#
# $$s_3 = \tfrac12\,(s_1 + 1 - s_2).$$
#
# **Pre-decision.** A pixel goes to the first source where $s_1 > s_2$. That is where the focus map exceeds one half:
#
# $$D_0 = [\,s_1 > s_2\,] = [\,s_3 > \tfrac12\,].$$
#
# **Cleaning.** The map is inverted, regions of the inverted map are cancelled, and the map is inverted back and dilated by one
# pixel. The result $D$ blends the sources $S_1$ and $S_2$ (Eq. 3):
#
# $$F = D\,S_1 + (1 - D)\,S_2.$$

# %% tags=["hide-input"]
stack = artificial["coffee"]
comparer = icacs18.comparer(network)
features = extract_all(stack, comparer)
s1, s2 = comparer.scores(*features), comparer.scores(*reversed(features))
focus = comparer.focus(*features)
pre = focus > 0.5
cancelled = ~icacs18.cancel_regions(~pre, 0.01)
final = icacs18.final_decision(focus)
result = mff.fuse(stack, "icacs18", device=device)
figures.comparison(
    {
        "near": stack.images[0],
        "far": stack.images[1],
        "score map s1": s1,
        "score map s2": s2,
        "(s1 + s2) / 2": (s1 + s2) / 2,
        "focus map s3": focus,
        "pre-decision": pre.astype(float),
        "regions cancelled": cancelled.astype(float),
        "dilated": final,
        "fused": result.image,
    },
    alt=(
        "Ten pictures: the two sources, both score maps, their gray sum, the focus "
        "map, three decision maps and the fused image."
    ),
    caption=(
        "The maps of Fig. 1 of the paper. Bright: take the first source. The sum of "
        "both score maps is gray everywhere."
    ),
)

# %% [markdown]
# The maps show blocks of eight pixels, the stride of three poolings (A2.7). The option `dense=2` scores patches every two pixels
# instead. The last two poolings then move on by one pixel, and the kernels after them have holes. This gives the scores of the
# image shifted by every even number of pixels.

# %% tags=["hide-input"]
denser = {
    f"every {step} pixels": mff.fuse(
        stack, "icacs18", dense=step, dilate=0, device=device
    )
    for step in (8, 4, 2)
}
figures.decision_maps(
    {name: one.decision for name, one in denser.items()},
    truth=stack.decision,
    alt=(
        "Decision maps from scores every eight, four and two pixels; wrong pixels lie "
        "along the outline of the cup."
    ),
    caption=(
        "Not in the paper: denser scores, without the dilation. Orange: the wrong "
        "source."
    ),
)

# %% [markdown]
# ### Figure 3
#
# The figure compares the decision map and the fused image before and after the cleaning that is printed.

# %% tags=["hide-input"]
figures.comparison(
    {
        "initial decision": pre.astype(float),
        "initial fused": fuse_by_decision(stack, pre).image,
        "final decision": icacs18.final_decision(focus, cancel=1.0),
        "final fused": fuse_by_decision(
            stack, icacs18.final_decision(focus, cancel=1.0)
        ).image,
    },
    zoom=[(130, 380, 80, 110)],
    alt=(
        "Initial decision map and fused image, final decision map and fused image, "
        "with the edge of the cup magnified."
    ),
    caption="Fig. 3 of the paper, on an artificial pair.",
)

# %% [markdown]
# ## Tables and figures: reported, reproduced, difference
#
# ### Table 1
#
# The paper scores one gray pair of clocks and does not say which file. Which recorded scene fits its four rival rows? AG, SD and SF are
# proportional to the contrast of an image. So each scene of the record gets one factor for all twelve numbers, and the table lists
# what remains after it.
#
# The four metrics are computed from the fused image $F$ of $M \times N$ pixels alone. With $p_l$ the share of pixels of gray
# level $l$, $\bar F$ the mean, and $\Delta_x$, $\Delta_y$ the differences between neighbours:
#
# $$IE = -\sum_{l=0}^{255} p_l \log_2 p_l,$$
#
# $$SD = \sqrt{\frac{1}{MN} \sum (F - \bar F)^2},$$
#
# $$AG = \frac{1}{(M-1)(N-1)} \sum \sqrt{\tfrac12\big[(\Delta_x F)^2 + (\Delta_y F)^2\big]},$$
#
# $$SF = \sqrt{\frac{1}{MN} \sum (\Delta_x F)^2 + \frac{1}{MN} \sum (\Delta_y F)^2}.$$
#
# None of them compares $F$ with the sources, so noise raises them too (C2.12).

# %% tags=["hide-input"]
from mffrepro.benchmarks.contrast import fit_contrast, with_contrast
from mffrepro.benchmarks.record import read_record

four, names = ["en", "ag", "sd", "sf"], ["dwt", "lp", "nsct", "nsst", "icacs18.printed"]
printed = tables.method_names(tables.reported("p002_table1"), tables.PRINTED_NAMES)
scenes = fit_contrast(printed.drop(index="Proposed"), read_record("gacn26"))
title = "Nearest scenes by what a factor leaves (mean absolute log ratio), of all 26"
display(tables.plain(scenes.head(6), caption=title, digits=3))
contrast = scenes["contrast"].iloc[0]
margin = scenes["left"].iloc[1] / scenes["left"].iloc[0]
print(
    f"{scenes.index[0]} at {contrast:.0%} of its contrast; the next scene leaves "
    f"{margin:.0f} times as much"
)

# %% [markdown]
# The public clocks are the paper's scene, but not the paper's file: the SD of the public pair is near 52, and the paper prints 41 (A2.17). At one
# lower contrast they fit all four rival rows. The entropies, which the fit does not use, then come near, but not in the printed order. How the paper's file lost contrast is not
# known. The table shows the public clocks at this contrast; *icacs18.printed* is the paper's cleaning, *icacs18* the package's.

# %% tags=["hide-input"]
clocks = measurements.recorded("icacs18_clocks")
clocks = clocks.set_index("variant").loc[:, four]
at_contrast = clocks.loc[[name for name in clocks.index if name.endswith("dimmed")]]
measured = at_contrast.rename(index=lambda name: name.removesuffix(", dimmed"))
as_printed = printed.rename(index={"Proposed": "icacs18.printed"})
title = (
    f"Table 1: printed, and the public clocks at {contrast:.0%} of their contrast; en "
    "is IE"
)
display(tables.beside(as_printed, measured.reindex([*names, "icacs18"]), caption=title))
as_they_are = clocks.loc[[*names, "icacs18"]]
tables.plain(as_they_are, caption="The public clocks as they are")

# %% [markdown]
# Three things do not fit in the printed table (A2.12). PCNN is announced and missing. The AG of DWT is above that of the proposed
# method, although the best values are said to be bold. NSCT and NSST have the same IE.
#
# ### Figures 5 and 6
#
# The clocks, or the camera man where they have not been fetched, fused by all methods; the boxes of Fig. 6 are magnified.

# %% tags=["hide-input"]
gray_pair = (
    mff.load("gacn26")["mwg_clock"] if is_fetched("gacn26") else data["camera_blur3"]
)
dimmed = with_contrast(gray_pair, contrast)
gray_results = {name: mff.fuse(dimmed, name) for name in names}
figures.comparison(
    {"first": dimmed.images[0], "second": dimmed.images[1]}
    | {name: one.image for name, one in gray_results.items()},
    zoom=[(200, 150, 100, 130), (250, 230, 90, 120)],
    alt="Two sources in gray and five fused images, each with two magnified boxes.",
    caption=f"Fig. 5 and 6 of the paper: {dimmed.name}.",
)

# %% [markdown]
# ### Figure 7
#
# One panel for each metric: the printed values, and those of this package at the same contrast.

# %% tags=["hide-input"]
figures.paired_points(
    as_printed[four],
    measured.reindex(names)[four],
    alt=(
        "Four panels of points, one per metric: printed and reproduced values of five "
        "methods."
    ),
    caption="Fig. 7 of the paper, each metric on its own scale.",
)

# %% [markdown]
# ### Figures 4 and 8
#
# The paper shows colour pairs of 520 × 520 pixels, and further results, without numbers. The pairs look like Lytro. Lytro is
# fused here where it has been fetched, and scored beside a Laplacian pyramid and a discrete wavelet transform; otherwise embedded
# pairs stand in.

# %% tags=["hide-input"]
lytro = lytro_or_spread(run.pick(quick=3, full=20, tiny=2))
for pair in lytro[:3]:
    fused = mff.fuse(pair, "icacs18", device=device)
    drawn = {
        "first": pair.images[0],
        "second": pair.images[1],
        "decision": fused.decision[0],
        f"{pair.name}, fused": fused.image,
    }
    alt = f"{pair.name}: two sources, decision map and fused image."
    display(figures.comparison(drawn, alt=alt, caption="Fig. 4 and 8 of the paper."))
beside = {
    "icacs18": ("icacs18", {}),
    "icacs18.printed": ("icacs18.printed", {}),
    "lp": ("lp", {}),
    "dwt": ("dwt", {}),
}
on_lytro = tables.means(mff.benchmark(beside, lytro, ["qabf", "qy", "en", "sf"]))
tables.scores(on_lytro, caption=f"Means over {len(lytro)} pairs, {lytro[0].name} first")

# %% [markdown]
# *icacs18.printed* cancels all regions of the inverted map but the largest. If the second source is sharp in two places, one of them
# is lost. By default the package therefore cancels only regions under one hundredth of the image (A2.5).
#
# ## Ablations
#
# How much do patch size and pooling matter? Each row of the next table stands for several trainings of a network at the width of the
# paper, which differ in their seed (`mffrepro train study icacs18`). All rows have one recipe and differ in one thing: the side of
# the patch, the kind or the number of poolings, or what lies around a patch. Every training sees 20 000 labelled pairs, drawn once:
# 10 000 places of the Berkeley photographs in both orders. All networks but the last also see the pixels around the patch that their
# convolutions reach, ten on each side with three poolings. The paper counts 20 000 patches and does not say whether these are pairs
# (A2.20). *Accuracy* is that on textured patches of other photographs, *accuracy anywhere* includes patches without texture, and
# *accuracy on real* is on patches of real pairs. The fused images are the embedded pairs; *on grid* is the share of the borders of
# their decision maps that lie on lines eight pixels apart.

# %% tags=["hide-input"]
from mffrepro.training.studies.patches import STUDIES

order = list(STUDIES["icacs18"].changes)
study = read_study("icacs18").loc[order]
columns = ["accuracy", "accuracy anywhere", "accuracy on real", "epochs to 99 %"]
columns += ["parameters", "en", "mask_iou", "boundary_f", "qabf", "on grid"]
title = (
    "One change at a time: means over the seeds, ± half of the distance between the "
    "lowest and the highest seed"
)
study_table(study, columns, caption=f"{title}; {study_origin(study)}")

# %% tags=["hide-input"]
curves = study_files("icacs18", "curve", "network")
chosen = {"maximum pooling": order[0], "mean pooling": "mean pooling"}
losses = {
    name: np.array([log["val_total"] for log in curves[row].values()])
    for name, row in chosen.items()
}
figures.banded_curves(
    np.arange(1, 1 + next(iter(losses.values())).shape[1]),
    losses,
    xlabel="epoch",
    ylabel="validation loss",
    alt=(
        "Validation losses by epoch, as means over the seeds within bands: "
        "with mean pooling the loss falls some epochs later."
    ),
    caption=(
        "Not in the paper: trainings of the study. Lines are means over the seeds, "
        "bands reach from the lowest to the highest. Both networks have three poolings."
    ),
)

# %% [markdown]
# ### Patches on which the networks differ
#
# On the patches of the training nearly all answers are right, so these patches cannot tell the networks apart. The next ones can be harder. Each
# pair shows one place twice, and the question is which of the two is sharper in the middle. All networks are asked the same 1000
# pairs of each kind, made of photographs that no training saw.
#
# | kind | what the pair shows |
# |---|---|
# | plain | one of the five levels of blur, as in the training |
# | across a border | the focus changes within the patch: two to six pixels from the middle, the other picture becomes the sharper one |
# | flat | a place with hardly any texture: a variance between 0.5 and 5 gray levels squared; the training has 25 and more |
# | noisy | the noise of a sensor on both, of 10 gray levels, added after the blur |
# | jpeg | both compressed as JPEG files of quality 30 |
# | shifted | one of the two moved by a pixel |
# | disc | blurred by a disc, as a lens makes it, instead of a Gaussian |
# | sigma 0.5, 1, 5, 7 | blurred by a Gaussian of this standard deviation in pixels; the five levels reach from 1.64 to 3.67 |

# %% tags=["hide-input"]
from mffrepro.report.samples import hard_rows

figures.comparison(
    hard_rows(["plain", "across a border", "flat", "noisy"]),
    columns=1,
    alt=(
        "Four kinds of pairs, eight pairs each: the patch that is sharper in the "
        "middle above the other one."
    ),
    caption=(
        "Not in the paper: hard pairs of the embedded photographs, 32 pixels wide. "
        "Above: the patch that is sharper in the middle. Across a border, either "
        "patch is sharp on one side only."
    ),
)

# %% tags=["hide-input"]
from mffrepro.report import study_errors
from mffrepro.report.fold import fold

wrong = study_errors.over_seeds(study_errors.read_errors("icacs18"))
telling = study_errors.telling_kinds(wrong)
display(
    study_errors.error_points(
        wrong,
        telling,
        alt=(
            "A panel for each of four kinds of patch: the share of wrong answers of "
            "seven networks. Across a border 32 x 32 is wrong most often."
        ),
        caption="Not in the paper: wrong answers by kind of patch.",
    )
)
rest = ", ".join(kind for kind in wrong.index.unique("kind") if kind not in telling)
title = f"Wrong answers in per cent. Under 0.2 % for every network: {rest}"
fold("The numbers", study_errors.error_table(wrong, telling, caption=title))

# %% [markdown]
# A network that sees what lies around its patch makes most of its errors across a border. There 32 × 32 is wrong more often than
# 16 × 16, and three poolings more often than one: a large patch may hold more of what lies beyond the border, and a pooling may forget where
# in the patch a detail was. 8 × 8 and 16 × 16 hardly differ there. Zeros around a patch hide what lies there: this network is wrong less
# often across a border, and more often in noisy places. Mean pooling is wrong more often than maximum pooling in flat places, and less often across
# a border. C2.5 and C2.7 say which of these differences are sure.

# %% [markdown]
# The next table shows what the steps after the scores do, on artificial pairs and with the shipped weights.

# %% tags=["hide-input"]
from mffrepro.benchmarks.scores import score_decisions

tested = run.pick(quick=data[2::5][:5], full=data[:30])
cleanings = {
    "cancel small": {"dilate": 0},
    "cancel small, dilate": {},
    "cancel all but one": {"cancel": 1.0, "dilate": 0},
    "cancel all but one, dilate (as printed)": {"cancel": 1.0},
    "cancel small, both sides": {"symmetric": True, "dilate": 0},
}


def decisions(pair):
    """Compute the decision map after each kind of cleaning."""
    one = comparer.focus(*extract_all(pair, comparer))
    return {"pre-decision": one > 0.5} | {
        name: icacs18.final_decision(one, **options)
        for name, options in cleanings.items()
    }


cleaning = score_decisions(
    tested, decisions, ["mask_accuracy", "mask_iou", "boundary_f", "qabf", "psnr"]
)
tables.scores(cleaning, caption=f"Means over {len(tested)} artificial pairs")

# %% [markdown]
# ## Claims and verdicts
#
# The table of the clocks, and pairs with a known decision. The measurements on pairs were recorded, with date, commit and machine. The tests are
# in the folded source.

# %% tags=["hide-input"]
from mffrepro.models.weights import card

show_source(patch_claims)
shipped_seed = card("icacs18.default")["seed"]
display(
    *patch_claims.clocks(measured.loc[names], printed, "icacs18.printed", shipped_seed)
)
enough = measurements.recorded("icacs18_enough")
display(
    *patch_claims.cleaning(
        measurements.recorded("icacs18_cleaning"), enough, shipped_seed
    )
)

# %% [markdown]
# The network:

# %% tags=["hide-input"]
display(*patch_claims.patch_sizes(study))

# %% tags=["hide-input"]
import inspect

from mffrepro.models import cnn_fuse


def seconds(task):
    """Measure the processor time of a task."""
    began = time.process_time()
    task()
    return time.process_time() - began


crop = [to_unit(image)[:192, :192] for image in stack.images]
comparers = {
    "icacs18": icacs18.comparer(full.eval()),
    "cnn_fuse": cnn_fuse.comparer(cnn_fuse.CnnFuse().eval()),
}
timed = pd.DataFrame(
    [
        {
            name: seconds(lambda one=one: one.decide(*map(one.extract, crop)))
            for name, one in comparers.items()
        }
        for _ in range(6)
    ]
).iloc[1:]
numbers = {
    f"parameters, {name}": sum(p.numel() for p in one.network.parameters())
    for name, one in comparers.items()
}
numbers |= {f"seconds, {name}": value for name, value in timed.mean().items()}
note = (
    "Options are those of the cleaning in this package. The paper prints no number "
    "for its own; CNN-Fuse prints four."
)
lead = (timed["cnn_fuse"] - timed["icacs18"]).to_numpy()
cnn_fuse_has, proposed_has = (
    len(inspect.signature(one.comparer).parameters) for one in (cnn_fuse, icacs18)
)
fewer = {
    "time": lead,
    "options to set": np.full(len(lead), cnn_fuse_has - proposed_has),
}
display(claims.judge("C2.10", fewer, numbers=numbers, note=note))


# %% tags=["hide-input"]
from mffrepro.benchmarks import patchwise

show_source(patchwise.compare)
scenes5 = mff.load("embedded", kind="composite", levels=(3,))
whole = {
    name: patchwise.compare(net.eval(), scenes5)
    for name, net in (("context", network), ("zeros", with_zeros))
}
display(patch_claims.whole_images(whole["context"], whole["zeros"], shipped_seed))

# %% [markdown]
# An observation of ours, which is not a claim of the paper:

# %% tags=["hide-input"]
plain = to_unit(result.image, np.float64)
noisy = np.clip(plain + np.random.default_rng(seed).normal(0, 0.05, plain.shape), 0, 1)
before, after = (mff.evaluate(stack, image, four) for image in (plain, noisy))
rise = {name: after[name] / before[name] - 1 for name in four}
display(
    claims.judge(
        "C2.12",
        min(rise.values()),
        numbers=rise,
        note="Gaussian noise of 0.05 on the fused image of the cup.",
    )
)

# %% [markdown]
# ### The answer

# %% tags=["hide-input", "in-one-minute"]
from mffrepro.report.summary import in_one_minute, says

question = (
    "A network decides which of two patches is sharper. How much cleaning does its "
    "decision map still need?"
)
learned = [says("C2.1"), says("C2.8"), says("C2.11")]
in_one_minute("icacs18", question, answer=says("C2.9"), best="C2.9", learned=learned)

# %% [markdown]
# ## Deviations
#
# | subject | the paper | here |
# |---|---|---|
# | pooling | average in one section, maximum in two | maximum; `pool="avg"` (A2.1) |
# | label | both meanings | 1: the first source is sharper (A2.2) |
# | score maps | one, two and a sum | two passes; focus map $(s_1 + 1 - s_2)/2$ (A2.4) |
# | cleaning of the inverted map | all regions but the largest | small regions only; `cancel=1` for the paper's (A2.5) |
# | dilation | no element, no place | disk of radius 1, last; `dilate=0` (A2.6) |
# | blocks | a warning, and three poolings | as printed; `dense=2` (A2.7) |
# | feature maps of the first layers | not printed | 64, 64, 128, 128, 256; half of them in the shipped weights |
# | around a patch | zeros, as its sizes imply | its surroundings; `border="zeros"` |
# | rate | $10^{-6}$, falling in steps | $10^{-2}$ in the recipe `practical`, falling as a cosine (A2.11) |
# | examples | 20 000 | 20 000 drawn once in the study; 8000 pairs drawn anew in each epoch for the shipped weights (A2.20) |
# | levels of blur, kernel | not stated | five, 7 × 7 pixels, as in Liu et al. (A2.18) |
# | place and order of a patch | not stated | a variance over 25, as in Liu et al.; both orders |
# | photographs | 10 000 of VOC 2012 | 200 of BSDS500; `--data voc2012` |
# | odd sizes | not stated | mirrored up to a multiple of 8, then cropped (A2.16) |
#
# ## Exercises
#
# ### Check yourself
#
# <details><summary>The patches have 16 × 16 pixels and the network halves its maps three times. How far apart are neighbouring scores of a whole image?</summary>
#
# Eight pixels. The map is enlarged to the size of the image, so borders lie on a grid of eight pixels before the cleaning.
#
# </details>
#
# <details><summary>Both score maps of a pair sum to nearly one. Does the network force them to?</summary>
#
# No. They come from two passes with swapped inputs. That they complement each other is learned.
#
# </details>
#
# <details><summary>Several networks have an accuracy of 100 %. Which one is the best?</summary>
#
# These patches cannot tell. A test at its ceiling shows no difference, however large it is elsewhere: at a border, for example.
#
# </details>
#
# ### Try it
#
# **1.** Swap the sources. Which steps depend on the order, and what do `symmetric=True, dilate=0` change?
#
# <details><summary>Hint</summary>
#
# The share of the first source should become the share of the second one. Count the pixels where it does not, by default and with these
# options. Then look at the steps one by one: is the focus map of the swapped pair one minus the focus map?
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# The focus map does not depend on the order: both orders are scored, and the maps of the swapped pair are complements to 6e-8. Of the
# final map 3.3 % of the pixels do. The dilation enlarges the region of the first source only; without it 1.4 % remain. They are small
# regions of the *second* source, which the cleaning cancels, while small regions of the first stay. With `symmetric=True, dilate=0` both
# are cancelled, and no pixel depends on the order.
#
# ```python
# import numpy as np
#
# import mffrepro as mff
# from mffrepro.fusion.decision import extract_all
# from mffrepro.images import FocusStack
# from mffrepro.models import icacs18
#
# stack = mff.load("embedded", kind="composite", size=256)["astronaut_blur3"]
# swapped = FocusStack("swapped", stack.images[::-1])
# comparer = icacs18.comparer(mff.methods.load_network("icacs18"))
# focus, other = (comparer.focus(*extract_all(one, comparer)) for one in (stack, swapped))
# print(f"focus maps differ from complements by {np.abs(focus + other - 1).max():.1e}")
#
# changed = {}
# kinds = {
#     "default": {},
#     "dilate=0": {"dilate": 0},
#     "symmetric": {"symmetric": True, "dilate": 0},
# }
# for name, options in kinds.items():
#     one, two = (
#         mff.fuse(pair, "icacs18", **options).decision for pair in (stack, swapped)
#     )
#     changed[name] = (one[0] != two[1]).mean()
#     print(f"{name}: {changed[name]:.2%} of the pixels depend on the order")
#
# assert np.abs(focus + other - 1).max() < 1e-5
# assert changed["symmetric"] < 0.002 < changed["dilate=0"] < changed["default"]
# ```
#
# </details>
#
# **2.** Make a pair whose second photograph is sharp in two separate places, and fuse it with `cancel=1`, as printed, and without.
#
# <details><summary>Hint</summary>
#
# `mffrepro.data.synthetic.composite` makes a pair from any photograph and any mask. The mask is where the first photograph is sharp:
# leave two holes of different size in it.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# With `cancel=1` the smaller hole is lost: no pixel of it comes from the second photograph, and PSNR is 35.1 dB. The printed cleaning
# keeps only the largest region of the inverted map, so it assumes that the second photograph is sharp in one place. With `cancel=0.01`
# 92 % of the smaller hole comes from the second photograph, and PSNR is 43.4 dB. The steps of eight pixels along its edges are the grid
# of the poolings.
#
# ```python
# import matplotlib.pyplot as plt
# import numpy as np
#
# import mffrepro as mff
# from mffrepro.data.synthetic import composite
# from mffrepro.images import FocusStack
#
# photograph = mff.load("embedded", size=256)["chelsea_blur3"].reference
# mask = np.ones(photograph.shape[:2], bool)
# large, small = np.s_[40:120, 40:130], np.s_[40:100, 170:230]
# mask[large] = mask[small] = False
# images = composite(photograph, mask, size=7, level=3)
# pair = FocusStack("two holes", images, photograph, np.stack([mask, ~mask]).astype("f4"))
# share, psnr = {}, {}
# for axes, cancel in zip(plt.subplots(1, 2)[1], (1, 0.01), strict=True):
#     result = mff.fuse(pair, "icacs18", cancel=cancel)
#     psnr[cancel] = mff.evaluate(pair, result, "psnr")["psnr"]
#     share[cancel] = result.decision[1][small].mean()
#     axes.imshow(result.decision[1], cmap="gray")
#     axes.set_title(f"cancel={cancel}: {psnr[cancel]:.1f} dB")
# plt.show()
#
# assert share[1] == 0 and share[0.01] > 0.8 and psnr[0.01] > psnr[1]
# ```
#
# </details>
#
# **3.** Do whole images have the scores of their patches if a patch has zeros around it? Give the shipped weights to a network with
# `border="zeros"`, and compare its scores of whole images and of single patches with those of the shipped network.
#
# <details><summary>Hint</summary>
#
# `mffrepro.benchmarks.patchwise.compare` scores a part of each pair both ways. The ten pixels around a patch of sixteen are what its
# convolutions reach: how many of its pixels are farther than ten pixels from its edge?
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# With its surroundings around each patch, scores of whole images and of single patches agree to 5e-7, which is rounding. With zeros they
# differ by up to 0.74, so a patch can change sides. A feature reaches ten pixels beyond its own block, and no pixel of a patch of sixteen
# is farther than eight from the edge: every feature of a single patch sees zeros that are not there in the whole image. Training cannot
# remove this difference, because both computations use the same weights.
#
# ```python
# import mffrepro as mff
# from mffrepro.benchmarks import patchwise
# from mffrepro.models.icacs18 import Icacs18
#
# context = mff.methods.load_network("icacs18", device="cpu")
# zeros = Icacs18(**(context.options | {"border": "zeros"})).eval()
# zeros.load_state_dict(context.state_dict())
# pairs = mff.load("embedded", kind="composite", levels=[3])[:3]
# gap = {}
# for name, network in {"surroundings": context, "zeros": zeros}.items():
#     gap[name] = patchwise.compare(network, pairs, height=64, width=96)["gap"]
#     print(f"{name}: largest difference of a score {gap[name].max():.1e}")
#
# assert gap["surroundings"].max() < 1e-3 < 0.1 < gap["zeros"].min()
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(run, started, ["icacs18.default"])
