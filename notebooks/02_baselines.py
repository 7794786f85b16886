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
# # The classical methods: fusion without training
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/02_baselines.ipynb)
#
# Pyramids, wavelets, guided filters, focus measures, sparse codes and pulse-coupled neurons are the rows of every comparison table, mostly
# without a picture. What does each of them compute, where does it fail, is our version the one that others ran, and **which should you
# choose?**
#
# *Needs: nothing but a CPU; about a minute (quick), ten (full).*
#
# *Read first: [the quickstart](00_quickstart.ipynb); of [metrics](01_metrics.ipynb) only what PSNR and Q_ABF are.*

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

import numpy as np
import pandas as pd
from scipy import ndimage

import mffrepro as mff
from mffrepro.fusion import (
    contourlet,
    curvelet,
    dictionaries,
    dtcwt,
    nsct,
    nsst,
    pyramid,
    sparse,
)
from mffrepro.fusion.rules import choose_max
from mffrepro.images import to_gray, to_unit
from mffrepro.report import fidelity, figures, tables
from mffrepro.report.explorable import Explorable, State

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## What is a classical method?
#
# A classical method follows a written rule; nothing is trained on pairs of sources. Nearly all of them have the same three parts:
#
# 1. **A focus measure.** A transform or a filter whose values are large where the photograph is sharp.
# 2. **A fusion rule.** It usually takes the larger value, because blur only removes detail: the larger value comes from the sharper source.
# 3. **Consistency verification.** A pixel that disagrees with all of its neighbours is most likely wrong and follows their majority.
#
# These methods are the baselines of every table in the field. They also serve people without a GPU, and photographs unlike those that a
# network was trained on. Each is one call, for two images or for many:

# %% tags=["hide-input"]
size = run.pick(quick=256, full=512, tiny=96)
stacks = mff.load("embedded", size=size)
stack = stacks["coffee_blur3"]
near, far = stack.images
result = mff.fuse([near, far], "lp")

lens = stacks["motorcycle_lens"]
many = mff.fuse(lens, "sml")
pair = {"near": near, "far": far, "fused": result.image}
figures.comparison(
    pair
    | {
        "first of eight": lens.images[0],
        "last of eight": lens.images[-1],
        "all eight fused": many.image,
    },
    columns=3,
    alt=(
        "A cup of coffee, focused in front, behind, and fused; a motorcycle in a "
        "workshop, focused behind, in front, and fused from eight."
    ),
    caption=(
        f"Two images fused by a Laplacian pyramid in {result.seconds:.2f} s, "
        f"{len(lens)} by their Laplacians in {many.seconds:.2f} s."
    ),
)

# %% [markdown]
# The table lists all classical methods. *Colour* says where the decision is made: on each channel separately, on luma, or once per pixel.
# *Map* says whether the method returns a decision map. Read the notes: some names in comparison tables cannot be traced to a paper.

# %% tags=["hide-input"]
cards = [
    card
    for card in mff.methods.CARDS.values()
    if card.kind == "classical" and card.seconds < 3600  # not ZMFF, which fits networks
]
facts = {
    card.name: {
        "title": card.title,
        "colour": card.colour,
        "map": "yes" if card.has_decision else "",
        "note": card.note,
    }
    for card in cards
}
listed = tables.plain(
    pd.DataFrame(facts).T, caption="Classical methods of this package"
)
listed.set_properties(
    subset=["title", "colour"], **{"white-space": "nowrap !important"}
)
listed.set_properties(subset="note", **{"min-width": "14em"})

# %% [markdown]
# The sections below take one family each, define its methods by formulas, and show one picture of its intermediate results. `mff_ssim`, which
# climbs towards a similarity step by step, stands in [the chapter on networks](08_networks.ipynb#mff-ssim-optimisation-without-a-network).
#
# **Notation.** $S_1, \dots, S_N$ are the sources, $p$ and $q$ are pixels, $F$ is the fused image, and $*$ is convolution. $W_r(p)$ is the
# square window of half width $r$ around $p$, and $g_\sigma$ is a Gaussian of standard deviation $\sigma$. A transform $T$ splits a source
# into details $D_n^{l}$ of level $l$ and direction, and a base $B_n$. Most transforms share two rules. **Li's choose-max rule** compares the
# largest magnitude in a 3×3 window and lets the neighbours correct the choice by majority:
#
# $$m(p) = \arg\max_n \max_{q \in W_1(p)} |D_n^l(q)|, \qquad m'(p) = \operatorname{majority}_{q \in W_1(p)} m(q),$$
#
# $$D_F^l(p) = D^l_{m'(p)}(p).$$
#
# The bases are averaged, $B_F = \frac1N \sum_n B_n$, and $F = T^{-1}(D_F, B_F)$.

# %% tags=["hide-input"]
gray = to_gray(to_unit(stack.images, np.float64))
truth = stack.decision
share = gray.shape[1] / 341  # boxes are given for the size of the full profile


def box(*places):
    return tuple(round(place * share) for place in places)


rim, saucer = box(45, 315, 50, 65), box(200, 50, 50, 65)

# %% [markdown]
# ## Pyramids: `lp`, `rp`, `mp`
#
# A Laplacian pyramid ([Burt and Adelson, 1983](https://doi.org/10.1109/TCOM.1983.1095851)) halves the image, enlarges it again and keeps the
# difference: the finest octave of detail. It then continues with the halved image. Let $G_n^0 = S_n$, let $\downarrow$ smooth and halve, and
# let $\uparrow$ double and smooth. Then `lp` computes
#
# $$G_n^{l+1} = \mathop{\downarrow} G_n^l, \qquad D_n^l = G_n^l - \mathop{\uparrow} G_n^{l+1}, \qquad F^l = D_F^l + \mathop{\uparrow} F^{l+1},$$
#
# with $D_F^l$ by Li's rule and $F^L = B_F$. The ratio pyramid `rp` ([Toet, 1989](https://doi.org/10.1016/0167-8655%2889%2990003-2)) divides
# instead, because human vision responds to ratios:
#
# $$R_n^l = \frac{G_n^l}{\mathop{\uparrow} G_n^{l+1}}, \qquad F^l = R_F^l \cdot \mathop{\uparrow} F^{l+1}.$$
#
# The morphological pyramid `mp` ([Toet, 1989](https://doi.org/10.1016/0167-8655%2889%2990004-4)) subtracts as `lp` does, but its $\downarrow$ opens and closes the
# image by a window of 3×3 before it halves it, and its $\uparrow$ puts the larger neighbour between two pixels. Edges then stay where they are:
#
# $$G_n^{l+1} = \mathop{\downarrow} \left( (G_n^l \circ W_1) \bullet W_1 \right), \qquad D_n^l = G_n^l - (\mathop{\uparrow} G_n^{l+1}) \oplus W_1.$$

# %% tags=["hide-input"]
smaller = [pyramid.analyse(image, 1)[1] for image in gray]
octaves = [
    pyramid.analyse(image, 1)[0][0][: image.shape[0], : image.shape[1]]
    for image in smaller
]
ratios = [
    np.log(image / (image - octave))
    for image, octave in zip(smaller, octaves, strict=True)
]
kept = choose_max(np.stack(octaves))
limit = np.quantile(np.abs(kept), 0.99)
figures.comparison(
    {
        **{
            label: figures.signed(level, limit=limit)
            for label, level in zip(
                ("near", "far", "kept"), [*octaves, kept], strict=True
            )
        },
        "from near (white)": (kept == octaves[0]).astype(float),
        **{
            f"log ratio, {label}": figures.signed(ratio, limit=0.3)
            for label, ratio in zip(("near", "far"), ratios, strict=True)
        },
    },
    columns=3,
    alt=(
        "Second octave of both sources: lines on the cup in near, on the table in "
        "far, and both in what is kept; a map of the choice; ratios."
    ),
    caption=(
        "The second octave. Where neither source has detail, the choice is random and "
        "has no visible effect."
    ),
)

# %% [markdown]
# The choice follows the cup roughly. At its outline each octave decides separately, and detail from one source is added to the averaged base.
# This causes the faint ghost along edges in the gallery below. With more levels the base that is averaged shrinks, and less blur of the wrong
# source is left around the cup; but wider bands spread their errors further.

# %% tags=["hide-input"]
part = np.s_[
    round(0.1 * gray.shape[1]) : round(0.75 * gray.shape[1]),
    round(0.2 * gray.shape[2]) : round(0.9 * gray.shape[2]),
]


def with_levels(levels):
    fused = mff.fuse(stack, "lp", levels=levels).image
    error = to_unit(fused, np.float64) - to_unit(stack.reference, np.float64)
    score = mff.evaluate(stack, fused, ["psnr"])["psnr"]
    shown = {
        "fused": fused[part],
        "error": figures.signed(error.mean(-1)[part], limit=0.1),
    }
    return State(shown, {"PSNR": f"{score:.2f} dB"})


Explorable(
    {"levels": range(1, run.pick(quick=6, full=7, tiny=4))},
    with_levels,
    start=[1],
    alt="The fused cup and its error for a Laplacian pyramid of the chosen levels.",
    caption=(
        "A pyramid of more and more levels. Gray: no error; white and black: brighter "
        "and darker than the reference by a tenth of the range."
    ),
)

# %% [markdown]
# ## Wavelets: `dwt`, `swt`, `dtcwt`
#
# A wavelet transform separates horizontal, vertical and diagonal detail $o$ by a low-pass filter $\phi$ and high-pass filters $\psi_o$. With
# $A_n^0 = S_n$,
#
# $$D_n^{l,o} = \mathop{\downarrow_2} (\psi_o * A_n^{l}), \qquad A_n^{l+1} = \mathop{\downarrow_2} (\phi * A_n^{l}) \qquad \text{(dwt)},$$
#
# where $\downarrow_2$ keeps every second sample of each direction. This is fast and keeps exactly as many numbers as the image has. But an
# edge that falls between two samples is hardly measured: move the camera by one pixel, and other coefficients win. The stationary transform
# `swt` keeps all samples and stretches the filters instead, $D_n^{l,o} = \psi_o^{\uparrow 2^l} * A_n^l$. The complex transform `dtcwt` runs
# two real wavelet trees, $D_n^{l,o} = \Re_n^{l,o} + i\,\Im_n^{l,o}$ in six directions, keeps four times as many numbers as `dwt`, and
# compares magnitudes, which change less when the image moves. All three use Li's rule on every $D_n^{l,o}$.


# %% tags=["hide-input"]
def haar(image, side=8):
    """Compute Haar's detail of the third octave along columns at every pixel."""
    half = ndimage.uniform_filter(image, (side // 2, side))
    return np.abs(half[side // 2 :] - half[: -side // 2])


def third_octave(image):
    every = haar(image)
    return {
        "wavelets": every[::8, ::8],
        "stationary": every,
        "complex": np.abs(dtcwt.analyse(image, 3)[0][2][2:4]).max(0),
    }


still, moved = (
    third_octave(gray[0][start : start - 8, start : start - 8]) for start in (0, 4)
)
pictures = {}
for suffix, octave in (("", still), (", moved", moved)):
    for name, values in octave.items():
        side = 1 if name == "stationary" else 8
        pictures[name + suffix] = figures.heat(
            np.kron(values, np.ones((side, side))), high=np.quantile(still[name], 0.99)
        )
figures.comparison(
    pictures,
    columns=3,
    alt=(
        "Third octave by three wavelet transforms; below, the same after a move by "
        "four pixels: the first changes most."
    ),
    caption=(
        "Strength of horizontal edges in the third octave. In the lower row the "
        "photograph is moved by four pixels: dwt finds other edges."
    ),
)

# %% [markdown]
# Does this matter for fusion? The test fuses the same scene twice, the second time in a frame that begins one pixel further down and to the
# right, and subtracts the results. The difference is zero for a method that depends on the scene alone and not on its sampling grid.

# %% tags=["hide-input"]
# Sparse codes take half a minute per channel: they get larger tolerances and steps, in the quick profile as well as in the full one.
cheap = {"eps": 10.0, "stride": 4}
faster = {
    "sr": cheap,
    "asr": cheap,
    "csr": {"tolerance": 5e-2},
    "pcnn": {"iterations": 60},
    "scm": {"iterations": 60},
}
options = {
    card.name: faster.get(card.name, {}) if run.quick or card.seconds > 20 else {}
    for card in cards
}
steady = {
    name: chosen | ({"stride": 1} if "stride" in chosen else {})
    for name, chosen in options.items()
}  # a step is a grid
top, left, side = (round(place * gray.shape[1] / 341) for place in (40, 300, 160))
crop = [image[top : top + side, left : left + side] for image in gray]


def unsteady(method, margin=20):
    """Compute the RMS change, in gray levels, when the frame moves by one pixel."""
    frames = (np.s_[:-1, :-1], np.s_[1:, 1:])
    first, second = (
        mff.fuse([image[frame] for image in crop], method, **steady[method]).image
        for frame in frames
    )
    gap = first[1:, 1:] - second[:-1, :-1]
    return 255 * np.sqrt(np.square(gap[margin:-margin, margin:-margin]).mean())


# %% tags=["hide-input"]
changes = pd.Series({card.name: unsteady(card.name) for card in cards}).sort_values(
    ascending=False
)
figures.bars(
    changes.to_dict(),
    xlabel="change of the fused image, gray levels",
    alt=(
        "Bars of how much the result of each method changes when the frame moves by "
        "one pixel; long for those on a grid."
    ),
    caption=(
        "The frame moves by one pixel. On a decimated grid other coefficients win; "
        "msvd learns another transform, gd another range."
    ),
)

# %% [markdown]
# ## Directions: `cvt`, `contourlet`, `nsct`, `nsst`, `dchwt`
#
# Edges have more than three directions. Curvelets `cvt` ([Candès et al., 2006](https://doi.org/10.1137/05064182X)), contourlets, decimated in
# `contourlet` ([Do and Vetterli, 2005](https://doi.org/10.1109/TIP.2005.859376)) and not in `nsct`
# ([da Cunha et al., 2006](https://doi.org/10.1109/TIP.2006.877507)), and shearlets `nsst`
# ([Easley et al., 2008](https://doi.org/10.1016/j.acha.2007.09.003)) cut each octave $l$ of the spectrum $\hat S_n$ into wedges of direction
# $\theta$ by windows $U_{l,\theta}$ of frequency $\omega$:
#
# $$D_n^{l,\theta} = \mathcal F^{-1}\!\left[ U_{l,\theta}(\omega)\, \hat S_n(\omega) \right].$$
#
# `cvt` samples each wedge on a grid of its own and applies Li's rule to real and imaginary parts separately. `contourlet` and `nsct` build
# $U_{l,\theta}$ from a tree of fan filters, and `nsst` from short shearing filters; all three apply Li's rule in each direction. `contourlet`
# keeps so few samples of a direction that all directions of a level together have as many as the level has pixels. `nsct` and `nsst` keep
# every pixel of each, so nothing depends on a grid.
#
# The cosine harmonic wavelets of `dchwt` cut dyadic blocks out of one cosine transform and transform each block back to a band $D_n^{l,o}$.
# They average instead of choosing:
#
# $$D_F^{l,o} = \frac{\sum_n s_n^{l,o} D_n^{l,o}}{\sum_n s_n^{l,o}}, \qquad s_n^{1,o} = \overline{(D_n^{1,o})^2},$$
#
# $$s_n^{l,o} = |D_n^{l,o}| + \sum_{\text{finer levels}} |D_n^{k,o}| \quad (l > 1),$$
#
# where the bar is the mean over $W_1$, and the sum runs over the coefficients of finer levels $k < l$ at the same place and direction. The
# base is averaged by the sum of the three coarsest $s_n^{L,o}$.

# %% tags=["hide-input"]
thinned, contourlets, shearlets = (
    contourlet.analyse(gray[0], (16, 8, 8, 4))[0][1],
    nsct.analyse(gray[0], (16, 8, 8, 4))[0][1],
    nsst.analyse(gray[0], (16, 16, 8, 8), (16, 16, 8, 8))[0][2],
)
curvelets = curvelet.analyse(gray[0])[0][1]
picks = [
    np.linspace(0, len(bands), 4, endpoint=False).astype(int)
    for bands in (contourlets, shearlets, thinned, curvelets)
]
directions = {}
for name, bands, pick in zip(
    ("nsct", "nsst", "contourlet", "cvt"),
    (contourlets, shearlets, thinned, curvelets),
    picks,
    strict=True,
):
    for i in pick:
        band = ndimage.zoom(
            bands[i].real, np.divide(gray[0].shape, bands[i].shape), order=1
        )
        directions[f"{name} {i + 1} of {len(bands)}"] = figures.signed(band)
figures.comparison(
    directions,
    alt=(
        "The near-focused cup in four directions of four transforms: each picture "
        "shows the lines of one direction best; those of contourlet and cvt are "
        "coarser and show few others."
    ),
    caption=(
        "Four directions of one octave of the near-focused source. nsct and nsst keep "
        "every pixel; contourlet and cvt have grids of their own."
    ),
)

# %% [markdown]
# ## Weights smoothed along edges: `gff`, `mgivf`, `cbf`
#
# A per-pixel map of the sharpest source has a ragged border, and blurring the map would blur the outline. A **guided filter**
# ([He et al., 2013](https://doi.org/10.1109/TPAMI.2012.213)) smooths a map $P$ but lets it jump where the guide $I$ does. It is linear in $I$
# in each window $k$ of half width $r$:
#
# $$G_{r,\epsilon}(P; I)(p) = \frac{1}{|W_r|} \sum_{k \in W_r(p)} \left( a_k I(p) + b_k \right), \qquad
# a_k = \frac{\operatorname{cov}_k(I, P)}{\operatorname{var}_k(I) + \epsilon}, \qquad b_k = \bar P_k - a_k \bar I_k.$$
#
# `gff` ([Li et al., 2013](https://doi.org/10.1109/TIP.2013.2244222)) measures saliency by the smoothed Laplacian, $H_n = g_5 * |\Delta S_n|$,
# marks the most salient source, $P_n = [\,n = \arg\max_m H_m\,]$, and smooths this map twice, widely for the base $B_n$ (a box mean of 31×31
# pixels) and narrowly for the detail:
#
# $$F = \sum_n W^B_n B_n + W^D_n (S_n - B_n),$$
#
# $$W^B_n \propto G_{45,\,0.3}(P_n; S_n), \qquad W^D_n \propto G_{7,\,10^{-6}}(P_n; S_n).$$
#
# `mgivf` lets each source guide a filter over the mean $\bar S_{-n}$ of the others. With $S_n^0 = S_n$, it weights the removed residuals by
# their magnitude:
#
# $$S_n^{l+1} = G_{9,\,1000}(\bar S_{-n}^l; S_n^l), \qquad D_n^l = S_n^l - S_n^{l+1},$$
#
# $$F = \frac1N \sum_n S_n^L + \sum_l \frac{\sum_n |D_n^l|\, D_n^l}{\sum_n |D_n^l|}.$$
#
# `cbf` averages each source by a **cross bilateral filter** $C_n$, whose weights come from the mean of the others, and uses the strength of
# the removed residual as the weight of the source:
#
# $$C_n(p) = \frac{\sum_q k(p,q)\, S_n(q)}{\sum_q k(p,q)}, \qquad F = \frac{\sum_n w_n S_n}{\sum_n w_n},$$
#
# $$k(p,q) = \exp\!\left(-\frac{|p-q|^2}{2\sigma_s^2} - \frac{(\bar S_{-n}(p) - \bar S_{-n}(q))^2}{2\sigma_r^2}\right),$$
#
# where $w_n(p)$ is the sum of the variances of $S_n - C_n$ along the rows and along the columns of $W_2(p)$.

# %% tags=["hide-input"]
from mffrepro.baselines import cbf, gff

saliency = np.stack([gff.measure_saliency(image) for image in gray])
rough = (saliency.argmax(0) == np.arange(2)[:, None, None]).astype(float)


def share_of_near(radius, eps):
    """Smooth the weights of both sources; return those of near, normalised."""
    smooth = [
        gff.smooth_weights(weight, guide, radius, eps)
        for weight, guide in zip(rough, gray, strict=True)
    ]
    return smooth[0] / sum(smooth)


settings = {"radius": 5, "spatial_sigma": 1.8, "range_sigma": 25.0}
details = np.stack(
    [
        one - cbf.cross_bilateral(one, other, **settings)
        for one, other in zip(255 * gray, 255 * gray[::-1], strict=True)
    ]
)
strength = np.stack([cbf.detail_strength(detail) for detail in details])
figures.comparison(
    {
        "gff: rough": rough[0],
        "gff: for the detail": share_of_near(7, 1e-6),
        "gff: for the base": share_of_near(45, 0.3),
        "cbf: detail of near": figures.signed(details[0]),
        "cbf: weight": strength[0] / strength.sum(0),
        "truth": truth[0],
    },
    columns=3,
    alt=(
        "Weights of the near-focused source: ragged before the guided filter, finer "
        "along the cup after a narrow one, soft after a wide one."
    ),
    caption=(
        "White takes near. The narrow filter fits the border to the outline of the "
        "cup, the wide one makes the bases meet softly."
    ),
)

# %% [markdown]
# Find the radius and the epsilon whose map comes nearest to the truth. `gff` uses two settings at once, because detail and base need
# different ones.


# %% tags=["hide-input"]
def smoothed(radius, epsilon):
    share = share_of_near(radius, epsilon)
    wrong = np.abs(share - truth[0])
    shown = {
        "weight of near": share[part],
        "distance from the truth": figures.heat(wrong[part]),
    }
    return State(shown, {"mean distance": f"{wrong.mean():.4f}"})


Explorable(
    {"radius": [2, 7, 20, 45], "epsilon": [1e-6, 1e-4, 1e-2, 0.3]},
    smoothed,
    start=[7, 1e-6],
    alt="The weight of the near-focused source for the chosen radius and epsilon.",
    caption=(
        "The guided filter on the rough map of gff. Right: how far the weight is from "
        "the true decision, dark none, bright all."
    ),
)

# %% [markdown]
# ## Focus measures and decision maps: `sf`, `eog`, `eol`, `sml`, `dsift`, `mwg`, `focus_stack`
#
# If each pixel is to come from one source, only the choice of the source is open. A **focus measure** $M_n(p)$ says how strongly the gray
# values vary around $p$. The decision map takes the source with the largest measure, $\arg\max_n M_n(p)$, after consistency verification: a
# majority vote of neighbours, and removal of small regions. The measures are
#
# $$
# \begin{aligned}
# \text{sf:} \quad & M_n(b) = \sqrt{\operatorname{mean}_{p \in b} \left[ (\partial_x S_n)^2 + (\partial_y S_n)^2 \right]}; \\
# \text{eog:} \quad & M_n(p) = \sum_{q \in W_3(p)} \left( |\partial_x S_n(q)|^2 + |\partial_y S_n(q)|^2 \right); \\
# \text{eol:} \quad & M_n(p) = \sum_{q \in W_3(p)} (K * S_n)^2(q), \quad K = \begin{pmatrix} -1 & -4 & -1 \\ -4 & 20 & -4 \\ -1 & -4 & -1 \end{pmatrix}; \\
# \text{sml:} \quad & M_n(p) = \sum_{q \in W_3(p)} \left( |\partial_{xx} S_n(q)| + |\partial_{yy} S_n(q)| \right); \\
# \text{dsift:} \quad & M_n(p) = \sum_{c=1}^{16} \sum_{k=1}^{8} h_{n,p}(c, k); \\
# \mathrm{focus\_stack:} \quad & M_n(p) = |\Delta (g * S_n)(p)|.
# \end{aligned}
# $$
#
# `sf` compares blocks $b$ of 8×8 pixels, and neighbouring blocks vote. `focus_stack` uses no consistency verification. `dsift` sums the SIFT
# descriptor $h_{n,p}$ of 4×4 cells $c$ and 8 directions $k$. Its blocks of 8×8 pixels compare their sums of $M_n$, and a pixel is decided
# where more than 99 % of the blocks around it agree. The other pixels are decided by matching the descriptor with the most similar place of
# the other source.
#
# The maps can be compared with the true one where it is known; wrong pixels are orange.

# %% tags=["hide-input"]
maps = {"truth": truth}
for card in cards:
    if card.has_decision:
        maps[card.name] = mff.fuse(stack, card.name, **options[card.name]).decision
figures.decision_maps(
    maps,
    truth=truth,
    alt=(
        "Decision maps of all classical methods that have one, beside the true "
        "outline of the cup; wrong pixels are orange."
    ),
    caption=(
        "White takes near, black takes far, orange is wrong. Without consistency "
        "verification (focus_stack), plain surfaces are random."
    ),
)

# %% [markdown]
# Many wrong pixels lie on plain surfaces, where they do no harm: the sources are equal there. The errors that matter lie on the outline.
# Multi-scale weighted gradients `mwg` ([Zhou et al., 2014](https://doi.org/10.1016/j.inffus.2013.11.005)) therefore measure at two scales: a
# large one that is reliable away from the outline, and a small one for the band around it. Let $\lambda_1 \geq \lambda_2$ be the eigenvalues
# of the smoothed structure tensor $g_\sigma * (\nabla S_n \nabla S_n^\top)$. The saliency at scale $\sigma$ is
#
# $$M_n^\sigma = \sqrt{ \left(\sqrt{\lambda_1} + \sqrt{\lambda_2}\right)^2 + \tfrac12 \left(\sqrt{\lambda_1} - \sqrt{\lambda_2}\right)^2 }.$$
#
# From $M^{4}$, and from $M^{0.5}$ in the band, follows a weight $w_n$ per source. The fused image has the gradient field $V$ closest to the
# weighted gradients, where $V$ is the principal eigenvector of $\sum_n w_n^2 \nabla S_n \nabla S_n^\top$ times the root of its eigenvalue:
#
# $$F = \arg\min_F \sum_p \left| \nabla F(p) - V(p) \right|^2.$$

# %% tags=["hide-input"]
from mffrepro.baselines import mwg

coarse, fine = (
    [mwg.saliency(mwg.gradient(255 * image), sigma) for image in gray]
    for sigma in (4.0, 0.5)
)
figures.comparison(
    {
        **{
            f"{name} scale": figures.heat(one / np.maximum(one + other, 1e-6))
            for name, (one, other) in (("large", coarse), ("small", fine))
        },
        "weight": mwg.weigh_pair(*(255 * gray), 4.0, 0.5),
        "truth": truth[0],
    },
    alt=(
        "Share of the near-focused source in the saliency at a large and a small "
        "scale, the weight made of both, and the truth."
    ),
    caption=(
        "Share of near in the saliency of both: yellow is near, dark blue far. The "
        "weight takes the large scale, and the small one along the outline."
    ),
)

# %% [markdown]
# ## Gradients: `gd`
#
# At every pixel `gd` takes the steepest gradient of all sources and integrates the resulting field
# ([Paul et al., 2016](https://doi.org/10.1142/S0218126616501231)):
#
# $$F_0 = \arg\min_F \sum_p \left| \nabla F(p) - \nabla S_{m(p)}(p) \right|^2, \qquad m(p) = \arg\max_n |\nabla S_n(p)|.$$
#
# The integral loses mean and range. The authors stretch $F_0$ to the full range $R$ of gray levels and equalise its contrast locally:
#
# $$F = \operatorname{equalise}\!\left[ R \left( \frac{F_0 - \min F_0}{\max F_0 - \min F_0} \right)^{\gamma} \right], \qquad
# \gamma = \frac{\ln R}{\ln (\max F_0 - \min F_0)}.$$
#
# So the result has more contrast than any source, and is farther from the reference than the average of the sources.

# %% tags=["hide-input"]
plain, equalised = (mff.fuse(stack, "gd", limit=limit).image for limit in (1e-6, 0.003))
figures.comparison(
    {
        "reference": stack.reference,
        "integrated, stretched": plain,
        "equalised (gd)": equalised,
    },
    zoom=[rim, saucer],
    columns=3,
    alt=(
        "The reference, the image integrated from the steepest gradients, and the "
        "same after equalisation: brighter, with other colours."
    ),
    caption=(
        "The equalised image is sharp, but its brightness and colours are not those "
        "of the sources."
    ),
)

# %% [markdown]
# ## Statistics: `average`, `pca`, `msvd`
#
# `average` is the mean of the sources, $F = \frac1N \sum_n S_n$. `pca` computes weights from the whole image. Let $v$ be the first
# eigenvector of the covariance $C_{nm} = \operatorname{cov}(S_n, S_m)$ over all pixels; then
#
# $$F = \frac{\sum_n |v_n|\, S_n}{\sum_n |v_n|}.$$
#
# The sources differ in focus only, so they vary almost alike and the weights are almost equal.
#
# `msvd` learns a transform of 2×2 blocks from each source in place of a wavelet. The columns of $X_n$ are the blocks of source $n$, and
# $X_n = U_n \Sigma_n V_n^\top$ is its singular value decomposition:
#
# $$T_n = U_n^\top X_n, \qquad X_F = \left( \tfrac1N \textstyle\sum_n U_n \right) T_F,$$
#
# where row 1 of $T_F$, the local mean, averages the sources, and rows 2 to 4, the edges, take the entry of larger magnitude. The sign of each
# singular vector is arbitrary, and the mean of two vectors of opposite sign cancels: here the vectors of all sources are turned to agree.

# %% tags=["hide-input"]
from mffrepro.baselines import msvd, pca

print(
    "weights of pca:",
    ", ".join(f"{weight:.4f}" for weight in pca.principal_weights(gray.reshape(2, -1))),
)
blocks = np.stack([msvd.to_blocks(image) for image in gray])
vectors = (
    msvd.block_bases(blocks).transpose(0, 2, 1).reshape(2, 4, 2, 2).swapaxes(2, 3)
)  # blocks run down their columns
figures.comparison(
    {
        label: figures.mosaic(tiles, columns=4, enlarge=32)
        for label, tiles in zip(("near", "far"), vectors, strict=True)
    },
    columns=2,
    alt=(
        "Four blocks of two by two pixels learnt from each source: a flat one and "
        "three edges, nearly the same for both."
    ),
    caption="The four basis blocks that msvd learns from each source, strongest first.",
)

# %% [markdown]
# ## Sparse codes: `sr`, `asr`, `csr`, `mst_sr`
#
# `sr` ([Yang and Li, 2010](https://doi.org/10.1109/TIM.2009.2026612)) writes each patch $x_n$ of 8×8 pixels, less its mean $\bar x_n$, as a
# sum of few **atoms**, the columns of a learned dictionary $\Phi$. A sharp patch needs more atoms, so the sum of the magnitudes is a focus
# measure:
#
# $$\alpha_n = \arg\min_\alpha \|\alpha\|_0 \ \text{ subject to } \ \|x_n - \bar x_n - \Phi \alpha\|_2 \leq \epsilon,$$
#
# $$x_F = \Phi \alpha_m + \bar x_m, \quad m = \arg\max_n \|\alpha_n\|_1.$$
#
# Overlapping fused patches are averaged. `asr` ([Liu and Wang, 2015](https://doi.org/10.1049/iet-ipr.2014.0311)) replaces $\Phi$ by one of
# seven dictionaries $\Phi_k$: $k$ is the sector of 30° that holds more than $1.5 / 6$ of the patch's gradient magnitude, or 0 where no sector
# does. `csr` ([Liu et al., 2016](https://doi.org/10.1109/LSP.2016.2618776)) codes the whole detail image $S_n - B_n$ with small filters
# $\varphi_j$:
#
# $$\min_{\{x_{n,j}\}} \tfrac12 \Big\| \sum_j \varphi_j * x_{n,j} - (S_n - B_n) \Big\|_2^2 + \lambda \sum_j \|x_{n,j}\|_1,$$
#
# $$M_n(p) = \operatorname{mean}_{q \in W_9(p)} \sum_j |x_{n,j}(q)|,$$
#
# and takes codes and base from the source with the largest $M_n$. Its base solves $\min_B \|B - S_n\|^2 + 5\, \|\nabla B\|^2$. `mst_sr`
# ([Liu et al., 2015](https://doi.org/10.1016/j.inffus.2014.09.004)) fuses the details $D_n^l$ of a Laplacian pyramid by Li's rule and the
# bases $B_n$ by `sr`; the base is small, so this is fast.

# %% tags=["hide-input"]
atoms = dictionaries.load("sr")[0]
patches = [
    np.lib.stride_tricks.sliding_window_view(255 * image, (8, 8))[::4, ::4]
    for image in crop
]
signals = [
    patch.reshape(-1, 64) - patch.mean((2, 3)).reshape(-1, 1) for patch in patches
]
codes = [
    sparse.activity(signal, atoms, eps=10.0)[0].reshape(patches[0].shape[:2])
    for signal in signals
]
largest = np.quantile(codes, 0.98)
figures.comparison(
    {
        "atoms of sr": figures.mosaic(
            atoms.T.reshape(-1, 8, 8)[:128], columns=16, enlarge=2
        ),
        "atoms of asr, one direction": figures.mosaic(
            dictionaries.load("asr")[2].T.reshape(-1, 8, 8)[:128], columns=16, enlarge=2
        ),
        "filters of csr": figures.mosaic(
            dictionaries.load("csr"), columns=8, enlarge=4
        ),
        **{
            f"code of {name}": figures.heat(code, high=largest)
            for name, code in zip(("near", "far"), codes, strict=True)
        },
        "near is larger": (codes[0] > codes[1]).astype(float),
    },
    columns=3,
    alt=(
        "Atoms of two dictionaries and filters of a third, all like small edges; the "
        "size of the codes of both sources; which is larger."
    ),
    caption=(
        "Top: atoms and filters learned from photographs. Bottom: sum of magnitudes "
        "of each patch's code, on the right of the cup."
    ),
)

# %% [markdown]
# ## Pulses: `pcnn`, `nmei`, `scm`
#
# A pulse-coupled neural network ([Qu et al., 2008](https://doi.org/10.3724/SP.J.1004.2008.01508)) has one neuron per pixel. Its stimulus
# $I_n(p)$ in $[0, 1]$ is the local spatial frequency. The pulses $Y_n$ of the neighbours raise the linking $L_n$. The neuron fires when its
# activity exceeds a threshold $\Theta_n$ that decays, and jumps with each pulse:
#
# $$
# \begin{aligned}
# L_n(p, t) &= e^{-1} L_n(p, t-1) + \sum_{q \in W_1(p),\, q \neq p} \frac{Y_n(q, t-1)}{|p - q|}, &
# \Theta_n(p, t) &= e^{-0.2}\, \Theta_n(p, t-1) + 20\, Y_n(p, t-1), \\
# Y_n(p, t) &= \left[\, I_n(p) \left(1 + 3 L_n(p, t)\right) > \Theta_n(p, t) \,\right], &
# M_n(p) &= \sum_{t=1}^{200} Y_n(p, t).
# \end{aligned}
# $$
#
# A stronger stimulus fires more often, and neighbours fire together. `pcnn` runs this on every direction of a contourlet transform and takes
# the coefficient with the larger $M_n$. `nmei` runs it on the pixels, and adds $0.5 \sum_{m \neq n} Y_m(p, t-1)$ to the linking, so that the
# networks of the sources exchange their pulses; a majority vote follows.
#
# `scm` reads the abstract of [Hou et al. (2018)](https://doi.org/10.1007/s11042-018-6099-x), who let *spiking cortical models*
# ([Zhan et al., 2009](https://doi.org/10.1109/TNN.2009.2030585)) choose among shearlets. Such a neuron keeps a fifth of its activity $U_n$ and adds its
# stimulus, the more the louder its neighbours are:
#
# $$
# \begin{aligned}
# U_n(p, t) &= 0.2\, U_n(p, t-1) + I_n(p) \Big(1 + \sum_{q} w_{pq} Y_n(q, t-1)\Big), \\
# \Theta_n(p, t) &= 0.9\, \Theta_n(p, t-1) + 20\, Y_n(p, t-1), \\
# Y_n(p, t) &= \left[\, U_n(p, t) > \Theta_n(p, t) \,\right],
# \end{aligned}
# $$
#
# with weights $w_{pq}$ that add up to 1 over the eight neighbours $q$ of $p$. The counts are small numbers: after the 40 steps of the model's
# authors many neurons have fired equally often, and a tie goes to the first source, blurred or not. `scm` takes 200.

# %% tags=["hide-input"]
from mffrepro.baselines import pulses

fed = np.stack([pulses.spatial_frequency(255 * image) for image in gray])
fed /= fed.max()
counted = {
    "alone": pulses.firings(fed),
    "with exchange": pulses.firings(fed, exchange=0.5),
}
shown = {}
for i, name in enumerate(("near", "far")):
    shown[f"{name}: stimulus"] = figures.heat(np.sqrt(fed[i]))
    for kind, counts in counted.items():
        low, high = np.quantile(counts, (0.01, 0.99))
        shown[f"{name}: pulses {kind}"] = figures.heat(counts[i], low=low, high=high)
figures.comparison(
    shown,
    columns=3,
    alt=(
        "Stimulus of the neurons of both sources, and how often they fire, alone and "
        "when the networks exchange pulses."
    ),
    caption=(
        "Stimulus: square root of the spatial frequency. Pulses: counts, from few "
        "(dark blue) to many (yellow), on one scale for both sources."
    ),
)

# %% [markdown]
# ## All methods on one pair
#
# The orange box shows the rim of the cup and the spoon's handle, the blue one the edge of the saucer and the table. Compare:
#
# * `dwt`: steps and ringing along the outline, from the grid of its Haar wavelets.
# * `lp`, `rp` and the other transforms: a faint double contour where the octaves disagree.
# * `average`, `pca`, `msvd`: soft everywhere; half of the blur remains.
# * `gd`: changed colours and contrast.
# * `sf`: square steps along the outline; `focus_stack`: single wrong pixels.

# %% tags=["hide-input"]
wanted = ["psnr", "qabf", "qg", "qcb", "mask_iou"]
fused = {}


def measure(pair):
    """Yield seconds and scores of every method; keep the images in `fused`."""
    for card in cards:
        try:
            result = mff.fuse(pair, card.name, **options[card.name])
        # a dictionary that has not been fetched, an image that is too small
        except mff.MffError as error:
            print(card.name, "is left out:", error)
            continue
        fused[card.name, pair.name] = result.image
        applicable = wanted if card.has_decision else wanted[:-1]
        yield {"method": card.name, "seconds": result.seconds} | mff.evaluate(
            pair, result, applicable
        )


rows = list(measure(stack))

# %% tags=["hide-input"]
label = {card.name: f"{card.name} *" if card.note else card.name for card in cards}
figures.comparison(
    {"reference": stack.reference}
    | {
        label[card.name]: fused[card.name, stack.name]
        for card in cards
        if (card.name, stack.name) in fused
    },
    zoom=[rim, saucer],
    columns=3,
    alt=(
        "The fused cup by every classical method with the reference first, each with "
        "two magnified details."
    ),
    caption=(
        f"{stack.name}, {near.shape[1]} × {near.shape[0]} pixels. A star refers to "
        "the note in the table of methods at the top."
    ),
)

# %% [markdown]
# ## Time and scores
#
# The table shows means over two pairs with a reference: one with a hard outline, and one where the blurred foreground spreads over it
# (defocus spread). *Options* counts the options of a method. PSNR and the overlap of the decision map compare with the reference; the other
# three use the sources alone. The [chapter on metrics](01_metrics.ipynb) measures how far each can be trusted.

# %% tags=["hide-input"]
spread = stacks["astronaut_spread"]
rows += measure(spread)
scores = pd.DataFrame(rows).groupby("method", sort=False).mean()

# %% tags=["hide-input"]
counts = pd.DataFrame({"options": {card.name: len(card.options()) for card in cards}})
presets = ", ".join(
    f"{name} ({', '.join(f'{k}={v}' for k, v in chosen.items())})"
    for name, chosen in options.items()
    if chosen
)
print("Faster settings in this profile:", presets or "none")
title = f"Means over {stack.name} and {spread.name}"
tables.scores(
    counts.join(scores[[*wanted, "seconds"]]), caption=title, digits=3
).format("{:.0f}", subset="options").format("{:.1f}", subset="psnr").format(
    "{:.2f}", subset="seconds"
)

# %% [markdown]
# ## Are these the methods that others ran?
#
# A name in a table says little: number of levels, filters, rule, treatment of colour and of borders must all be guessed. So each method is
# compared with images that others published without loss: a survey of the field
# ([Liu et al., 2020](https://doi.org/10.1016/j.inffus.2020.06.013)) and the benchmark MFIFB
# ([Zhang et al., 2020](https://arxiv.org/abs/2005.01116)). Their licences do not let us ship these images, so the comparison was recorded (by
# `tests/golden/regenerate_fidelity.py`; a test repeats part of it where the images have been fetched). *Equal* is the share of values that
# are equal after rounding, in the median image and in the *worst* one; PSNR is that of the worst image, and ∞ means that all values are
# equal. Of MFIFB these are the 24 pairs whose sources and results are stored without loss.

# %% tags=["remove-input"]
tables.plain(
    fidelity.image_table(cards),
    caption="Comparison with published images: the median and the worst of each",
).hide(axis="index")

# %% [markdown]
# Where no paper states the settings, many were tried on the first gray pair of the survey: those of `dtcwt`, `nsct` and `sr`, and the second row of `dwt`, are the best ones found
# there. This pair is one of the images of their rows; the other images of a row test the choice.
#
# Some rows need a word. The program of `gff` in MFIFB compresses its sources first, and so does our comparison. `asr` was run there as for images
# of several kinds of sensors, which averages the means of the patches and leaves traces of the blurred source; `means="average"` does so too.
# `csr` compares sums of codes, whose last bits decide where two sources are about equally sharp. In the image that differs
# most, double precision instead of the single precision used here makes most of the differing values equal. `mwg` works in whole gray levels, 500 times one after the other, so that the last bit of a
# weight decides some values in the band between the
# regions. Near the border of the image, gaps in these regions are closed in two ways, presumably by two versions of MATLAB: ours is that of MFIFB, and the
# images of the survey show the other. In five pairs, the results of `mgivf` are black in places where both sources are alike, and elsewhere equal to ours. It may divide zero by zero
# there, which explains a part of these places. `msvd` keeps or loses detail by the signs of its vectors, which is the likely reason why five pairs differ.
#
# `lp` and `rp` have no published image of their own. They are compared with the versions whose base, a 256th of the pixels, is fused by
# sparse codes. A dash means that no image was published without loss, or that none was available. The sparse methods are compared with the
# dictionary of their authors, which `dictionary="published"` fetches; our own dictionary differs and fuses some patches differently.
#
# Some methods have published scores instead of images. The authors of GACN recorded theirs for 26 pairs (the [chapter on GACN](07_gacn.ipynb)
# shows their table). The column *difference* is our mean on the same pairs by the same protocol minus the recorded mean. Part of that
# protocol is in no paper and was inferred from these scores: the fused images were truncated to 8 bits, not rounded.

# %% tags=["remove-input"]
recorded, pairs = fidelity.score_table()
differences = [column for column in recorded if column[1] == "difference"]
caption = (
    f"Means over {pairs} pairs: scores recorded by others, and the difference of ours"
)
tables.plain(recorded, digits=3, caption=caption).format("{:+.3f}", subset=differences)

# %% [markdown]
# Three rows of the records lie a tenth or more below ours. Two of them have an explanation:
#
# * `sf`: the scored image is the average of the sources. It results if the threshold is never reached, for instance because images in
#   $[0, 1]$ are compared with a threshold meant for $[0, 255]$. The row *SF* of the paper's Table 1 is therefore the average.
# * `focus_stack`: the program registers the images before it fuses them, although they are already registered. Its homography is slightly
#   wrong, the second image is resampled, and $Q_g$ loses a tenth. With `as_published=True` our version does the same.
# * `dsift`: on some of the pairs $Q_g$ is that of the average as well, while the published image is the one computed here (table above). The
#   remaining pairs are unexplained.
#
# `dwt` differs by about a hundredth: the wavelet and the settings behind those records are unknown. `sr` is left out, because our dictionary
# differs.
#
# The docstring of each method says under *Deviations* how it differs from the original, and why:

# %% tags=["hide-input"]
differing = {
    card.name: {"deviations": text}
    for card in cards
    if (text := tables.deviations(card))
}
tables.plain(pd.DataFrame(differing).T)

# %% [markdown]
# ## Which method should you choose?
#
# First the numbers of this page:

# %% tags=["hide-input"]
ranked = scores.sort_values("psnr", ascending=False)
within = ranked[ranked["psnr"] > ranked["psnr"].iloc[0] - 1].sort_values("seconds")
copying = ranked[[mff.methods.CARDS[name].has_decision for name in ranked.index]]
followers = changes[changes < 0.1].index
print(
    "nearest to the reference:",
    ", ".join(
        f"{name} {value:.1f} dB" for name, value in ranked["psnr"].head(5).items()
    ),
)
print(
    f"fastest within a decibel of the best: {within.index[0]}, "
    f"{within['seconds'].iloc[0]:.2f} s"
)
print(
    "best of those that copy pixels:",
    ", ".join(
        f"{name} {value:.1f} dB" for name, value in copying["psnr"].head(3).items()
    ),
)
print(
    "change of less than a tenth of a gray level when the frame moves:",
    ", ".join(followers),
)
agreement = ", ".join(
    f"{name} {scores['psnr'].corr(scores[name], 'spearman'):.2f}"
    for name in ("qabf", "qg", "qcb")
)
print("rank correlation of PSNR with", agreement)

# %% [markdown]
# They lead to this advice:
#
# * **A first result, or a slow machine:** `gff`. In the table of scores it is ahead of `lp` and takes less time.
# * **The best image without a decision map:** an undecimated transform or guided filter. They blend at the outline, where copying must err on
#   one side.
# * **Original pixels, for measurements or for a depth map:** a method with a decision map. Check the map before you trust it, and expect
#   errors at the outline and on plain surfaces.
# * **Many slices:** a focus measure. Each slice costs one small filter.
# * **A row in a comparison table:** the method that the others ran. State the settings, and use one whose row in the table above is exact.
# * **Avoid:** `average`, `pca` and `msvd` where sharpness matters; `gd` where colours must stay; `sr`, `asr` and `csr` where time matters: they
#   take many times as long as `lp` and score no higher. `mst_sr`, which codes only the base, takes no longer.
#
# Limits: these are two pairs with synthetic blur, registered to the pixel and without noise. Noise may change the ranks, because a focus
# measure cannot distinguish it from detail. The [chapter on GACN](07_gacn.ipynb) compares these methods with a network.
#
# ## Exercises
#
# ### Check yourself
#
# <details><summary>Why does the result of dwt change when the frame moves by one pixel, and that of swt hardly?</summary>
#
# `dwt` keeps every second coefficient. After a move by one pixel it keeps the others, whose values differ. `swt` keeps all of them.
#
# </details>
#
# <details><summary>What does a guided filter with a very large epsilon do?</summary>
#
# Then $a_k$ is nearly zero and $b_k$ nearly the mean of the window: the filter becomes a box filter, and the border of the map is
# blurred across outlines.
#
# </details>
#
# <details><summary>Why can principal components not make an image that is sharp everywhere?</summary>
#
# They give one weight to each source, the same at all pixels. Where one source is blurred, its share of blur is mixed in.
#
# </details>
#
# ### Try it
#
# **1.** Add noise to both sources, each its own. Which methods copy the noise of the blurred source?
#
# <details><summary>Hint</summary>
#
# In the region where `near` is sharp, the noise of `far` does not belong in the fused image. Fit the error of the fused image there by
# the noise of `far`: the slope is the share of it that was copied.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# `average` copies half of it at any level. At one gray level `sml` and `gff` copy about a twentieth, but at 20 levels 0.41: noise is
# detail to a focus measure, and the sum over a small window cannot tell it from texture. `lp` and `swt` copy 0.18 and 0.29 even of weak
# noise, since in each octave of a plain surface the noise alone decides; at 20 levels they copy about half, as a random choice would.
# `dsift` stays at 0.03: it gathers gradients over squares of 24 pixels, and lets whole blocks vote.
#
# ```python
# import numpy as np
# import pandas as pd
#
# import mffrepro as mff
# from mffrepro.images import to_gray, to_unit
# from mffrepro.metrics.diagnostics import border_band
#
# stack = mff.load("embedded", kind="composite", size=256)["coffee_blur3"]
# clean = to_gray(to_unit(stack.images, np.float64))
# sharp = to_gray(to_unit(stack.reference, np.float64))
# inside = (stack.decision[0] > 0.5) & ~border_band(stack.decision[0], 10)
# copied = {}
# for level in (1, 5, 20):
#     noise = np.random.default_rng(1).normal(0, level / 255, clean.shape)
#     noisy = (clean + noise).clip(0, 1)
#     for method in ("average", "lp", "swt", "gff", "sml", "dsift"):
#         error = mff.fuse(list(noisy), method).image - sharp
#         slope = np.polyfit(noise[1][inside], error[inside], 1)[0]
#         copied.setdefault(method, {})[f"noise {level}"] = slope
# print(pd.DataFrame(copied).T.round(2))
#
# assert copied["sml"]["noise 1"] < 0.1 < copied["lp"]["noise 20"]
# assert copied["sml"]["noise 20"] > 2 * copied["sml"]["noise 1"]
# ```
#
# </details>
#
# **2.** `dwt` takes any wavelet: `mff.fuse(stack, "dwt", wavelet="db3", mode="symmetric")`. Is it less sensitive to the grid than Haar's?
#
# <details><summary>Hint</summary>
#
# Fuse two frames of one scene, the second one pixel further down and to the right, and compare what both show.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# Yes, a little: Haar's result changes by 2.99 gray levels, that of `db3` by 2.41, and that of `swt` not at all. The longer filters
# overlap, so an edge that moves by a pixel moves from one coefficient to the next by degrees. But every second coefficient is still left
# out, and only keeping all of them makes the result independent of the grid.
#
# ```python
# import numpy as np
#
# import mffrepro as mff
# from mffrepro.images import to_gray, to_unit
#
# stack = mff.load("embedded", kind="composite", size=256)["coffee_blur3"]
# sources = list(to_gray(to_unit(stack.images, np.float64)))
#
#
# def unsteady(method, **options):
#     """Compute the RMS change, in gray levels, when the frame moves by one pixel."""
#     first = mff.fuse([one[:-1, :-1] for one in sources], method, **options).image
#     second = mff.fuse([one[1:, 1:] for one in sources], method, **options).image
#     gap = (first[1:, 1:] - second[:-1, :-1])[20:-20, 20:-20]
#     return 255 * np.sqrt(np.square(gap).mean())
#
#
# haar = unsteady("dwt")
# longer = unsteady("dwt", wavelet="db3", mode="symmetric")
# undecimated = unsteady("swt")
# print(f"Haar {haar:.2f}, db3 {longer:.2f}, swt {undecimated:.2f} gray levels")
#
# assert haar > longer > undecimated
# ```
#
# </details>
#
# **3.** Fuse with `lp` at `levels=1` to `levels=6`. What do more levels repair, and from which level on does the ghost at the outline
# appear?
#
# <details><summary>Hint</summary>
#
# Measure the error twice: in a band along the outline, and far away from it. The bases are averaged, so everything that is coarser than
# the last level is a mean of sharp and blurred.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# Away from the outline the error falls from 6.7 gray levels at one level to 0.58 at four: what is coarser than the last level is
# averaged, and four octaves hold nearly all that this blur removes. Along the outline the error is smallest at three levels (10.1) and
# rises to 11.8 at six. Each further level decides for pixels that are twice as wide, so detail of the wrong source reaches farther over
# the outline: this is the ghost. From five levels on it also raises the error away from the outline.
#
# ```python
# import numpy as np
#
# import mffrepro as mff
# from mffrepro.metrics.diagnostics import border_band
#
# stack = mff.load("embedded", kind="composite", size=256)["coffee_blur5"]
# near_outline = border_band(stack.decision[0], 6)
# away = ~border_band(stack.decision[0], 24)
# at_outline, elsewhere = [], []
# for levels in range(1, 7):
#     fused = mff.fuse(stack, "lp", levels=levels).image
#     squares = np.square(fused.astype(float) - stack.reference).mean(-1)
#     at_outline.append(np.sqrt(squares[near_outline].mean()))
#     elsewhere.append(np.sqrt(squares[away].mean()))
#     print(
#         f"{levels} levels: error at the outline {at_outline[-1]:.2f}, away from it "
#         f"{elsewhere[-1]:.2f} gray levels"
#     )
#
# assert elsewhere[0] > 5 * elsewhere[3] and elsewhere[5] > elsewhere[3]
# assert at_outline[0] > at_outline[2] < at_outline[5]
# ```
#
# </details>
#
# **4.** Write a focus measure of your own, the variance of the gray levels around each pixel, and make a decision map of it. Is it as
# good as `sml`?
#
# <details><summary>Hint</summary>
#
# The variance is the mean of the squares minus the square of the mean. `mffrepro.baselines.focus.decide` sums a measure over a window and
# cleans the map. `CONTRIBUTING.md` shows how the measure becomes a method of the package: in one file, and then it appears in every table
# of this page.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# Nearly. The overlap with the true map is lower on all five photographs, 0.777 against 0.806 on the astronaut and 0.948 against 0.985 on the
# cat. The variance counts every change of gray, also the slow ones, which blur hardly weakens: a strong edge stays large in the blurred
# source. Second differences respond to the finest detail, which blur removes first.
#
# ```python
# import numpy as np
# from scipy import ndimage
#
# import mffrepro as mff
# from mffrepro.baselines.focus import decide
# from mffrepro.fusion.decision import fuse_by_decision
# from mffrepro.images import to_gray, to_unit
#
#
# def variance(gray):
#     mean = ndimage.uniform_filter(gray, 3)
#     return ndimage.uniform_filter(gray**2, 3) - mean**2
#
#
# iou = {}
# for stack in mff.load("embedded", kind="composite", levels=[3], size=256):
#     unit = to_unit(stack.images, np.float64)
#     gray = to_gray(unit) if stack.is_colour else unit
#     winner = decide(map(variance, 255 * gray), radius=3, smallest=0.01)
#     mine = fuse_by_decision(stack, winner == 0)
#     theirs = mff.fuse(stack, "sml")
#     iou[stack.name] = [
#         mff.evaluate(stack, one, "mask_iou")["mask_iou"] for one in (mine, theirs)
#     ]
#     print(stack.name, "variance {:.3f}, sml {:.3f}".format(*iou[stack.name]))
#
# assert all(theirs > mine > 0.7 for mine, theirs in iou.values())
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(run, started, ["dictionaries.default"])
