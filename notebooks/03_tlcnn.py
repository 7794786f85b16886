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
# # tlcnn: a VGG-19 learns to find what is out of focus
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/03_tlcnn.ipynb)
#
# Labelled focal stacks are rare, and labelled photographs are common. Do convolutions that were trained to classify photographs
# help a network to find the parts of a photograph that are out of focus? The paper *Image fusion using a transfer learning-based
# convolutional neural network* says that they do. The copy of the paper that this project read names no authors and no journal.
#
# *Paper:* *Image fusion using a transfer learning-based convolutional neural network*, no authors and no journal in the copy read
# [tlcnn].
#
# The answer is computed from the verdicts at the end of the chapter. The book shows a copy of it here, in the box *In one minute*.
#
# tlcnn and [tlcolor](04_tlcolor.ipynb) are **one network with one fusion rule**. This chapter explains both parts. The next
# chapter tests what the loss, the normalisation, the initial weights and the transfer contribute.
#
# *Needs: a CPU; a minute and a half (quick and full). With `retrain = "yes"` and the paper's recipe a GPU.*
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
import time

import numpy as np
import pandas as pd
from IPython.display import display

import mffrepro as mff
from mffrepro.data import load_regions
from mffrepro.data.photographs import is_fetched
from mffrepro.images import to_unit
from mffrepro.models import decision_rule, transfer, vgg
from mffrepro.models.rule_steps import rule_steps
from mffrepro.models.weights import card
from mffrepro.report import claims, figures, paired, tables, trainings
from mffrepro.report.fold import fold
from mffrepro.report.source import show_source

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)
network = mff.methods.load_network("tlcnn", device=device)
comparer = transfer.DefocusComparer(network)
data = mff.load("embedded")

# %% [markdown]
# ## The paper in one picture
#
# A VGG-19 first learns the **source task**: to classify photographs. Its sixteen convolutions then become part of a new network,
# which learns the **target task**: to predict where a photograph is out of focus. Each of the five encoders consists of one stage
# of VGG-19 and five new convolutions. Five decoders turn the feature maps of the encoders into one map of the size of the
# photograph (Fig. 1 and 5 of the paper).
#
# Each source of a pair passes through the network on its own. The network never compares two sources. The fusion rule does that
# afterwards, with the two predicted maps.

# %% tags=["remove-input"]
from mffrepro.report.transfer_diagram import layer_flow, network_flow, vgg_flow

network_flow(
    network,
    caption=(
        "Fig. 1 and 5 of the paper: sizes in the shipped network for 224 × 224 "
        "pixels. At full width the encoders have 64 to 512 channels."
    ),
)

# %% [markdown]
# ## Data
#
# Training pairs are made from photographs with an outlined object. Let $I$ be the photograph, $G$ its mask, 1 on the object and 0
# on the background, and $B_\ell$ the photograph after $\ell$ passes of a Gaussian filter $g$ of 3 × 3 pixels with a standard
# deviation of 2:
#
# $$B_0 = I, \qquad B_\ell = g * B_{\ell-1}, \qquad \ell = 1, \dots, 5.$$
#
# The first image of a pair has a sharp object, the second a sharp background (Fig. 7):
#
# $$X_1 = G\,I + (1 - G)\,B_\ell,$$
#
# $$X_2 = G\,B_\ell + (1 - G)\,I.$$
#
# The label of an image is **1 where the image is out of focus**: $Y_1 = 1 - G$ for $X_1$ and $Y_2 = G$ for $X_2$. The paper takes
# 2 000 photographs of PASCAL VOC. 1 800 of them, at five levels of blur, are its 9 000 training pairs. Five passes of so small a
# filter equal one Gaussian of at most 1.8 pixels.

# %% tags=["hide-input"]
from mffrepro.data import draw_mask
from mffrepro.data.synthetic import blur_levels, composite

photograph = load_regions("embedded")[1]
mask = draw_mask(photograph, np.random.default_rng(seed))
sharp = to_unit(photograph.image)
blurred = blur_levels(sharp, size=3)[-1]
inside = mask[..., None]
near, far = composite(sharp, mask, size=3, level=5)
figures.comparison(
    {
        "photograph I": sharp,
        "mask G": mask.astype(float),
        "blurred five times, B": blurred,
        "G I": inside * sharp,
        "G B": inside * blurred,
        "(1 - G) I": ~inside * sharp,
        "X1 = G I + (1 - G) B": near,
        "X2 = G B + (1 - G) I": far,
    },
    alt=(
        "A photograph, its mask, the blurred photograph, three products with the "
        "mask, and the two images of the pair."
    ),
    caption="Fig. 7 of the paper: how a pair is made.",
)

# %% [markdown]
# Fig. 8 of the paper shows originals and their labels:

# %% tags=["hide-input"]
labelled = load_regions("embedded")[:3]
originals = {f"original {i}": to_unit(one.image) for i, one in enumerate(labelled, 1)}
labels = {
    f"label {i}": draw_mask(one, np.random.default_rng(seed)).astype(float)
    for i, one in enumerate(labelled, 1)
}
figures.comparison(
    originals | labels,
    columns=3,
    alt="Three photographs, and below them their black and white labels.",
    caption=(
        "Fig. 8 of the paper: originals and their masks G. White is the part that "
        "stays sharp in X1."
    ),
)

# %% [markdown]
# The networks of the verdicts come from the recipe `practical`, whose samples follow. The recipe cuts small crops, mirrors them, varies
# their brightness and softness, blurs them with a filter of 5 or 7 pixels, and adds a little noise **after** the blur. The default
# weights come from the recipe `camera`, which blurs half of the pairs by a disc and compresses all of them. The noise
# matters. A first network was trained without it, on photographs nearly at their own scale. It was right on almost all validation
# photographs and no better than chance on the embedded set: it had learned that blurring a photograph removes its traces of JPEG
# compression.

# %% tags=["hide-input"]
from mffrepro.report.samples import defocus_samples
from mffrepro.training.transfer import FocusLevels

show_source(FocusLevels.arrays)
pieces = {}
for number, (image, label) in enumerate(
    defocus_samples("tlcnn", count=4, seed=seed), 1
):
    pieces |= {f"image {number}": image, f"label {number}": label}
figures.comparison(
    pieces,
    alt=(
        "Four square pieces of photographs, partly blurred, each beside its black and "
        "white label."
    ),
    caption=(
        "Our recipe: samples and labels. White is out of focus. Not a figure of the "
        "paper."
    ),
)

# %% [markdown]
# ## Model
#
# **Layer.** Every convolution is followed by batch normalisation (BN) and the activation Mish. With $C_n$ the feature maps after
# layer $n$, $W_n$ its kernels and $b_n$ its biases (Eq. 1 of tlcolor):
#
# $$C_n = \operatorname{Mish}\big(\operatorname{BN}(C_{n-1} * W_n + b_n)\big),$$
#
# $$\operatorname{Mish}(x) = x \tanh\big(\ln(1 + e^x)\big).$$
#
# **Encoder.** The last convolution of an encoder has stride 2 and halves both sides, in place of a pooling (A0.1).
#
# **Decoder.** A transposed convolution doubles both sides of the maps. Let $U$ be its result and $E$ the maps that the encoder of
# the same size had before it halved them. The decoder goes on with both, one after the other (skip connection, Eq. 1 of tlcnn,
# A0.6):
#
# $$[\,E,\; U\,].$$

# %% tags=["remove-input"]
show_source(transfer.Block, transfer.Encoder, transfer.Decoder, transfer.TransferNet)
layer_flow(
    network,
    [1, 2, 3, 4, 5],
    caption=(
        "Fig. 3, 4 and 6 of the paper: all layers of the five encoders, and decoder "
        "1. Decoder 1 goes on with two more convolutions."
    ),
)

# %% [markdown]
# The source task is learned by an "improved VGG-19" (Fig. 2). It has batch normalisation after its convolutions, and average
# pooling in place of maximum pooling. Only its convolutions are transferred. The paper says "after each convolution block", a
# phrase that it also uses for a whole stage; here each of the sixteen convolutions has its own normalisation.

# %% tags=["hide-input"]
source_task = vgg.VGG19(width=1 / 16, classes=12)
display(
    vgg_flow(
        source_task,
        caption=(
            "Fig. 2 of the paper: the improved VGG-19, slim: shapes for 224 × 224 "
            "pixels."
        ),
    )
)
show_source(vgg.VGG19, transfer.transfer)

# %% [markdown]
# The paper prints no parameter counts. The layers that it lists imply them, and the network at full width has them:

# %% tags=["hide-input"]
full = transfer.count_parameters(transfer.TransferNet())
slim = transfer.count_parameters(network)
implied = {"transferred": 20.0e6, "added": 27.5e6, "decoders": 60.2e6}
counted = pd.DataFrame(
    {"implied by the paper": implied, "full width": full, "shipped": slim}
)
counted.loc["all"] = counted.sum()
layers = {
    "VGG convolutions": sum(len(e.vgg) for e in network.encoders),
    "new ones": sum(len(e.added) for e in network.encoders),
}
layers |= {
    "in decoders": sum(len(d.convs) for d in network.decoders),
    "transposed": len(network.decoders),
}
display(
    tables.plain(pd.DataFrame({"layers": layers}), caption="Convolutions", digits=0)
)
tables.plain(
    counted.loc[["transferred", "added", "decoders", "all"]],
    caption="Parameters of the convolutions",
    digits=0,
)

# %% [markdown]
# ## Loss
#
# Each of the five decoders predicts a map. Each map is enlarged to the size of the image and compared with the label. Let $y_i$
# be the label of pixel $i$ of $k$ pixels, and $V_{i,0}$ and $V_{i,1}$ the two outputs of the decoder there. The softmax gives the
# probability that the pixel is out of focus (Eq. 3):
#
# $$p_i = \frac{e^{V_{i,1}}}{e^{V_{i,0}} + e^{V_{i,1}}}.$$
#
# The loss of decoder $d$ has two terms, the cross-entropy (Eq. 4) and the squared error (Eq. 5):
#
# $$\Gamma_1^{(d)} = -\frac1k \sum_{i=1}^{k} \big[\, y_i \log p_i + (1 - y_i) \log(1 - p_i) \,\big],$$
#
# $$\Gamma_2^{(d)} = \frac1k \sum_{i=1}^{k} (p_i - y_i)^2.$$
#
# The total is the weighted mean over the decoders (Eq. 2), with equal weights $\omega_d$ here (A1.6):
#
# $$\Gamma = \sum_{d=1}^{5} \omega_d \big( \Gamma_1^{(d)} + \Gamma_2^{(d)} \big), \qquad \sum_{d=1}^{5} \omega_d = 1.$$
#
# Eq. 2 cannot be read in the copy of the paper. Eq. 5 carries a minus sign there, with which the loss has no minimum (A0.9).

# %% tags=["remove-input"]
from mffrepro.losses import layer_loss

show_source(layer_loss)

# %% [markdown]
# ## Training
#
# The paper prints the optimiser RMSprop with a rate of $10^{-6}$ and a weight decay of $10^{-3}$. The recipe `paper` does the
# same, at full width and from the weights of ImageNet. It needs a GPU and 575 MB from torchvision.
#
# Both other recipes, `practical` and `camera`, train a slim network at a higher rate on a CPU: the first for minutes, the second for
# ten times as many pairs. A slim network cannot take over the convolutions of ImageNet. So it has a **surrogate source task**: a slim VGG-19 that tells twelve kinds of
# procedural texture apart.

# %% tags=["hide-input"]
from mffrepro.data.textures import KINDS, texture
from mffrepro.report.trainings import study_files, training_curves, training_table

rng = np.random.default_rng(seed)
display(
    figures.comparison(
        {name: texture(i, 64, rng) for i, name in enumerate(KINDS)},
        columns=6,
        alt=(
            "Twelve small squares, each a texture of another kind in two random "
            "colours."
        ),
        caption="The surrogate source task: which kind of texture is this?",
    )
)
display(
    training_table(
        ["vgg19.surrogate", "tlcolor.seed1", "tlcnn.default"],
        caption="How shipped weights were trained",
    )
)
print(
    f"source task: {card('vgg19.surrogate')['final']['val_accuracy']:.0%} of unseen "
    f"textures right; chance is {1 / len(KINDS):.0%}"
)
training_curves(
    "tlcnn.default",
    alt=(
        "Training and validation curves of the loss, the overlap with the label, and "
        "the accuracy after the AND step."
    ),
    caption=(
        "Training of the default weights. iou: overlap of prediction and label; "
        "secondary: share of pixels that M4 has right."
    ),
)

# %% tags=["hide-input", "hide-output"]
if run.retrain:
    trainings.retrain("tlcnn", run)
    print('for the ablations: mffrepro train study transfer --seeds 5 --machine "..."')

# %% [markdown]
# ## Fusion, step by step
#
# $S_1$ and $S_2$ are the two sources. $M_1$ and $M_2$ are the predicted maps after a threshold of one half: 1 where $S_1$, or
# $S_2$, is out of focus. In a pair, exactly one source should be out of focus at each pixel. $M_3$ marks the pixels where that is
# so (A0.7; $\oplus$ is *exclusive or*, $\wedge$ *and*, $\neg$ *not*):
#
# $$M_3 = M_1 \oplus M_2.$$
#
# The **secondary maps** keep the initial maps there (the AND step):
#
# $$M_4 = M_1 \wedge M_3 = M_1 \wedge \neg M_2,$$
#
# $$M_5 = M_2 \wedge M_3 = M_2 \wedge \neg M_1.$$
#
# Each secondary map makes a candidate. $F_1$ starts from $S_1$ and takes from $S_2$ what $M_4$ marks:
#
# $$F_1 = M_4\,S_2 + (1 - M_4)\,S_1.$$
#
# $F_2$ starts from $S_2$ and takes from $S_1$ what $M_5$ marks:
#
# $$F_2 = M_5\,S_1 + (1 - M_5)\,S_2.$$
#
# The rule returns $F_1$ if $Q_{ABF}(F_1) \ge Q_{ABF}(F_2)$, and $F_2$ otherwise. Where both initial maps agree, $F_1$ keeps $S_1$
# and $F_2$ keeps $S_2$.

# %% tags=["hide-input"]
show_source(decision_rule.secondary_maps, decision_rule.choose)
stack = data["coffee_blur3"]
steps = rule_steps(comparer, stack)
choice, maps = steps.choice, steps.maps
figures.comparison(
    {"S1": steps.sources[0], "S2": steps.sources[1], "M1": maps["M1"], "M2": maps["M2"]}
    | {
        "M3, exactly one": steps.secondary.agree.astype(float),
        "M4": maps["M4"],
        "M5": maps["M5"],
    }
    | {f"F{choice.chosen + 1}, returned": choice.candidates[choice.chosen]},
    alt=(
        "Two photographs of a cup, the two predicted maps, where exactly one is 1, "
        "the secondary maps and the fused image."
    ),
    caption=(
        "Default weights; white in M1 and M2: out of focus. Q_ABF of F1 is "
        f"{choice.scores[0]:.4f}, of "
        f"F2 {choice.scores[1]:.4f}."
    ),
)

# %% [markdown]
# **What the AND step can do.** It cannot raise the mean accuracy of the two maps. Where $M_1$ and $M_2$ differ, $M_4 = M_1$ and
# $M_5 = M_2$. Where they agree, exactly one of $M_1$ and $M_2$ is right, and so is exactly one of $M_4$ and $M_5$. The step moves
# errors between the maps, and the mean of both stays the same. C0.12 below tests the map that the rule goes on with.
#
# **The literal reading.** The paper prints $M_3 = M_1 \wedge \neg M_2$. Then
#
# $$M_5 = M_2 \wedge M_1 \wedge \neg M_2 = 0,$$
#
# and the second candidate is the second source:
#
# $$F_2 = S_2.$$

# %% tags=["hide-input"]
literal = rule_steps(comparer, stack, "literal")
empty, same = (
    not literal.secondary.second.any(),
    np.array_equal(literal.choice.candidates[1], literal.sources[1]),
)
unchanged = np.array_equal(literal.secondary.first, steps.secondary.first)
print(
    f"literal reading: M5 is empty: {empty}; F2 equals S2: {same}; M4 is unchanged: "
    f"{unchanged}"
)

# %% [markdown]
# **Our default rule.** Photographs unlike those of the training have many pixels where the maps agree, and the printed rule takes
# all of them from one source. The package therefore compares $P_1$ and $P_2$, the maps of the probability that $S_1$ and $S_2$
# are out of focus. It smooths their difference by a Gaussian $g_2$ with a standard deviation of 2 pixels. A pixel comes from
# $S_1$ where
#
# $$g_2 * (P_2 - P_1) \ge 0.$$
#
# This rule is ours, not the paper's. The printed rule is the option `select="qabf"`. Both take the same source where exactly one
# probability is clearly over one half. On photographs the printed rule depends more on the pairs that the network has learned from:
# `weights="long"` has seen none that are blurred as by a lens and compressed as by a camera, and the section on
# [longer trainings](#why-does-a-longer-training-fuse-photographs-worse) says why that matters.

# %% tags=["hide-input"]
from mffrepro.benchmarks.scores import score_methods

rules = {
    "printed": {"select": "qabf"},
    "compared": {"smoothing": 0},
    "and smoothed": {},
    "printed, long": {"select": "qabf", "weights": "long"},
}
compared = {
    label: ("tlcnn", {"device": device} | options) for label, options in rules.items()
} | {"lp": ("lp", {})}
tried = [data[name] for name in ("astronaut_blur3", "chelsea_blur3", "camera_spread")]
tried += (
    [mff.load("lytro")[name] for name in ("lytro_04", "lytro_14")]
    if is_fetched("lytro")
    else []
)
by_rule = (
    score_methods(tried, compared, ["qabf"])[0]["qabf"]
    .unstack("method")
    .loc[[s.name for s in tried], list(compared)]
)
tables.plain(
    by_rule,
    caption=(
        "Q_ABF by rule (compared and smoothed is the default), and of a Laplacian "
        "pyramid"
    ),
)

# %% [markdown]
# ## Tables and figures: reported, reproduced, difference
#
# ### Which scenes are the tables about?
#
# Each table of the paper is about one pair of photographs that the paper does not name. Scores of known methods can identify a
# pair: $Q_{AG}$ and $Q_{SF}$ hardly depend on how their formulas are read. With $v_{m,k}$ our score of method $m$ in metric $k$ on
# a candidate and $t_{m,k}$ the printed one, the distance of the candidate is
#
# $$\operatorname{mean}_{m,k} \left| \ln \frac{v_{m,k}}{t_{m,k}} \right|.$$
#
# The methods are six of the eight rivals. The rows of PCA and GD are left out because they are implausible (A0.11), and the row
# of the proposed method because its weights are not public. The candidates are the 26 pairs that this project has recorded.

# %% tags=["hide-input"]
from mffrepro.benchmarks import computed_or_recorded
from mffrepro.benchmarks.recorded_maps import read_maps
from mffrepro.benchmarks.scenes import exchanged, scene_distances

five = ["qabf", "ag", "labf", "mi", "sf"]
rivals = ["asr", "csr", "dwt", "msvd", "gd", "mst_sr", "mgivf", "pca"]
seeded = [f"tlcolor.seed{i}.printed" for i in range(1, 6)]
as_printed = seeded[0]
names = tables.PRINTED_NAMES | {"Proposed": as_printed}
printed = {
    number: tables.method_names(tables.reported(f"p000_table{number}"), names)
    for number in (1, 2, 3)
}
scores = computed_or_recorded(
    [*rivals, "tlcnn.printed", "tlcnn", *seeded], "gacn26", five, compute=[]
).dropna(subset="value")
sure = [name for name in rivals if name not in ("gd", "pca")]
found = {
    number: scene_distances(table.loc[sure], scores)
    for number, table in printed.items()
}
scenes = {number: table.index[0] for number, table in found.items()}
print("scores:", "; ".join(scores["origin"].unique()))
nearest = {
    f"Table {n}": {
        f"{i}.": f"{s}, {d:.3f}"
        for i, (s, d) in enumerate(t["distance"].head(3).items(), 1)
    }
    for n, t in found.items()
}
margins = {
    f"Table {n}": {
        "margin": t["distance"].iloc[1] - t["distance"].iloc[0],
        "wins of 6": t["wins"].iloc[0],
    }
    for n, t in found.items()
}
tables.plain(
    pd.DataFrame(nearest).T.join(pd.DataFrame(margins).T),
    caption="Nearest candidates and their distances",
    digits=3,
)

# %% tags=["hide-input"]
all_distances = pd.DataFrame(
    {f"Table {n}": t["distance"] for n, t in found.items()}
).sort_values("Table 1")
fold("All 26 candidates", tables.plain(all_distances, digits=3))

# %% [markdown]
# *Margin* is how much farther the second candidate is. *Wins* counts for how many of the six methods the nearest candidate stays
# the nearest when that method is left out. A distance of 0.06 means that scores differ by about 6 %. The margins are of that size
# or smaller, so these scenes are the **nearest** ones, and the paper does not confirm them. Table 1 and tlcolor's koala would be
# the same pair.
#
# ### Tables 1 to 3
#
# "Proposed" is the rule that the paper prints, with the first of five seeds of the network (`tlcolor.seed1.printed`): tlcnn and tlcolor
# are one network. The rows `tlcnn.printed` and `tlcnn` are the same rule and our own with the package's default weights, which were
# trained on other pairs than the paper's; they stand in no table of the paper. The recorded scores are those of the photographs at
# their own size.

# %% tags=["hide-input"]
for number, table in printed.items():
    of_scene = scores["stack"] == scenes[number]
    rows = scores[of_scene & ~scores["method"].isin(seeded[1:])]
    ours = rows.pivot(index="method", columns="metric", values="value").reindex(
        columns=five
    )
    caption = f"Table {number}; reproduced on {scenes[number]}, the nearest scene"
    display(tables.beside(table, ours, caption=caption, digits=3))

# %% [markdown]
# **Are printed rows exchanged?** For each pair of rows, the next table compares the mean distance as printed with that after an
# exchange, for all metrics together and for single ones. Methods that resemble each other gain a little by chance; a gain is listed
# where it is larger than the distance of the scene itself.

# %% tags=["hide-input"]
swaps = []
for number, table in printed.items():
    rows = scores[(scores["stack"] == scenes[number]) & scores["method"].isin(rivals)]
    ours = rows.pivot(index="method", columns="metric", values="value")[five]
    better = exchanged(table.loc[rivals, five], ours)
    better.index = [
        f"Table {number}, {row.rows}, {row.metric}" for row in better.itertuples()
    ]
    swaps.append(
        better.loc[
            better["as printed"] - better["exchanged"]
            > found[number]["distance"].min(),
            ["as printed", "exchanged"],
        ]
    )
tables.plain(
    pd.concat(swaps),
    caption="Exchanges that gain more than the distance of the scene",
    digits=3,
)

# %% [markdown]
# Half of these exchanges are between PCA and the gradient-domain method (GD): the printed PCA rows of Tables 1 and 2 resemble our
# GD, and the printed GD rows our PCA, in several metrics and not in all. An exchange would explain why a method that averages has
# the highest $Q_{AG}$. It cannot be proved, so this book leaves the numbers as printed and judges C0.3 by them, with and without PCA.

# %% [markdown]
# **Some printed numbers are impossible.** $Q_{ABF}$ is the share of the sources' edges that the fused image keeps, and $Q_{LABF}$
# the share that it loses. With $w_s$ the gradient strength of source $s$ at a pixel, $q_s$ how well the fused image keeps that
# gradient (0 to 1), and $r = 1$ where the fused gradient is not stronger than those of all sources, else $r = 0$, the sums over
# all pixels are
#
# $$Q_{ABF} = \frac{\sum \sum_s q_s\,w_s}{\sum \sum_s w_s},$$
#
# $$Q_{LABF} = \frac{\sum r \sum_s (1 - q_s)\,w_s}{\sum \sum_s w_s}.$$
#
# The same sum with $1 - r$ in place of $r$ counts artefacts. The three add up to 1, so
#
# $$Q_{ABF} + Q_{LABF} \le 1.$$
#
# These printed rows violate it (A0.10):

# %% tags=["hide-input"]
impossible = {}
for number, table in printed.items():
    total = table["qabf"] + table["labf"]
    impossible |= {
        f"Table {number}, {name}": value for name, value in total.items() if value > 1
    }
tables.plain(pd.DataFrame({"Q_ABF + Q_LABF as printed": impossible}), digits=3)

# %% [markdown]
# **The claim to lead in $Q_{AG}$ contradicts the tables** (A0.11). Principal component analysis (PCA) has a higher $Q_{AG}$ in
# two of the three tables. PCA averages the photographs, which cannot raise a gradient, so the two printed rows are implausible
# themselves.

# %% tags=["hide-input"]
gradients = {
    f"Table {number}": table.loc[["pca", as_printed], ["ag", "sf"]].stack()
    for number, table in printed.items()
}
tables.plain(
    pd.DataFrame(gradients).T,
    caption="PCA beside the proposed method, as printed",
    digits=3,
)

# %% [markdown]
# ### Figures 9 and 10
#
# The three nearest scenes are shown where the photographs of Lytro have been fetched (`mffrepro data fetch lytro`). Otherwise three
# embedded pairs stand for them, and of the scenes themselves there are recorded crops of what the networks made: their decision
# maps, without the photographs, which this project may not hold. Every method of the tables that takes seconds only fuses them.

# %% tags=["hide-input"]
nearest = [name for name in scenes.values() if name.startswith("lytro")]
if is_fetched("lytro") and len(nearest) == len(scenes):
    shown = [mff.load("lytro")[name] for name in scenes.values()]
else:
    shown = [
        data[name] for name in ("astronaut_blur3", "coffee_spread", "camera_blur2")
    ]
quick_rivals = [
    name for name in rivals if name in mff.methods.within(run.pick(quick=3, full=10))
]
methods = {name: (name, {}) for name in quick_rivals}
methods |= {name: (name, {"device": device}) for name in (as_printed, "tlcnn")}
scored, fused = score_methods(shown, methods, five)
figures.comparison(
    {f"{s.name}, {i + 1}": s.images[i] for s in shown for i in range(2)},
    columns=2,
    alt="Three pairs of photographs, each sharp in another part.",
    caption="Fig. 9 of the paper: the sources.",
)

# %% tags=["hide-input"]
for pair in shown:
    display(
        figures.comparison(
            {name: fused[pair.name, name].image for name in methods},
            zoom=[(150, 260, 70, 100), (60, 215, 70, 100)],
            columns=3,
            alt=(
                f"The fused image of every method on {pair.name}, with two magnified "
                "details."
            ),
            caption=(
                f"Fig. 10 of the paper, on {pair.name}. {as_printed} is the paper's "
                "rule, tlcnn ours."
            ),
        )
    )
if shown[0].name not in nearest:
    display(
        figures.comparison(
            read_maps([as_printed, "tlcnn"], nearest),
            columns=2,
            alt="Decision maps of the paper's rule and ours, two for each scene.",
            caption=(
                "Fig. 10 of the paper, on the scenes themselves: recorded crops of "
                "the decision maps. White: from the first source."
            ),
        )
    )

# %% [markdown]
# ## Ablations
#
# The paper states without a test that transfer shortens the training, and that average pooling keeps more than maximum pooling.
# `mffrepro train study transfer` trains the network again and again, each time with one difference, and each kind of training with
# several **seeds**: other random first weights, other training samples. What differs from seed to seed is chance. The kinds are:
#
# * **edges**: the transferred convolutions are those of a VGG-16 at full width. It learned ImageNet and then, gently, to find
#   edges in the photographs of BSDS500. The layers that follow it here are slim. That is the nearest that this book has to the
#   paper's VGG-19 of ImageNet, and it is not the same: the networks are trained on photographs of BSDS500 too, which these
#   convolutions have seen.
# * **random, full width**: the same network from random weights. *Edges* against this row is the test of transfer.
# * **textures** and **random, slim**: a VGG-19 with a sixteenth of the channels, from the surrogate source task or from random weights.
# * Each of these is trained further, or *frozen*: its first convolutions stay as they begin (`freeze=True`, A0.14).
# * The two poolings take the place of the stride in the slim network that begins with textures.
#
# A training takes minutes. The trainings are recorded; the chapter only reads them.

# %% tags=["hide-input"]
from mffrepro.report import transfer_claims, transfer_study
from mffrepro.report.transfer_study import EDGES, RANDOM, RANDOM_SLIM, TEXTURES, frozen

study = transfer_study.read_transfer()
wide = [EDGES, frozen(EDGES), RANDOM, frozen(RANDOM)]
slim_rows = [TEXTURES, frozen(TEXTURES), RANDOM_SLIM, frozen(RANDOM_SLIM)]
panels = {"full width": wide, "slim": slim_rows}
display(
    transfer_study.learning_curves(
        study,
        panels,
        "val_iou",
        ylabel="validation overlap",
        alt=(
            "Validation overlap by epoch at full width and slim: transferred and "
            "random convolutions, trained further and frozen, as means in bands."
        ),
    )
)
transfer_study.learning_curves(
    study,
    panels,
    "val_total",
    ylabel="validation loss",
    alt=(
        "Validation loss by epoch at full width and slim: transferred and random "
        "convolutions, trained further and frozen, as means over the seeds in bands."
    ),
)

# %% tags=["hide-input"]
poolings = [transfer_claims.AVERAGE, transfer_claims.MAXIMUM]
display(
    transfer_study.summary_table(
        study,
        [*wide, *slim_rows, *poolings],
        caption=(
            "Means over the seeds, in brackets the lowest and the highest; the last "
            "two rows begin with textures"
        ),
    )
)
losses = {
    name: study.curves([EDGES, RANDOM], name) for name in ("val_total", "val_iou")
}
gaps = (losses["val_total"]["random, full width"] - losses["val_total"]["edges"]).mean(
    1
)
last = (
    losses["val_iou"]["edges"][:, -1] - losses["val_iou"]["random, full width"][:, -1]
)
print(
    "Edges against random, full width, a number for each seed. Validation loss, mean "
    f"of the epochs: {', '.join(f'{-gap:+.2f}' for gap in gaps)}. Overlap after the "
    f"last epoch: {', '.join(f'{gain:+.2f}' for gain in last)}."
)

# %% [markdown]
# How to read it: a band that lies above another from the first epoch on to the last says that one kind of training is ahead whatever
# the seed. Where bands overlap, another seed may exchange the two. The level of all curves of a seed changes with the seed,
# because each seed has validation pairs of its own; the verdicts therefore compare two trainings of the same seed. C0.10 below counts
# by how many epochs transfer is earlier.
#
# Seeds 1 to 3 were trained on a GPU in float32, 4 and 5 on a processor in bfloat16. Only trainings of one seed are compared, so the
# machine is the same on both sides of each difference.
#
# What stays open: a budget of five epochs of 180 pairs, and another source task than the paper's. After fifty epochs at the paper's rate
# the order may be another. On a GPU, `mffrepro train study transfer --size paper --machine "..."` trains as the paper prints.

# %% [markdown]
# Transferred convolutions can stay fixed (`freeze=True`, A0.14) or be trained further, as here. At the paper's rate the
# difference must be small. RMSprop divides each gradient $c$ by the root of the running mean of its square, so the step
# $\Delta W$ of a weight depends on the rate $\eta$ and hardly on the gradient:
#
# $$\Delta W = -\eta\, \frac{c}{\sqrt{\overline{c^2}}}, \qquad \eta = 10^{-6}.$$

# %% [markdown]
# ### Why does a longer training fuse photographs worse?
#
# More epochs of more pairs (`weights="long"`) bring the network nearer to the true masks of made pairs, and further from fusing photographs well. What does it
# learn that photographs do not have? `mffrepro train study long_training` trains from the same seed again and again, each time with other pairs:
#
# * *as it is*: the pairs of the practical recipe, which are blurred by a Gaussian, and 16 epochs of 480;
# * *short*: the practical recipe itself, by which the networks of the verdicts were trained: 5 epochs of 300;
# * *disc blur*: half of the pairs are blurred by a disc, as a lens blurs, and not by a Gaussian;
# * *soft outlines*: the mask is softened along its outline before the images are put together;
# * *compressed pairs*: each image is compressed as JPEG, more or less, as photographs are that are handed around.
#
# The other rows combine them, with larger crops or more epochs where their names say so.
#
# Batch normalisation may be a cause of its own: it keeps the mean and the variance that its inputs had in training. In the columns *adapted* these are
# replaced by those of the photographs that are fused, which asks for no true mask.

# %% tags=["hide-input"]
from mffrepro.report.trainings import choice_table, on_stacks, read_study, study_origin
from mffrepro.training.studies.long_training import CHANGES

long_scores = study_files("long_training", "scores", "pairs")
long_scores = {name: long_scores[name] for name in CHANGES if name in long_scores}
long_trainings = read_study("long_training")
long_trainings.index = long_trainings.index.fillna("")
long_trainings = long_trainings.loc[[*long_scores]].rename({"": "as it is"})
rules_of_study = {
    "printed rule": "printed rule",
    "own rule": "own rule",
    "printed rule, statistics of the photographs": "printed rule, adapted",
    "own rule, statistics of the photographs": "own rule, adapted",
}
of_seeds = scores[scores["method"].isin(seeded) & (scores["metric"] == "qabf")]
of_seeds = of_seeds.groupby("method")["value"].mean()
print(study_origin(long_trainings))
print(
    f"Five seeds of the short training differ by {np.ptp(of_seeds):.4f} (printed rule)."
)
display(
    tables.plain(
        long_trainings[
            ["mask_iou", *(f"qabf, {rule}" for rule in rules_of_study)]
        ].set_axis(["overlap, made pairs", *rules_of_study.values()], axis=1),
        digits=4,
        caption=(
            "Longer trainings: overlap with the true masks, and Q_ABF on the 26 pairs"
        ),
    )
)
choice_table(
    long_scores,
    {"overlap, made pairs": on_stacks("mask_iou", rule="made pairs")}
    | {label: on_stacks("qabf", rule=rule) for rule, label in rules_of_study.items()},
    caption=(
        "What each change adds to the longer training of the same seed, mean over the "
        "stacks, and 95 % interval"
    ),
)

# %% [markdown]
# By the printed rule, the longer training with the pairs as they are falls behind the short one by more than five seeds differ by. With pairs blurred by
# a disc, or compressed, that loss is gone, with the same network, loss and rate. With both, the network is ahead of the short one by a little more than
# seeds differ by. Soft outlines alone bring back little. Added to the two they help no further, nor do larger crops or more epochs: among the best rows
# the differences are smaller than those of seeds. The statistics are a part of it: adapted, they bring back some where the pairs are neither, and hardly
# anything where they are. So what harms is what only made pairs reward: values that a Gaussian has smoothed and no camera has written. The overlap on
# made pairs falls as this is unlearnt, since these are blurred by the same Gaussian. Each row is one training, so effects within the range of the seeds
# are undecided.
#
# The package's default weights of tlcnn and [tlcolor](04_tlcolor.ipynb) come from two seeds of *disc blur, compressed pairs, twice as long*. The pairs
# were chosen by the six recorded pairs that are not Lytro's, and the number of epochs by the overlap on validation photographs. The 20 pairs of Lytro did
# not enter these two choices, so they say what was gained. But the question arose on all 26, and rows that were not chosen differ from it by less than
# seeds do. `lp` is a Laplacian pyramid, which needs no training:

# %% tags=["hide-input"]
trained_here = ["tlcnn.printed", "tlcolor.printed", "tlcnn", "tlcolor"]
compared = computed_or_recorded(
    ["lp", *seeded, *trained_here], "gacn26", ["qabf"], compute=[]
)
of_lytro = compared["stack"].str.startswith("lytro")
gained = compared.assign(pairs=np.where(of_lytro, "20 of Lytro", "the other 6"))
gained = gained.pivot_table(index="method", columns="pairs", values="value")
short = gained.loc[seeded].rename(lambda name: name.split(".")[1])
short.loc["mean of the seeds"] = short.mean()
tables.plain(
    pd.concat(
        {
            "default weights": gained.loc[trained_here],
            "short training, printed rule": short,
            "no training": gained.loc[["lp"]],
        }
    ),
    caption="Mean Q_ABF; the six chose the pairs of the default weights",
    digits=4,
)

# %% [markdown]
# By the printed rule, both networks of the default weights lie above the mean of the short trainings, and above the pyramid on Lytro. By our own rule little is gained, as the
# column *own rule* above says too: that rule does well after the short training already.

# %% [markdown]
# ## Claims and verdicts
#
# Each verdict is computed from the samples of this run, or from a recorded run where the note says so. The threshold of each
# claim stands in `data_manifests/papers/claims.csv`. The "proposed method" is the printed rule with the slim network of this
# project, trained with five seeds by the practical recipe, which blurs by a Gaussian, as the paper does, but by a wider one. This network is not the paper's, whose weights are not public.
# So it can support a claim, and where it fails the claim stays undecided. First the scores, on all 26 recorded pairs, because the
# paper's own three are not known:

# %% tags=["hide-input"]
seeds = [int(card(f"tlcolor.seed{i}")["seed"]) for i in range(1, 6)]
present, ours = paired.recorded(scores, rivals), paired.recorded(scores, seeded)
where = (
    f"Printed rule on {scores['stack'].nunique()} recorded pairs, slim networks of "
    "five seeds."
)
average = scores[scores["metric"].isin(five)].pivot_table(
    index="method", columns="metric", values="value"
)
kept = [*present, *seeded, "tlcnn.printed", "tlcnn"]
display(
    tables.scores(
        average.loc[kept, five],
        caption=(
            "Means over the recorded pairs; tlcnn is our rule, and both rows of tlcnn "
            "have the default weights"
        ),
    )
)
for claim, metric in {"C0.1": "qabf", "C0.2": "mi"}.items():
    leads = {
        f"over {name}": lead
        for name, lead in paired.differences(scores, ours, present, metric).items()
    }
    numbers = {
        "mean, printed rule": average.loc[seeded, metric].mean(),
        "mean, printed rule, default weights": average.loc["tlcnn.printed", metric],
        "mean, our own rule, default weights": average.loc["tlcnn", metric],
    }
    display(claims.judge(claim, leads, seeds=seeds, numbers=numbers, note=where))

# %% [markdown]
# The lead in $Q_{AG}$ (C0.3) can be judged from the printed tables alone:

# %% tags=["hide-input"]
steepest = {
    n: table.loc[[name for name in rivals if name in table.index], "ag"].sort_values()
    for n, table in printed.items()
}
printed_leads = {
    f"Table {n}, over {rows.index[-1]}": printed[n].loc[as_printed, "ag"]
    - rows.iloc[-1]
    for n, rows in steepest.items()
}
numbers = {
    f"Table {n}, lead without PCA": printed[n].loc[as_printed, "ag"]
    - rows.drop("pca").max()
    for n, rows in steepest.items()
}
measured = paired.differences(scores, ours, present, "ag")
numbers |= {
    f"our networks on 26 pairs, over {name}": float(lead.mean())
    for name, lead in measured.items()
}
said = (
    "The printed rows of PCA in Tables 1 and 2 are implausible (A0.11); without them "
    "the proposed method leads in print."
)
display(claims.judge("C0.3", printed_leads, scenes="own", numbers=numbers, note=said))

# %% tags=["hide-input"]
gaps = paired.differences(scores, ours, present, "labf")
losses = paired.cube(scores, [*ours, *present], ["labf"])[..., 0]
close = {
    "minus the median of the rivals": losses[: len(ours)]
    - np.median(losses[len(ours) :], axis=0)
}
close |= {f"minus {name}": gaps[name] for name in ("asr", "csr")}
in_print = {
    f"printed in Table {n}, minus {name}": table.loc[as_printed, "labf"]
    - table.loc[name, "labf"]
    for n, table in printed.items()
    for name in ("asr", "csr")
}
said = (
    " In print the proposed method is lower than both, which a claim of closeness "
    "leaves open. ASR in Table 3 is a misprint."
)
display(claims.judge("C0.4", close, seeds=seeds, numbers=in_print, note=where + said))
spread = {name: paired.quartile_spread(scores, present, name) for name in five}
others = np.median([spread[name] for name in five if name != "sf"], axis=0)
numbers = {f"mean for {name}": float(values.mean()) for name, values in spread.items()}
said = (
    f"The eight rivals on {scores['stack'].nunique()} recorded pairs; no network "
    "takes part. Little means less than the median of the other four metrics; a single "
    "one may differ less."
)
display(claims.judge("C0.5", others - spread["sf"], numbers=numbers, note=said))
away = paired.distances(scores, ours, present, five)
farther = {
    f"{name} minus MST-SR": far - away["mst_sr"]
    for name, far in away.items()
    if name != "mst_sr"
}
means = {f"distance of {name}": float(far.mean()) for name, far in away.items()}
display(claims.judge("C0.6", farther, seeds=seeds, numbers=means, note=where))

# %% [markdown]
# Edges and colours (C0.7): $Q_{ABF}$ within eight pixels of the border of the true decision map, on five photographs with a known
# decision. Colour is listed and not tested. The colour difference (CIEDE2000) between a fused pixel and the nearer one of its
# sources counts lost texture as well, and is zero for every method that copies pixels, as the proposed one does.

# %% tags=["hide-input"]
from mffrepro.metrics.diagnostics import border_band, colour_differences, local_score

photos = [
    data[f"{name}_blur3"]
    for name in ("astronaut", "coffee", "chelsea", "rocket", "camera")
]
asked = {name: (name, {}) for name in ("msvd", "gd", "dwt", "mgivf", "pca", "lp")}
asked |= {name: (name, {"device": device}) for name in seeded}
made = {
    (s.name, name): mff.fuse(s, method, **more)
    for s in photos
    for name, (method, more) in asked.items()
}
border = {
    name: np.array(
        [
            local_score("qabf", s, made[s.name, name], border_band(s.decision[0], 8))
            for s in photos
        ]
    )
    for name in ("msvd", "gd", *seeded)
}
coloured = [s for s in photos if s.is_colour]
strange = pd.DataFrame(
    [
        colour_differences(s, {name: made[s.name, name].image for name in asked})
        for s in coloured
    ]
).mean()
seen = pd.DataFrame(
    {"Q_ABF near the border": pd.DataFrame(border).mean(), "colour difference": strange}
)
display(tables.plain(seen, digits=3, caption="Borders and colours, means"))
own = np.array([border[name] for name in seeded])
parts = {f"Q_ABF, proposed minus {name}": own - border[name] for name in ("msvd", "gd")}
parts |= dict.fromkeys(("colour of DWT", "colour of MGIVF"))
numbers = {
    f"colour difference, {name}": float(strange[name])
    for name in ("dwt", "mgivf", "msvd", "gd", "pca", "lp")
}
note = (
    f"{len(photos)} embedded photographs, five trainings. Colour differences of "
    "methods that are not accused stand beside the others."
)
display(claims.judge("C0.7", parts, seeds=seeds, numbers=numbers, note=note))

# %% [markdown]
# The network and its training. What batch normalisation does is judged on trainings of 24 epochs on 20 photographs only, which a
# network learns by heart, with and without (`mffrepro train study overfitting`). Pooling (C0.8) and transfer (C0.10) are judged by
# the trainings of the section on ablations, seed by seed.

# %% tags=["hide-input"]
by_heart = study_files("overfitting", "curve", "change")
normalised = by_heart["few photographs"]
bare = by_heart["few photographs, no batch normalisation"]
kinds = {"with normalisation": normalised, "without": bare}
losses = {
    f"{part}, {kind}": np.array([log[f"{name}_total"][1:] for log in logs_of.values()])
    for kind, logs_of in kinds.items()
    for part, name in (("training", "train"), ("validation", "val"))
}
figures.banded_curves(
    np.arange(2, 2 + next(iter(losses.values())).shape[1]),
    losses,
    xlabel="epoch",
    ylabel="loss",
    alt=(
        "Training and validation losses over 24 epochs, with and without batch "
        "normalisation, as means over the seeds within bands."
    ),
    caption=(
        "Not in the paper: 20 photographs learned by heart. Lines are means over the "
        "seeds, bands reach from the lowest to the highest. The first epoch, whose "
        "statistics have not settled, is left out."
    ),
)

# %% tags=["hide-input"]
display(transfer_claims.pooling(study))
display(transfer_claims.shorter_training(study))
display(*transfer_claims.normalisation(study, normalised, bare))

# %% [markdown]
# The rule, on the five photographs, for five trainings. Where $F_1$ is returned, a pixel comes from the right source where $M_4$
# is right, and where $F_2$ is returned, where $M_5$ is. The AND step (C0.12) leaves the mean accuracy of the two maps as it is,
# whatever the network. It can only help through the map that the rule goes on with, so that map is compared with $M_1$ and $M_2$:

# %% tags=["hide-input"]
networks = [
    transfer.DefocusComparer(
        mff.methods.load_network(f"tlcolor.seed{i}", device=device)
    )
    for i in range(1, 6)
]
tried_steps = [[(rule_steps(one, s), s.decision) for s in photos] for one in networks]
right = {
    name: np.array(
        [[step.accuracy(truth)[name] for step, truth in row] for row in tried_steps]
    )
    for name in ("M1", "M2", "M4", "M5")
}
chosen = np.array([[step.choice.chosen for step, _ in row] for row in tried_steps])
returned = np.where(chosen == 0, right["M4"], right["M5"])
numbers = {
    "returned": returned.mean(),
    "always F1": right["M4"].mean(),
    "always F2": right["M5"].mean(),
    "F2 wins": chosen.mean(),
}
parts = {
    "minus always F1": returned - right["M4"],
    "minus always F2": returned - right["M5"],
}
display(
    claims.judge(
        "C0.11", parts, seeds=seeds, numbers=numbers, note="Five embedded photographs."
    )
)
parts = {f"returned map minus {name}": returned - right[name] for name in ("M1", "M2")}
numbers = {f"right, {name}": share.mean() for name, share in right.items()} | {
    "right, returned map": returned.mean()
}
note = (
    "Five embedded photographs. The AND step alone cannot change the mean of both "
    "maps, as the section on fusion shows."
)
display(claims.judge("C0.12", parts, seeds=seeds, numbers=numbers, note=note))

# %% [markdown]
# Two observations of ours, which are not claims of the paper:

# %% tags=["hide-input"]
apart = int((literal.choice.candidates[1] != literal.sources[1]).any(axis=-1).sum())
display(
    claims.judge(
        "C0.13",
        apart,
        seeds=seeds[:1],
        numbers={"pixels of M5": int(literal.secondary.second.sum())},
    )
)
total = float((scored["qabf"] + scored["labf"]).max())
display(
    claims.judge(
        "C0.14",
        total,
        numbers=impossible,
        note="Printed rows that violate the identity are listed.",
    )
)

# %% [markdown]
# ### The answer

# %% tags=["hide-input", "in-one-minute"]
from mffrepro.report.summary import in_one_minute, says

undecided = (
    f"Our {len(study.seeds)} seeds do not decide it: transfer should be earlier at "
    "two levels of the overlap, and it is not sure to be so at both."
)
question = (
    "Do convolutions that were trained to classify photographs help a network to find "
    "what is out of focus?"
)
number = "Q_ABF of the printed rule minus that of the strongest rival"
in_one_minute(
    "tlcnn",
    question,
    answer=says("C0.10", undecided=undecided),
    best="C0.1",
    number=number,
    learned=[says("C0.1"), says("C0.12"), says("C0.6")],
)

# %% [markdown]
# The test of transfer is limited: minutes of training, and convolutions that learned edges after ImageNet. The
# [next chapter](04_tlcolor.ipynb) compares the fused images.
#
# ## Deviations
#
# | subject | the paper | here | reason |
# |---|---|---|---|
# | down-sampling | average pooling, maximum pooling, and a convolution with stride 2 | stride 2; `downsample` | stated twice with kernel and padding; tlcolor agrees (A0.1) |
# | convolutions of a decoder | eight in each | 8, 8, 8, 6, 6; `dec_convs` | mirrors the encoders (A0.5) |
# | batch normalisation in VGG-19 | "after each convolution block" | after each of the sixteen convolutions | the paper uses the phrase for a layer and for a stage |
# | skip connection | an operator that cannot be read | concatenation; `skip` | tlcolor names it (A0.6) |
# | $M_3$ | $M_1 \wedge \neg M_2$ | $M_1 \oplus M_2$; `m3` | otherwise $F_2 = S_2$ (A0.7) |
# | pixels on which both maps agree | from the candidate with the higher $Q_{ABF}$ | from the source with the lower probability; `select="qabf"` for the paper's rule | the maps of a slim network agree on too many pixels of a photograph |
# | initial weights | "ESTAR", a time-series model | Xavier; `init` | tlcolor (A0.13) |
# | source task | ImageNet | ImageNet in the recipe `paper`; ImageNet and then edges (VGG-16) in the study of transfer; procedural textures for the slim network | the weights of ImageNet do not fit a slim network |
# | blur in training | 3 × 3, five levels, at 224 × 224 | the same in `paper`; 5 × 5 and 7 × 7, softer photographs and noise in `practical`; pairs blurred by a disc and compressed, too, in `camera`, the recipe of the default weights | the defocus of photographs is wider and that of a lens; JPEG leaves traces |
# | rate | $10^{-6}$, 50 epochs | the same in `paper`; $3 \cdot 10^{-4}$, with five short epochs in `practical` and 32 longer ones in `camera` | minutes on a CPU |
# | test images | 224 × 224 | any size, mirrored to a multiple of 32; `size=224` | the network has convolutions only (A0.16) |
#
# The page of ambiguities lists every choice with its option.
#
# ## Exercises
#
# ### Check yourself
#
# <details><summary>Which pixels does the printed rule decide by Q_ABF of the whole image, and not by the maps?</summary>
#
# Those on which both maps agree: both say in focus, or both say out of focus. The rule takes all of them from one candidate, so
# that one comparison of two numbers decides over all.
#
# </details>
#
# <details><summary>RMSprop moves a weight by about the rate in a step. How far can a weight move in 50 epochs of 1125 steps at a rate of one millionth?</summary>
#
# By $50 \cdot 1125 \cdot 10^{-6} \approx 0.06$ if all steps point the same way, and by up to ten times as much with a momentum of
# 0.9. Transferred weights stay close to where they began.
#
# </details>
#
# <details><summary>Why does a failure of our slim network not refute the paper?</summary>
#
# It is another network: a sixteenth of the channels, another source task, other photographs. It can show that the claim may hold,
# and a failure may be its own fault.
#
# </details>
#
# ### Try it
#
# **1.** Fuse pairs by both readings of $M_3$, `m3="xor"` and `m3="literal"`, with the printed rule `select="qabf"`. How often does each
# reading return $F_2$, and what is $F_2$ in the literal one?
#
# <details><summary>Hint</summary>
#
# `mffrepro.models.rule_steps.rule_steps` predicts both maps and keeps every step. `decision_rule.choose` returns the candidates and
# `chosen`, which is 0 for $F_1$ and 1 for $F_2$. Take each pair in both orders, so that neither source has an advantage.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# With `xor` each candidate is returned five times of ten: a pair in the other order exchanges $F_1$ and $F_2$, and the rule returns the
# same image. In the literal reading $M_5$ is empty and $F_2$ is the second source, unchanged. It is returned once: there the rule "fuses"
# by returning a photograph as it was. $F_1$ is the same in both readings, because $M_4$ is, so the literal reading only takes the better
# candidate away where that is $F_2$.
#
# ```python
# import numpy as np
#
# import mffrepro as mff
# from mffrepro.images import FocusStack
# from mffrepro.models import decision_rule, transfer
# from mffrepro.models.rule_steps import rule_steps
#
# comparer = transfer.DefocusComparer(mff.methods.load_network("tlcnn"))
# returned = {"xor": [], "literal": []}
# for pair in mff.load("embedded", kind="composite", levels=[3], size=128):
#     for images in (pair.images, pair.images[::-1]):
#         steps = rule_steps(comparer, FocusStack(pair.name, images))
#         for reading, chosen in returned.items():
#             maps = decision_rule.secondary_maps(*steps.initial, reading)
#             choice = decision_rule.choose(*steps.sources, maps)
#             chosen.append(choice.chosen)
#         assert np.array_equal(choice.candidates[1], steps.sources[1])  # the literal F2
# for reading, chosen in returned.items():
#     print(f"{reading}: F2 is returned {sum(chosen)} of {len(chosen)} times")
#
# assert sum(returned["literal"]) < sum(returned["xor"])
# ```
#
# </details>
#
# **2.** The printed rule cuts both probabilities at one half. At which threshold do the maps of `tlcolor.seed1`, a network of the verdicts,
# disagree on most pixels, as they should? How near does the printed rule come to the comparison of both probabilities there?
#
# <details><summary>Hint</summary>
#
# `comparer.defocus` returns the probability map of one image, and `mffrepro.models.decision_rule` has both steps of the rule. The share
# of pixels that come from the right source says how good a map is.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# Of these five, at 0.9: the maps disagree on 76 % of the pixels there, on 65 % at one half and on 42 % at 0.1. They should on all. The
# share of right pixels does not follow: it goes up and down between 75 and 89 %. All pixels on which the maps agree come from the
# candidate with the higher $Q_{ABF}$, so one comparison of two numbers decides over a quarter to a half of the image. Comparing the two
# probabilities at each pixel needs no threshold and takes 95 % from the right source.
#
# ```python
# import numpy as np
#
# import mffrepro as mff
# from mffrepro.images import to_unit
# from mffrepro.models import decision_rule, transfer
#
# comparer = transfer.DefocusComparer(mff.methods.load_network("tlcolor.seed1"))
# thresholds = (0.1, 0.3, 0.5, 0.7, 0.9)
# differ, printed, compared = [], [], []
# for pair in mff.load("embedded", kind="composite", levels=[3], size=128):
#     s1, s2 = to_unit(pair.images, np.float64)
#     p1, p2 = comparer.defocus(s1), comparer.defocus(s2)
#     maps = [decision_rule.secondary_maps(p1 > t, p2 > t) for t in thresholds]
#     shares = [decision_rule.choose(s1, s2, one).share for one in maps]
#     near = pair.decision[0] > 0.5
#     differ.append([one.agree.mean() for one in maps])
#     printed.append([((share > 0.5) == near).mean() for share in shares])
#     compared.append(((p2 >= p1) == near).mean())
# means = np.mean(differ, axis=0), np.mean(printed, axis=0)
# for t, apart, right in zip(thresholds, *means, strict=True):
#     print(f"threshold {t}: maps differ on {apart:.0%}, right pixels {right:.1%}")
# print(f"comparison: right pixels {np.mean(compared):.1%}")
#
# assert np.mean(compared) > np.mean(printed, axis=0).max() + 0.03
# ```
#
# </details>
#
# **3.** The recipe adds noise *after* the blur. Why? Build a detector that knows nothing about focus: it calls a pixel out of focus where
# the finest grain is missing. Fit its threshold on pairs without noise after the blur, and test it on pairs with it.
#
# <details><summary>Hint</summary>
#
# Every real photograph has grain, and blurring it takes the grain away. Add weak noise to a photograph *before* you make the pair with
# `mffrepro.data.synthetic.composite`. The detector thresholds the local mean of $|\Delta I|$, even on surfaces without any texture.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# The detector is right on 98 % of the pixels of two photographs that it has not seen, on plain surfaces too: where the grain is missing,
# the photograph was blurred. With noise of three gray levels after the blur it finds grain everywhere, calls everything sharp, and is
# right on 50 %, which is chance. A network learns such a shortcut too if the training data offer it, and its validation accuracy does not
# show it, because the validation pairs were made in the same way. Noise after the blur removes the shortcut.
#
# ```python
# import numpy as np
# from scipy import ndimage
#
# from mffrepro.data import load_regions
# from mffrepro.data.synthetic import composite
# from mffrepro.images import to_gray, to_unit
#
# rng = np.random.default_rng(1)
#
#
# def finest(photograph, noise):
#     """Blur a photograph outside its mask; return its finest grain, and the mask."""
#     image = to_unit(photograph.image, np.float64)
#     gray = to_gray(image) if image.ndim == 3 else image
#     grain = gray + rng.normal(0, 2 / 255, gray.shape)
#     sharp = photograph.labels[0] > 0
#     near = composite(grain.clip(0, 1), sharp, size=5, level=3)[0]
#     noisy = near + rng.normal(0, noise / 255, near.shape)
#     found = ndimage.uniform_filter(np.abs(ndimage.laplace(noisy)), 9)
#     return found[::4, ::4], sharp[::4, ::4]
#
#
# def right(limit, grain, sharp):
#     """Compute the mean share of right pixels inside and outside; chance is one half."""
#     return ((grain > limit)[sharp].mean() + (grain <= limit)[~sharp].mean()) / 2
#
#
# photographs, limits = load_regions("embedded"), np.linspace(0, 0.1, 51)
# learned = [finest(one, noise=0) for one in photographs[:3]]
# limit = max(limits, key=lambda x: np.mean([right(x, *pair) for pair in learned]))
# found = {
#     noise: np.mean([right(limit, *finest(one, noise)) for one in photographs[3:]])
#     for noise in (0, 3)
# }
# print(f"without noise after the blur {found[0]:.0%}, with noise {found[3]:.0%}")
#
# assert found[0] > 0.85 and found[3] < 0.6
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

weights = ["tlcnn.default", "tlcnn.long", "vgg19.surrogate"]
provenance(run, started, [*weights, *(f"tlcolor.seed{i}" for i in range(1, 6))])
