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
# # Metrics: what does a number say about a fused image?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/01_metrics.ipynb)
#
# Real photographs come without the image that is sharp everywhere, the **reference**. So papers compare fused images by some thirty metrics
# that need no reference. Do these metrics measure what we see? Do they agree with each other, with the reference where it is known, and with
# the programs they came from? **Which one should you trust?**
#
# *Needs: nothing but a CPU; about a minute (quick), three (full).*
#
# *Read first: [the quickstart](00_quickstart.ipynb); you should know what a gradient, a histogram and a convolution are.*

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
import torch
from scipy import ndimage

import mffrepro as mff
from mffrepro.data.synthetic import gaussian_blur
from mffrepro.images import to_unit
from mffrepro.metrics import Scorer, quality_map, weight_map
from mffrepro.report import fidelity, figures, ladder, pages, readings, tables
from mffrepro.report.explorable import Explorable, State
from mffrepro.report.source import show_source

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## What should a metric do?
#
# A metric without a reference compares the fused image with its sources: $f(\text{sources}, \text{fused})$. It should have four properties:
#
# 1. **Identity.** Two equal sources and the same fused image get the best possible score, whatever the image is.
# 2. **Symmetry.** The order of the sources does not change the score.
# 3. **Scale.** The same picture in 8 bits, 16 bits or floats gets the same score.
# 4. **Order.** A fusion that is nearer to the reference gets a better score.
#
# The table lists the facts that the package states about each metric; tests hold them. Where the *identity* column is empty, the score of a
# perfect result depends on the picture, and that of $Q_{MI}$ on the number of sources. A metric whose best score depends on the picture can rank
# fusions of one scene, but its average over scenes says little. The fourth property is the hard one. The end of this chapter tests it.

# %% tags=["remove-input"]
cards = {card.name: card for card in mff.metrics.CARDS if card.variant_of is None}
facts = tables.metric_facts(list(cards.values()))
tables.plain(facts, caption="The metrics of this package").set_properties(
    **{"white-space": "nowrap !important"}
)

# %% [markdown]
# ## A test image with two faults
#
# Many metrics are a mean over pixels. Before the mean there is a **quality map**: it shows where a fusion gains and where it loses.
# `mff.metrics.quality_map` returns it. To see what each map detects, we use a fused image that equals the reference except for two patches.
# In the upper patch the **wrong source** is taken, so that the patch is blurred; the lower patch has added **noise**.

# %% tags=["hide-input"]
rng = np.random.default_rng(seed)
stack = mff.load(
    "embedded",
    kind="composite",
    levels=[5],
    size=run.pick(quick=384, full=512, tiny=192),
)["coffee_blur5"]
height, width = stack.reference.shape[:2]
wrong, noisy = (
    (round(y * height), round(x * width), height // 4, width // 5)
    for y, x in ((0.04, 0.72), (0.6, 0.44))
)


def patch(box):
    return np.s_[box[0] : box[0] + box[2], box[1] : box[1] + box[3]]


flawed = stack.reference.copy()
worse = stack.decision[:, *patch(wrong)].argmin(0)  # the source that is blurred there
flawed[patch(wrong)] = np.where(
    worse[..., None] == 0, stack.images[0][patch(wrong)], stack.images[1][patch(wrong)]
)
flawed[patch(noisy)] = np.clip(
    flawed[patch(noisy)] + rng.normal(0, 12, flawed[patch(noisy)].shape), 0, 255
)
figures.comparison(
    {"near": stack.images[0], "far": stack.images[1], "test image": flawed},
    zoom=[wrong, noisy],
    columns=3,
    alt=(
        "Two sources and the test image, with boxes around a blurred patch above and "
        "a noisy patch below."
    ),
    caption="The sources, and a fusion that is perfect outside the two boxes.",
)


# %% tags=["hide-input"]
def local_mean(name, sigma=2.5):
    """Average the quality map around each pixel, by its weights and a Gaussian."""
    quality, weight = quality_map(name, stack, flawed), weight_map(name, stack, flawed)
    gained = ndimage.gaussian_filter(np.nan_to_num(quality) * weight, sigma)
    return np.where(
        np.isnan(quality), np.nan, gained / ndimage.gaussian_filter(weight, sigma)
    )


def show_maps(*names, alt):
    """Show maps from their 2nd to their 98th percentile; yellow is always good."""
    pictures = {"test image": flawed}
    for name in names:
        values = local_mean(name)
        ends = np.nanquantile(values, (0.02, 0.98))
        worst, best = ends if cards[name].better == "higher" else ends[::-1]
        pictures[name] = figures.heat(values, low=worst, high=best)
    caption = (
        "Yellow is good, dark blue is bad by this metric. Orange box: wrong source; "
        "blue box: noise."
    )
    return figures.comparison(
        pictures,
        zoom=[wrong, noisy],
        columns=4 if len(names) == 3 else 3,
        alt=alt,
        caption=caption,
    )


# %% [markdown]
# ## Edges kept: `qabf`, `qg`, `labf`, `nabf`
#
# **Edge information kept**, $Q^{AB/F}$ ([Xydeas and Petrovic, 2000](https://doi.org/10.1049/el:20000267)), compares the Sobel gradient of
# each source $A$, $B$ with that of the fused image $F$. Let $g^A_p$ be the gradient magnitude at pixel $p$ and $\alpha^A_p$ its direction.
# The ratio of magnitudes $G^{AF}_p = \min(g^A_p, g^F_p) / \max(g^A_p, g^F_p)$ and the agreement of directions
# $\Delta^{AF}_p = 1 - \tfrac{2}{\pi} |\alpha^A_p - \alpha^F_p|$ pass two sigmoids,
#
# $$Q^{AF}_p = \frac{\Gamma_g}{1 + e^{-k_g (G^{AF}_p - s_g)}} \cdot \frac{\Gamma_a}{1 + e^{-k_a (\Delta^{AF}_p - s_a)}},$$
#
# with fixed constants $\Gamma$, $k$, $s$. The score is the mean over pixels and sources, weighted by the gradient of the source:
#
# $$Q^{AB/F} = \frac{\sum_p Q^{AF}_p g^A_p + Q^{BF}_p g^B_p}{\sum_p g^A_p + g^B_p}.$$
#
# A worked example at the end of this section computes every step by hand. The metric rewards copied edges. It fails where copying is wrong: around a blurred foreground, the halo is an edge of a source too. A perfect copy
# scores 0.975, because the sigmoids saturate below one.
#
# $Q_G$ is the same idea in Liu's toolbox, with other constants, and as a *mean of ratios* instead of a ratio of sums: a plain wall counts as
# much as an outline. GACN's tables use it.
#
# **Lost** information $L^{AB/F}$ and **artefacts** $N^{AB/F}$ divide the remainder. Lost is what the fused image shows more weakly than some
# source. Artefacts are what it shows more strongly than all sources: $Q^{AB/F} + L^{AB/F} + N^{AB/F} = 1$.

# %% tags=["hide-input"]
show_maps(
    "qabf",
    "qg",
    "labf",
    "nabf",
    alt=(
        "Maps of four edge measures: qabf and qg are dark in both patches, labf in "
        "the blurred one, nabf in the noisy one."
    ),
)

# %% [markdown]
# The map shows quality, not each pixel's weight. `mff.metrics.weight_map` returns the weights: they sum to one, and the metric is the sum of
# quality times weight.

# %% tags=["hide-input"]
weights = weight_map("qabf", stack, flawed)
total = np.nansum(quality_map("qabf", stack, flawed) * weights)
print(
    f"sum of quality times weight {total:.6f}, qabf "
    f"{mff.evaluate(stack, flawed, 'qabf')['qabf']:.6f}"
)
figures.comparison(
    {
        name: figures.heat(
            weight_map(name, stack, flawed) * flawed[..., 0].size, high=4
        )
        for name in ("qg", "qabf", "qw")
    },
    columns=3,
    alt=(
        "Weight of each pixel in three metrics: constant in qg, large on edges in "
        "qabf, large in windows of high contrast in qw."
    ),
    caption=(
        "Weight of each pixel: dark blue is zero, yellow is four times the mean "
        "weight or more."
    ),
)

# %% [markdown]
# ### Worked example: nine pixels by hand
#
# A pocket calculator is enough to compute $Q^{AF}$, $Q^{BF}$ and their weighted mean at one pixel. Let the sources and the fused image be
#
# $$A = \begin{pmatrix} 2 & 2 & 12 \\ 2 & 7 & 12 \\ 7 & 12 & 17 \end{pmatrix}, \qquad
# B = \begin{pmatrix} 4 & 6 & 10 \\ 4 & 7 & 10 \\ 6 & 9 & 12 \end{pmatrix}, \qquad
# F = \begin{pmatrix} 3 & 4 & 11 \\ 3 & 7 & 11 \\ 6 & 10 & 12 \end{pmatrix}.$$
#
# All three show one edge, sharp in $A$ and soft in $B$. Intermediate results are printed with four decimals and used with all of them.
#
# **Step 1: gradient at the centre.** The Sobel filter subtracts the left column from the right one and the upper row from the lower one;
# the middle value of each counts twice:
#
# $$
# \begin{aligned}
# s_x^A &= (12 + 2 \cdot 12 + 17) - (2 + 2 \cdot 2 + 7) = 53 - 13 = 40, \\
# s_y^A &= (7 + 2 \cdot 12 + 17) - (2 + 2 \cdot 2 + 12) = 48 - 18 = 30, \\
# s_x^B &= (10 + 2 \cdot 10 + 12) - (4 + 2 \cdot 4 + 6) = 42 - 18 = 24, \\
# s_y^B &= (6 + 2 \cdot 9 + 12) - (4 + 2 \cdot 6 + 10) = 36 - 26 = 10, \\
# s_x^F &= (11 + 2 \cdot 11 + 12) - (3 + 2 \cdot 3 + 6) = 45 - 15 = 30, \\
# s_y^F &= (6 + 2 \cdot 10 + 12) - (3 + 2 \cdot 4 + 11) = 38 - 22 = 16.
# \end{aligned}
# $$
#
# **Step 2: edge strength and direction.** $g = \sqrt{s_x^2 + s_y^2}$, and $\alpha = \arctan(s_y / s_x)$ in radians:
#
# $$g^A = \sqrt{40^2 + 30^2} = 50, \qquad g^B = \sqrt{24^2 + 10^2} = 26, \qquad g^F = \sqrt{30^2 + 16^2} = 34,$$
#
# $$\alpha^A = \arctan \tfrac{30}{40} = 0.6435, \qquad \alpha^B = \arctan \tfrac{10}{24} = 0.3948, \qquad
# \alpha^F = \arctan \tfrac{16}{30} = 0.4900.$$
#
# **Step 3: ratio of strengths, and agreement of directions:**
#
# $$G^{AF} = \tfrac{34}{50} = 0.6800, \qquad \Delta^{AF} = 1 - \tfrac{2}{\pi} \cdot 0.1535 = 0.9023,$$
#
# $$G^{BF} = \tfrac{26}{34} = 0.7647, \qquad \Delta^{BF} = 1 - \tfrac{2}{\pi} \cdot 0.0952 = 0.9394.$$
#
# **Step 4: the two sigmoids.** The constants of `qabf` are $\Gamma_g = 0.9994$, $k_g = 15$, $s_g = 0.5$ and $\Gamma_a = 0.9879$,
# $k_a = 22$, $s_a = 0.8$:
#
# $$
# \begin{aligned}
# Q^{AF} &= \frac{0.9994}{1 + e^{-15\,(0.6800 - 0.5)}} \cdot \frac{0.9879}{1 + e^{-22\,(0.9023 - 0.8)}} \\[4pt]
# &= \frac{0.9994}{1.0672} \cdot \frac{0.9879}{1.1054} = 0.9365 \cdot 0.8937 = 0.8369, \\[10pt]
# Q^{BF} &= \frac{0.9994}{1 + e^{-15\,(0.7647 - 0.5)}} \cdot \frac{0.9879}{1 + e^{-22\,(0.9394 - 0.8)}} \\[4pt]
# &= \frac{0.9994}{1.0189} \cdot \frac{0.9879}{1.0466} = 0.9809 \cdot 0.9440 = 0.9259.
# \end{aligned}
# $$
#
# **Step 5: the mean, weighted by the edge strength of each source:**
#
# $$\frac{Q^{AF} g^A + Q^{BF} g^B}{g^A + g^B} = \frac{0.8369 \cdot 50 + 0.9259 \cdot 26}{50 + 26} = \frac{65.918}{76} = 0.8673.$$
#
# The fused image keeps the edge of $B$ better than that of $A$. But $A$ has nearly twice the weight, because its edge is nearly twice as
# strong, so the mean is nearer to $Q^{AF}$. This is how the metric prefers the sharper source without knowing which one is sharp.
#
# The score of a whole image adds such numerators over all pixels, adds the denominators, and divides once. Eight of these nine pixels lie at
# the border, where the package continues the image with zeros. The example therefore ends at the centre, whose window lies inside the image.
# The quality map of the package has the same value there:

# %%
A = [[2, 2, 12], [2, 7, 12], [7, 12, 17]]
B = [[4, 6, 10], [4, 7, 10], [6, 9, 12]]
F = [[3, 4, 11], [3, 7, 11], [6, 10, 12]]
nine = np.array([A, B, F], np.uint8)
sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])

s_x, s_y = ((kernel * nine).sum((1, 2)) for kernel in (sobel, sobel.T))
g, alpha = np.hypot(s_x, s_y), np.arctan(s_y / s_x)
steps = {"strength g": g[:2], "direction alpha": alpha[:2]}
steps["ratio G"] = ratio = np.minimum(g[:2], g[2]) / np.maximum(g[:2], g[2])
steps["agreement"] = agreement = 1 - 2 / np.pi * np.abs(alpha[:2] - alpha[2])
steps["sigmoid of G"] = of_strength = 0.9994 / (1 + np.exp(-15 * (ratio - 0.5)))
steps["sigmoid of agreement"] = of_direction = 0.9879 / (
    1 + np.exp(-22 * (agreement - 0.8))
)
steps["quality Q"] = quality = of_strength * of_direction
by_hand = (quality * g[:2]).sum() / g[:2].sum()

assert np.isclose(by_hand, quality_map("qabf", nine[:2], nine[2])[1, 1], rtol=1e-12)
tables.plain(
    pd.DataFrame(steps, index=["source A", "source B"]).T,
    caption=f"Nine pixels: every step at the centre; weighted mean {by_hand:.4f}",
)

# %% [markdown]
# ## Structure: `qs`, `qw`, `qe`, `qc`, `qy`, `qp`
#
# These metrics compare local means $\mu$, variances $\sigma^2$ and covariances $\sigma_{xy}$ in small windows $w$, as SSIM does
# ([Wang et al., 2004](https://doi.org/10.1109/TIP.2003.819861)), and differ in how the two sources share a window:
#
# $$S(x, y) = \frac{(2\mu_x\mu_y + c_1)(2\sigma_{xy} + c_2)}{(\mu_x^2 + \mu_y^2 + c_1)(\sigma_x^2 + \sigma_y^2 + c_2)}$$
#
# with small constants $c_1$, $c_2$. $Q_S$ ([Piella and Heijmans, 2003](https://doi.org/10.1109/ICIP.2003.1247209)) weights its two
# comparisons by each source's local variance:
#
# $$Q_S = \operatorname{mean}_w \left[ \lambda_w S(A, F) + (1 - \lambda_w) S(B, F) \right], \qquad \lambda_w = \frac{\sigma_A^2}{\sigma_A^2 + \sigma_B^2}.$$
#
# So even a perfect fusion is compared in part with the blurred source. $Q_W$ weights the same map by the larger of the two variances. $Q_E$
# is $Q_W$ of the images times $Q_W$ of their edge images; a product has no quality map.
#
# $Q_C$ (Cvejic et al., 2005) replaces $\lambda_w$ by the share of the covariance with the fused image, $\sigma_{AF} / (\sigma_{AF} + \sigma_{BF})$, clipped to [0, 1]: the
# fusion itself selects the source that it is compared with. $Q_Y$ ([Yang et al., 2008](https://doi.org/10.1016/j.inffus.2006.09.001)), with $\lambda_w$ as in $Q_S$, is
#
# $$Q_Y = \operatorname{mean}_w \begin{cases} \lambda_w S(A, F) + (1 - \lambda_w) S(B, F) & \text{where } S(A, B) \ge 0.75, \\
# \max(S(A, F), S(B, F)) & \text{elsewhere.} \end{cases}$$
#
# It favours methods that copy pixels. Wherever the sources differ, it cannot tell *which* source was copied.
#
# $Q_P$ (Zhao et al., 2007) compares phase congruency, which finds edges of any contrast. It is a product of three correlations and has no
# quality map.

# %% tags=["hide-input"]
show_maps(
    "qs",
    "qw",
    "qc",
    "qy",
    alt=(
        "Maps of four structure measures: all are dark in the noisy patch; in the "
        "blurred one qs and qw are, qc a little, qy not at all."
    ),
)

# %% [markdown]
# ## Human vision: `qcb`, `qcv`, `viff`
#
# $Q_{CB}$ ([Chen and Blum, 2009](https://doi.org/10.1016/j.imavis.2007.12.002)) filters by the contrast sensitivity of the eye and measures
# how much of the local contrast $C$ is kept. With sources $i \in \{A, B\}$,
#
# $$Q_{CB} = \operatorname{mean}_p \sum_i \frac{C_i^2}{C_A^2 + C_B^2} \cdot \frac{\min(C_i, C_F)}{\max(C_i, C_F)}.$$
#
# $Q_{CV}$ ([Chen and Varshney, 2007](https://doi.org/10.1016/j.inffus.2005.10.001)) is the mean squared visible difference in blocks $b$ of
# 16×16 pixels, weighted by the edges of the block to the fifth power; lower is better:
#
# $$Q_{CV} = \frac{\sum_b \sum_i e_i(b)\, \operatorname{mean}_{p \in b} \left( h * (S_i - F) \right)^2}{\sum_b \sum_i e_i(b)}, \qquad
# e_i(b) = \sum_{p \in b} (g^i_p)^5,$$
#
# where $h$ is the filter of contrast sensitivity. $VIFF$ ([Han et al., 2013](https://doi.org/10.1016/j.inffus.2011.08.002)) measures, on four
# scales of which the second has no weight, how much information an observer with visual noise could extract from the fused image about the better source. Sharpening raises it
# without bound.

# %% tags=["hide-input"]
show_maps(
    "qcb",
    "qcv",
    "viff",
    alt=(
        "Maps of three measures made after the eye: qcb is dark in both patches, viff "
        "in parts of both, qcv hardly notices them."
    ),
)

# %% [markdown]
# ## Information: `mi`, `qmi`, `qte`, `qncie`, `fs`, `fmi_*`
#
# With $p_{iF}(u, v)$ the joint histogram of source $i$ and fused image, $p_i$ and $p_F$ its margins and $H$ their entropy,
#
# $$I(i, F) = \sum_{u, v} p_{iF}(u, v) \log_2 \frac{p_{iF}(u, v)}{p_i(u)\, p_F(v)}, \qquad MI = I(A, F) + I(B, F), \qquad
# Q_{MI} = 2 \sum_i \frac{I(i, F)}{H(i) + H(F)}.$$
#
# $Q_{MI}$ ([Hossny et al., 2008](https://doi.org/10.1049/el:20081754)) divides by the entropies, so that a source with much texture does not
# dominate. $Q_{TE}$ replaces Shannon's entropy by Tsallis' entropy. $Q_{NCIE}$ (Wang et al., 2008) computes an entropy of the eigenvalues
# $\nu_k$ of the 3×3 matrix of all pairwise nonlinear correlations:
#
# $$Q_{NCIE} = 1 + \sum_{k=1}^{3} \frac{\nu_k}{3} \log_{256} \frac{\nu_k}{3}.$$
#
# $FS$ only says whether both sources contribute equally. All of them use joint histograms and ignore positions: any one-to-one remapping of
# gray levels scores full marks, even a negative.
#
# $FMI$ ([Haghighat et al., 2011](https://doi.org/10.1016/j.compeleceng.2011.07.012)) does use positions. In each 3×3 window $w$ it treats
# nine values of a feature (gray level, gradient, edge map, cosine transform, wavelet) as a distribution:
#
# $$FMI = \operatorname{mean}_i \operatorname{mean}_w \frac{2\, I(i_w, F_w)}{H(i_w) + H(F_w)}.$$

# %% tags=["hide-input"]
show_maps(
    "fmi_pixel",
    "fmi_gradient",
    "fmi_edge",
    alt=(
        "Maps of three feature mutual informations: the noisy patch is dark in those "
        "of pixels and gradients, and unseen in that of edges."
    ),
)

# %% [markdown]
# ## Statistics of the fused image alone: `ag`, `sf`, `ei`, `sd`, `en`
#
# $AG$ (mean gradient), $SF$ (root mean square difference), $EI$ (mean Sobel gradient), $SD$ (standard deviation) and $EN$ (entropy of the
# gray levels) ignore the sources. With $\Delta_x$, $\Delta_y$ the differences between neighbours of $F$,
#
# $$AG = \operatorname{mean} \sqrt{\tfrac12 (\Delta_x^2 + \Delta_y^2)}, \qquad SF = \sqrt{\operatorname{mean} (\Delta_x^2 + \Delta_y^2)}, \qquad
# EN = -\sum_u p(u) \log_2 p(u).$$
#
# They increase with detail, and equally with noise, ringing and contrast. $CC$ is the mean correlation with the sources. $SCD$
# ([Aslantas and Bendes, 2015](https://doi.org/10.1016/j.aeue.2015.09.004)) correlates the differences $F - B$ with $A$ and $F - A$ with $B$;
# it was designed for infrared images. $API$ is the mean brightness.

# %% tags=["hide-input"]
show_maps(
    "ag",
    "ei",
    alt=(
        "Maps of two sharpness statistics: bright where the photograph has detail, "
        "raised by noise, dark in the blurred patch."
    ),
)

# %% [markdown]
# ## With a reference: `psnr`, `ssim`, `mae`, `mask_iou`
#
# $PSNR$, $SSIM$ and $MAE$ compare with the reference; $IoU$, accuracy and the boundary's $F$ compare the decision map with the true one.
# Where a reference is known, these metrics test the others.
#
# ## How can a metric be fooled?
#
# Take a good fusion and spoil it: by noise of three gray levels, blur of less than a pixel, sharpening, more contrast, or JPEG compression;
# or replace it by the average of the sources. A metric that goes *up* was fooled. Each cell is the change relative to the metric's value
# before, counted so that plus means "better" in the metric's own direction. Orange marks every plus where PSNR says minus.

# %%
good = mff.fuse(stack, "gacn", device=device).image
unit = to_unit(good, np.float64)

tricks = {
    "noise": (unit + rng.normal(0, 3 / 255, unit.shape)).clip(0, 1),
    "blur": gaussian_blur(unit, 0.7).clip(0, 1),
    "sharper": (2 * unit - gaussian_blur(unit, 1.0)).clip(0, 1),
    "contrast": (1.15 * (unit - unit.mean()) + unit.mean()).clip(0, 1),
    "JPEG 75": readings.as_jpeg(good, 75),
    "average": mff.fuse(stack, "average").image,
}

# %% tags=["hide-input"]
compared = [
    name for name, card in cards.items() if card.needs == "sources" and card.better
]
scorer = Scorer(stack, metrics=[*compared, "psnr"])
before = scorer(good)
sign = {name: -1 if cards[name].better == "lower" else 1 for name in before}
changes = {
    trick: {
        name: sign[name] * (value - before[name]) / abs(before[name])
        for name, value in scorer(image).items()
    }
    for trick, image in tricks.items()
}
changes = pd.DataFrame(changes).loc[["psnr", *compared]]
fooled = changes.gt(0.0005) & changes.loc["psnr"].lt(0)
colours = fooled.map(lambda hit: "background-color:#E69F0044" if hit else "")
styler = tables.plain(
    changes,
    caption="Change of each metric in percent; plus is better, orange was fooled",
)
styler.format(
    lambda x: f"{100 * x:+.{0 if abs(x) > 1 else 1}f}".replace("-", "−")
).apply(lambda _: colours, axis=None)

# %% tags=["hide-input"]
order = fooled.sum().sort_values(ascending=False)
print(
    "metrics fooled, of",
    len(compared),
    "-",
    ", ".join(f"{trick}: {count}" for trick, count in order.items()),
)

# %% [markdown]
# ### A fixed scale
#
# The sigmoids of $Q^{AB/F}$ were tuned to gray levels of 0 to 255. A program that is passed on, `analysis_Qabf.m`, has a slip: for two equal gradients it
# returns the gradient *itself* instead of a ratio. Large gradients saturate to one, but on images in [0, 1] the same line returns almost zero for a
# perfect copy. `qabf` follows another program, MFIF-Metrics, whose ratio of equal gradients is one. The table shows the effect of the slip: one
# program on two scales, the best of each in bold.

# %% tags=["hide-input"]
show_source(readings.circulated_qabf)

# %% tags=["hide-input"]
from mffrepro.metrics.inputs import as_gray

sources = [as_gray(image).values for image in stack.images]
candidates = {
    method: as_gray(mff.fuse(stack, method).image).values
    for method in ("gacn", "lp", "average")
}
on_scale = {
    "0..255": {
        name: readings.circulated_qabf(sources, image)
        for name, image in candidates.items()
    },
    "[0, 1]": {
        name: readings.circulated_qabf([s / 255 for s in sources], image / 255)
        for name, image in candidates.items()
    },
}
styler = tables.plain(
    pd.DataFrame(on_scale), caption="analysis_Qabf.m on two scales of gray levels"
)
styler.highlight_max(axis=0, props="font-weight:bold")

# %% [markdown]
# ### Can a fusion score better than the reference?
#
# A lens blurs the foreground *over* its outline, and the scene right behind it is sharp in no source (**defocus spread**). The reference is
# sharp there, so it keeps less of the sources than a fusion that copies their halo. How many metrics rank a method above the reference
# itself?

# %% tags=["hide-input"]
real = mff.load(
    "embedded",
    size=run.pick(quick=192, full=384, tiny=96),
    slices=run.pick(quick=4, full=8),
)
preferred = {}
for name in ("astronaut_spread", "coffee_spread", "motorcycle_lens"):
    several = len(real[name]) > 2
    names = [
        metric for metric in compared if not (several and cards[metric].max_sources)
    ]
    scorer = Scorer(real[name], metrics=names)
    truthful = scorer(real[name].reference)
    for method in ("gacn", "lp", "average"):
        scored = scorer(mff.fuse(real[name], method, device=device).image)
        above = [
            metric
            for metric in names
            if sign[metric] * (scored[metric] - truthful[metric]) > 0
        ]
        preferred.setdefault(name, {})[method] = above, len(names)

# %% tags=["hide-input"]
counts = {
    name: {method: f"{len(above)} of {of}" for method, (above, of) in found.items()}
    for name, found in preferred.items()
}
everywhere = [
    metric
    for metric in compared
    if all(metric in found["average"][0] for found in preferred.values())
]
print(
    "prefer the average to the reference on all three stacks:",
    ", ".join(everywhere) or "none",
)
print(
    "prefer it on the lens stack:",
    ", ".join(preferred["motorcycle_lens"]["average"][0]),
)
tables.plain(
    pd.DataFrame(counts), caption="Metrics that rank a method above the reference"
)

# %% [markdown]
# So a high score can mean that a fusion is faithful to the *faults* of its sources. A metric that knows only the sources cannot tell the
# difference.
#
# ## Parity: does each metric return what its source returns?
#
# A metric of this package is correct when it returns what the program it was published with returns. Those programs are MATLAB; their values
# were computed once under GNU Octave in double precision. The images made by integer formula come with the package, so this cell compares
# them now. The comparison on photographs is recorded (`tests/golden/regenerate_parity.py`). *Scatter* is the difference of the original from
# itself when its sums are taken in another order.

# %% tags=["remove-input"]
parity = fidelity.parity_table()
styler = tables.plain(parity, caption="Largest relative error against the source")
styler.set_properties(**{"white-space": "nowrap !important"})

# %% [markdown]
# Some programs differ by intention, not by error, and papers do not say which reading they used. The page
# [Why numbers differ](https://github.com/mffrepro/mffrepro/blob/main/book/why-numbers-differ.md) explains the differences. Its table is
# computed here, on a photograph that is changed to make them visible: its sides are odd, one corner is black and one white, as underexposed
# and overexposed corners are, and one corner is a flat light gray, which is one level darker in the fused image, as a filter may leave it.

# %% tags=["hide-input"]
pair, sharp = (
    [readings.awkward(image) for image in stack.images],
    readings.awkward(stack.reference),
)
fused = readings.awkward(mff.fuse(pair, "lp").image, light=234)
why = readings.readable(readings.differing_readings(pair, fused, sharp))
page = why.assign(quantity=[f"${symbol}$" for symbol in why["quantity"]]).set_index(
    "quantity"
)
pages.write_page(
    "why", pages.markdown_table(page, right=["value", "its value", "difference"])
)
shown = why.replace("`", "", regex=True).assign(
    quantity=[tables.typeset(symbol) for symbol in why["quantity"]]
)
tables.plain(shown, caption="One fused photograph, every known disagreement").hide(
    axis="index"
)

# %% [markdown]
# ## Which metric detects blur?
#
# GACN's Figure 8 blurs the fused image step by step and divides each metric by its value without blur. The paper prefers the steepest curve.
# The figure shows the paper's six metrics, the table all metrics.

# %% tags=["hide-input"]
sigmas = run.pick(quick=[0, 0.5, 1, 2, 4], full=[0, 0.5, 1, 1.5, 2, 3, 4, 5])
growing = [name for name in compared if cards[name].better == "higher"]
scorer = Scorer(stack, metrics=growing)
softer = [unit] + [gaussian_blur(unit, sigma).clip(0, 1) for sigma in sigmas[1:]]
blurred = [scorer(image) for image in softer]
six = ["qg", "qy", "qncie", "qcb", "fmi_edge", "fmi_dct"]
figures.metric_curves(
    sigmas,
    [{name: row[name] for name in six} for row in blurred],
    xlabel="standard deviation of the blur, pixels",
    alt=(
        "Falling curves of six metrics against the blur of the fused image; Q_NCIE "
        "stays nearly flat."
    ),
    caption="Figure 8 of GACN on one pair of the embedded set.",
)

# %% [markdown]
# Blur it yourself: which of these numbers say what you see?


# %% tags=["hide-input"]
def at_blur(sigma):
    step = sigmas.index(sigma)
    kept = {name: f"{blurred[step][name] / blurred[0][name]:.2f}" for name in six}
    return State({"fused image": softer[step]}, kept)


Explorable(
    {"blur": sigmas},
    at_blur,
    start=[2],
    alt="The fused image of the cup, blurred by the chosen standard deviation.",
    caption=(
        "The fused image under more and more blur. Numbers are metrics divided by "
        "their values without blur."
    ),
)

# %% tags=["hide-input"]
left = pd.DataFrame(
    [{name: row[name] / blurred[0][name] for name in growing} for row in blurred],
    index=sigmas,
).T
left = (
    left.sort_values(sigmas[-1])
    .drop(columns=0)
    .rename(columns=lambda sigma: f"blur {sigma}")
)
title = "Value of each metric relative to no blur, steepest first"
tables.heat(tables.plain(left, digits=3, caption=title), "cividis", low=0, high=1)

# %% [markdown]
# Some metrics rise again under more blur. $Q_Y$ compares the fused image with the more similar source wherever the sources differ. Strong blur makes
# it similar to the *blurred* source, and $Q_Y$ counts that as a success.

# %% tags=["hide-input"]
lowest = left.min(axis=1)
risen = (left.iloc[:, -1] - lowest)[lambda gain: gain > 0.02].sort_values(
    ascending=False
)
words = (
    f"{name}: {lowest[name]:.3f} at its lowest, {left.loc[name].iloc[-1]:.3f} at a "
    f"blur of {sigmas[-1]}"
    for name in risen.index
)
print("\n".join(words) or "no metric rises again")

# %% [markdown]
# A steep curve is not the same as a good metric. $Q_{NCIE}$ looks insensitive only because its scale never nears zero, and the plot tests
# blur alone. The next section tests more.
#
# ## Do the metrics agree?
#
# For each stack of the embedded set we make a ladder of fusions from perfect to poor. Its rungs are fusions by decision maps that are right,
# ragged, grown, shrunk or full of holes; the reference with blur, noise, contrast or sharpening; and the results of the package's methods
# (in the full profile, all that fuse a pair of 520 × 520 pixels in two seconds). Every metric ranks all rungs.

# %% tags=["hide-input"]
show_source(ladder.decision_rungs, ladder.spoiled_rungs)

# %%
data = mff.load(
    "embedded",
    kind="composite",
    levels=[3],
    size=run.pick(quick=160, full=256, tiny=96),
)
methods = (
    run.some(list(mff.list_methods().index), 6)
    if run.quick
    else mff.methods.within(seconds=2)
)
ladders = ladder.score_ladders(run.some(data, 3), methods, compared, rng, device=device)
print(
    f"{len(ladders)} fused images of {ladders['stack'].nunique()} scenes, "
    f"{len(compared)} metrics"
)

# %% [markdown]
# The picture shows Spearman's rank correlation of each two metrics over the rungs of a scene, averaged over the scenes. Neighbours agree.
# Orange means that two metrics contradict each other: a change that raises one lowers the other.

# %% tags=["hide-input"]
figures.matrix(
    ladder.agreement(ladders, [*compared, "psnr", "ssim"]),
    alt=(
        "Matrix of rank correlations between all metrics, with a blue block of those "
        "that compare with the sources and one of sharpness."
    ),
    caption=(
        "Rank correlation between metrics, +1 blue, -1 orange; metrics that agree "
        "stand together."
    ),
)

# %% [markdown]
# ## Which metric should you trust?
#
# Here the reference is known. *All* is the rank correlation with PSNR over all rungs of a scene, averaged over the scenes; *worst* is the
# scene with the lowest correlation. The next columns take one kind of fault each, with the right fusion as the top rung: wrong decisions,
# blur, noise, touch-ups. *SSIM* and *IoU* replace PSNR by another metric that knows the reference; *IoU* ranks only the rungs with a decision
# map. A metric that you can trust is blue throughout.

# %% tags=["hide-input"]
trust = ladder.trust(ladders, [*compared, "ssim"])
styler = tables.plain(
    trust, digits=2, caption="Rank correlation with the reference, best first"
)
tables.heat(styler, figures.DIVERGING, low=-1, high=1)

# %% tags=["hide-input"]
faults = trust[list(ladder.FAULTS)]
print(
    "above 0.5 on every kind of fault:",
    ", ".join(trust.index[(faults > 0.5).all(axis=1)]) or "none",
)
print(
    "negative on some kind of fault:",
    ", ".join(trust.index[faults.min(axis=1) < 0]) or "none",
)

# %% [markdown]
# For your own choice of a metric this means:
#
# * Where a reference can be had, use it: the metrics above are judged by how well they follow it.
# * Without a reference, take a metric that uses the sources and is blue in every column above, and a second one from *another* block of the
#   matrix. Two metrics of one block repeat the same information.
# * If you report AG, SF, EI, SD or EN, never report them alone, and never call an increase an improvement.
# * Compare numbers only if one program computed them on lossless files.
#
# Limits of this test: the photographs are few, their blur is synthetic with a hard outline, and the ladder decides which faults count. Other
# rungs would change the ranks. The exercises try some.
#
# ## Metrics as losses
#
# Two metrics can be used for training: `mffrepro.losses.qg_loss` and `qy_loss` are one minus the metric on torch batches in [0, 1], with
# gradients. The first is the loss of the [chapter on GACN](07_gacn.ipynb). An exercise asks what each does to a blurred image.

# %%
from mffrepro.losses import qg_loss, qy_loss

batches = [
    torch.from_numpy(values / 255)[None, None]
    for values in (*sources, candidates["lp"])
]
exact = mff.evaluate(stack, mff.fuse(stack, "lp").image, ["qy", "qg"])
print(
    f"1 - qy_loss {1 - float(qy_loss(batches[:2], batches[2])):.6f}, qy "
    f"{exact['qy']:.6f}"
)
folded = qg_loss(
    batches[:2], batches[2], angle="folded", reduction="pixel", steepness=1e9
)
print(f"1 - qg_loss {1 - float(folded):.6f}, qg {exact['qg']:.6f}")

# %% [markdown]
# Without gradients, `mffrepro.metrics.evaluate_batch` scores whole batches on the device they are on, by the same code as the metrics above:
# it monitors a validation set on a GPU while a network trains. It has the metrics that are sums over pixels or windows; histograms,
# transforms and FMI need `evaluate`. On a CPU `evaluate` is faster.

# %%
from mffrepro.metrics import evaluate_batch

batches = [
    torch.from_numpy(values).to(torch.uint8).tile(3, 1, 1, 1)
    for values in (*sources, candidates["lp"])
]
at_once = evaluate_batch(batches[:2], batches[2], ["qg", "qy", "qabf", "sf"])
print(
    {
        name: [round(float(score), 6) for score in scores]
        for name, scores in at_once.items()
    }
)

# %% [markdown]
# ## Exercises
#
# ### Check yourself
#
# <details><summary>A fused image is a plain copy of the first source. Why can its mutual information still be high?</summary>
#
# It shares all of its information with that source. The metric adds the information that is shared with each source, and does not
# ask which source is in focus where.
#
# </details>
#
# <details><summary>Sharpening raises spatial frequency. Is the image better?</summary>
#
# Nobody can tell from this number. Spatial frequency looks at the fused image alone, so noise and overshoot raise it too.
#
# </details>
#
# <details><summary>What does Q_ABF say about a plain surface?</summary>
#
# Next to nothing. Each pixel is weighted by the strength of its edges in the sources, which is near zero there. Errors on plain
# surfaces remain unseen.
#
# </details>
#
# ### Try it
#
# **1.** Find one change to a fused image that raises $AG$, $SF$, $EI$, $SD$ and $EN$ together and lowers PSNR. Do $Q^{AB/F}$ and $Q_G$
# notice it?
#
# <details><summary>Hint</summary>
#
# All five grow with differences between gray levels. What does a photo editor offer to make an image look crisper?
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# Sharpening does it. $AG$ rises from 8.6 to 11.2, $SF$ from 21.0 to 27.8, $EI$ from 63.1 to 73.4, and $SD$ and $EN$ rise a little. PSNR
# falls from 36.0 to 33.3 dB. $Q^{AB/F}$ and $Q_G$ do notice it: they fall from 0.768 to 0.713 and from 0.720 to 0.640, because an edge
# that is stronger than in the source is not kept either. The five statistics look at the fused image alone and cannot know which edges
# belong there.
#
# ```python
# import numpy as np
#
# import mffrepro as mff
# from mffrepro.data.synthetic import gaussian_blur
# from mffrepro.images import to_unit
# from mffrepro.metrics import Scorer
#
# stack = mff.load("embedded", kind="composite", size=256)["coffee_blur3"]
# fused = to_unit(mff.fuse(stack, "gacn").image, np.float64)
# crisp = (fused + 0.5 * (fused - gaussian_blur(fused, 1.0))).clip(0, 1)
#
# alone = ["ag", "sf", "ei", "sd", "en"]
# scorer = Scorer(stack, metrics=[*alone, "qabf", "qg", "psnr"])
# before, after = scorer(fused), scorer(crisp)
# for name in before:
#     print(f"{name}: {before[name]:.4f} before, {after[name]:.4f} after")
#
# assert all(after[name] > before[name] for name in alone)
# assert all(after[name] < before[name] for name in ("qabf", "qg", "psnr"))
# ```
#
# </details>
#
# **2.** Add rungs to the ladder: a shift by one pixel, a wrong white balance, ringing. Which metrics detect which fault?
#
# <details><summary>Hint</summary>
#
# `scipy.ndimage.shift` shifts. A wrong white balance is one factor per channel; choose them so that the gray level
# $0.299\,R + 0.587\,G + 0.114\,B$ hardly changes. Cut high frequencies off the Fourier spectrum sharply, and edges ring.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# PSNR sees all three: 24.5 dB after the shift, 24.9 dB with the wrong white balance, 29.1 dB with ringing. The shift lowers $Q^{AB/F}$,
# $Q_Y$ and $Q_{MI}$ by about 40 %, and leaves $AG$ and $EN$ as they are, since they do not know where an edge should be. The wrong white
# balance is as bad for PSNR as the shift, but changes $Q^{AB/F}$, $Q_Y$, $AG$ and $EN$ by less than 2 %: these metrics convert to gray
# first. Only the joint histogram of $Q_{MI}$ notices that the gray levels are not exactly those of the sources (−11 %). Ringing lowers
# all but $EN$, which it raises. So none of these metrics judges colour without a reference, and a rung that a metric does not see says as
# much about it as one that it sees.
#
# ```python
# import numpy as np
# import pandas as pd
# from scipy import ndimage
#
# import mffrepro as mff
# from mffrepro.images import to_unit
# from mffrepro.metrics import Scorer
#
# stack = mff.load("embedded", kind="composite", size=256)["coffee_blur3"]
# sharp = to_unit(stack.reference, np.float64)
# spectrum = np.fft.fft2(sharp, axes=(0, 1))
# high = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, sharp.shape[1::-1]))) > 0.25
# spectrum[high] = 0
# faults = {
#     "right": sharp,
#     "shift": ndimage.shift(sharp, (0, 1, 0), order=0, mode="nearest"),
#     "white balance": sharp * [1.1, 1.0, 1 - 0.1 * 0.299 / 0.114],
#     "ringing": np.fft.ifft2(spectrum, axes=(0, 1)).real,
# }
# names = ["psnr", "qabf", "qy", "qmi", "qncie", "ag", "en"]
# scorer = Scorer(stack, metrics=names)
# table = pd.DataFrame({name: scorer(x.clip(0, 1)) for name, x in faults.items()}).T
# change = table / table.loc["right"] - 1
# print(change.drop(index="right").drop(columns="psnr").map("{:+.1%}".format))
# print(table["psnr"].round(1).to_string())
#
# assert table.loc["white balance", "psnr"] < table.loc["ringing", "psnr"]
# assert change.loc["white balance", ["qabf", "qy", "ag", "en"]].abs().max() < 0.05
# assert change.loc["shift", "qabf"] < -0.2
# assert abs(change.loc["shift", "ag"]) < 0.03
# ```
#
# </details>
#
# **3.** Minimise `qg_loss` and `qy_loss` over the pixels of an image, beginning with the average of the sources. Does the image come
# nearer to the reference as long as the loss falls?
#
# <details><summary>Hint</summary>
#
# Make the pixels a `torch` tensor with `requires_grad_()` and give it to `torch.optim.Adam`. A crop of 64 × 64 pixels is enough. Follow
# the loss and the PSNR together, at 25 and at 75 steps.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# At first both come nearer: from 27.7 dB to 29.5 dB with `qg_loss` and to 28.8 dB with `qy_loss` after 25 steps. Then `qg_loss` still
# falls, but the PSNR of its image falls too, to 28.4 dB after 75 steps. $Q_G$ compares gradients only, and nothing in it ties the gray
# levels themselves to those of the sources. $Q_Y$ asks of each window that it equals the more similar source, gray levels included, and
# stays at 29.7 dB. A better value of a metric is not a nearer image, even if the metric ranks fusions well.
#
# ```python
# import numpy as np
# import torch
#
# import mffrepro as mff
# from mffrepro.images import to_gray, to_unit
# from mffrepro.losses import qg_loss, qy_loss
#
# stack = mff.load("embedded", kind="composite", size=256)["coffee_blur3"]
# crop = np.s_[20:84, 130:194]
# near, far, sharp = (
#     torch.from_numpy(to_gray(to_unit(image[crop])))[None, None]
#     for image in (*stack.images, stack.reference)
# )
# lost, psnr = {}, {}
# for loss in (qg_loss, qy_loss):
#     image = ((near + far) / 2).requires_grad_()
#     optimiser = torch.optim.Adam([image], lr=0.01)
#     for step in range(76):
#         value = loss([near, far], image)
#         lost[loss, step] = float(value.detach())
#         error = (image.detach() - sharp).square().mean()
#         psnr[loss, step] = float(-10 * torch.log10(error))
#         optimiser.zero_grad()
#         value.backward()
#         optimiser.step()
#     for step in (0, 25, 75):
#         print(
#             f"{loss.__name__} after {step} steps: loss {lost[loss, step]:.3f}, PSNR "
#             f"{psnr[loss, step]:.1f} dB"
#         )
#
# assert lost[qg_loss, 0] > lost[qg_loss, 25] > lost[qg_loss, 75]
# assert psnr[qg_loss, 0] < psnr[qg_loss, 75] < psnr[qg_loss, 25] - 0.3
# assert psnr[qy_loss, 0] < psnr[qy_loss, 25] < psnr[qy_loss, 75]
# ```
#
# </details>
#
# **4.** Which pixels decide between two good methods? Compare `gacn` and `lp` in $Q^{AB/F}$: subtract their quality maps and multiply by
# the weights.
#
# <details><summary>Hint</summary>
#
# The weights of `qabf` depend on the sources alone, so the sum of the product over all pixels *is* the difference of the two scores. Sort
# the pixels by the magnitude of their contribution.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# `gacn` leads by 0.010, and a tenth of the pixels makes 80 % of all contributions. They lie along the outline of the cup, blue where
# `gacn` is better and red where `lp` is. Away from it both methods keep the sharp source, and on plain surfaces the weight is nearly
# zero. A small lead in the mean is therefore the balance of gains and losses in a narrow band, and two methods are best compared there.
#
# ```python
# import matplotlib.pyplot as plt
# import numpy as np
#
# import mffrepro as mff
# from mffrepro.metrics import quality_map, weight_map
#
# stack = mff.load("embedded", kind="composite", size=256)["coffee_blur3"]
# fused = {name: mff.fuse(stack, name).image for name in ("gacn", "lp")}
# quality = {name: quality_map("qabf", stack, image) for name, image in fused.items()}
# part = (quality["gacn"] - quality["lp"]) * weight_map("qabf", stack, fused["lp"])
# score = {name: mff.evaluate(stack, x, "qabf")["qabf"] for name, x in fused.items()}
# ahead = score["gacn"] - score["lp"]
# share = np.sort(np.abs(part).ravel())[::-1].cumsum() / np.abs(part).sum()
# tenth = share[part.size // 10]
# print(f"difference of the scores {ahead:+.4f}, sum of the map {part.sum():+.4f}")
# print(f"a tenth of the pixels makes {tenth:.0%} of all contributions")
# plt.imshow(part, cmap="RdBu", vmin=-2e-5, vmax=2e-5)
# plt.show()
#
# assert np.isclose(part.sum(), ahead)
# assert tenth > 0.5
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(run, started, ["gacn.default"])
