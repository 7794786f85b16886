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
# # GACN: decision map and fused image, learned end to end
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/07_gacn.ipynb)
#
# Can one network, trained end to end, both decide where each photograph is sharp and hand back the fused image, with no
# post-processing by hand? That is the question of [Ma et al., 2022](https://doi.org/10.1016/j.neucom.2021.10.115).
#
# *Paper:* Boyuan Ma, Xiang Yin, Di Wu, Haokai Shen, Xiaojuan Ban, Yu Wang, *End-to-end learning for simultaneously generating
# decision map and multi-focus image fusion result*, Neurocomputing 470, 2022, pages 204 to 216,
# [doi:10.1016/j.neucom.2021.10.115](https://doi.org/10.1016/j.neucom.2021.10.115) [ma2022gacn].
#
# The answer is computed from the verdicts at the end of the chapter. The book shows a copy of it here, in the box *In one minute*.
#
# *Needs: a CPU; about a minute and a half (quick), up to ten (full). With `retrain = "yes"` a GPU.*
#
# *Read first: [metrics](01_metrics.ipynb), and the section on guided filters in [classical methods](02_baselines.ipynb).*

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
from IPython.display import display
from scipy.special import expit

import mffrepro as mff
from mffrepro import losses
from mffrepro.benchmarks import decisions, measurements
from mffrepro.benchmarks.measurements.gacn import BANDS, steepness_gaps
from mffrepro.images import to_gray, to_unit
from mffrepro.models import gacn
from mffrepro.report import (
    diagram,
    figures,
    gacn26,
    gacn_claims,
    gacn_deviations,
    samples,
    tables,
    trainings,
)
from mffrepro.report.explorable import Explorable, State
from mffrepro.report.source import show_source
from mffrepro.training.gacn import GacnRecipe

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)
six = list(gacn26.METRICS)

# %% [markdown]
# ## The paper in one picture
#
# Two photographs pass through the same four convolutions. The spatial frequency of their 64 feature maps says how sharp each photograph
# is around each pixel. Four more convolutions turn the difference into one number per pixel. Where it is positive, the first
# photograph is taken. The diagram is drawn from the network itself, with the shapes of a 96 × 96 input.

# %% tags=["hide-input"]
network = mff.methods.load_network("gacn", device=device)
diagram.flow(
    diagram.gacn_rows(network),
    alt=(
        "Three rows of boxes: four dense convolutions with channel attention, four "
        "convolutions with spatial attention, and the output."
    ),
    caption=(
        "Fig. 1 of the paper. CSE: channel attention. SSE: spatial attention. Every "
        "later convolution of the feature path reads all earlier maps."
    ),
)

# %% [markdown]
# ## Data
#
# No photographer takes a scene twice and draws the true outline of what is in focus. So pairs are made from a photograph, a mask and a blur.
# The near-focused image is sharp inside the mask. The far-focused image is blurred inside it, and because a blurred foreground
# spreads over its outline, the alpha matte is soft there (defocus spread). The paper takes masks from MS COCO. The shipped weights were
# trained on unions of regions of the Berkeley segmentation set, which is small enough to fetch.

# %% tags=["hide-input"]
show_source(GacnRecipe.pair)
figures.comparison(
    samples.spread_pair(seed=seed),
    alt=(
        "A photograph, the same with blurred background, with blurred foreground, and "
        "the mask that is the label."
    ),
    caption=(
        "Fig. 4 of the paper: one training sample before crop, rotation, noise and "
        "shift. Label 1: the first image is sharper."
    ),
)

# %% [markdown]
# ## Model
#
# **Activity level.** Let $DF_{m,n}$ be one of the 64 feature maps at row $m$ and column $n$. Its spatial frequency is the root mean square of
# the differences to the left and to the upper neighbour, in the window of radius $r = 5$ around a pixel:
#
# $$RF_{m,n}^2 = \sum_{-r \le a,b \le r} \left[DF_{m+a,n+b} - DF_{m+a,n+b-1}\right]^2 \tag{1}$$
#
# $$CF_{m,n}^2 = \sum_{-r \le a,b \le r} \left[DF_{m+a,n+b} - DF_{m+a-1,n+b}\right]^2 \tag{2}$$
#
# $$SF_{m,n} = \sqrt{\frac{CF_{m,n}^2 + RF_{m,n}^2}{(2r + 1)^2}} \tag{3}$$
#
# **Decision.** The decision path reads the difference $SF^A - SF^B$ of both images $A$ and $B$ and returns one number $x$ per pixel, the logit. A sigmoid
# with the slope $k$ turns it into the initial decision map $p$:
#
# $$p = \frac{1}{1 + e^{-kx}}, \qquad k = 1000 \tag{4}$$
#
# **Boundary smoothing.** Where the map $p$, blurred by a Gaussian, lies between 0.1 and 0.8, a guided filter smooths it, with the provisional fused
# image as guide (A4.10, A4.12). The result is the final decision map.
#
# **Fusion.** With $p_i$ the final decision map at pixel $i$, the fused image $F$ is
#
# $$F_i = p_i A_i + (1 - p_i) B_i. \tag{5}$$
#
# Below is the whole network. Its comments cite the equations and the numbered ambiguities of the paper.

# %%
show_source(
    gacn.ConvBlock,
    gacn.ChannelSE,
    gacn.SpatialSE,
    gacn.FeaturePath,
    gacn.DecisionPath,
    gacn.GACN,
)
parts = {"feature path": network.features, "decision path": network.decision}
tables.parameter_counts(
    "p004_parameters", parts | {"all": network}, caption="Trainable parameters"
)

# %% [markdown]
# ## Loss
#
# The loss needs no reference image. It is the sum of a mask loss on the initial map and of a gradient loss on the fused image:
#
# $$L = L_{Dice} + \lambda L_{Q_g}, \qquad \lambda = 1 \tag{6}$$
#
# $$L_{Dice} = 1 - \frac{2 \sum_i p_i g_i + 1}{\sum_i p_i^2 + \sum_i g_i^2 + 1} \tag{7}$$
#
# Here $p$ is the initial map, and $g_i$ is the label: 1 where the first image is sharper. $L_{Q_g}$ asks how much of the gradients of the sources is left
# in $F$. Let $s^x$ and $s^y$ be the Sobel derivatives of an image, $w_i = \sqrt{(s_i^x)^2 + (s_i^y)^2}$ the strength of its gradient (Eq. 8)
# and $\alpha_i = \arctan(s_i^y / s_i^x)$ its direction (Eq. 9). For source $A$, with a smooth step $f$ in place of the case
# distinction of the metric (Eq. 10) and $k = 1000$ again (A4.4):
#
# $$f(x, y) = \frac{1}{1 + e^{-k(x - y)}} \tag{12}$$
#
# $$G_i^{AF} = f(w_i^F, w_i^A) \frac{w_i^A}{w_i^F} + \left(1 - f(w_i^F, w_i^A)\right) \frac{w_i^F}{w_i^A} \tag{13}$$
#
# $$\Delta_i^{AF} = 1 - \frac{|\alpha_i^A - \alpha_i^F|}{\pi / 2} \tag{11}$$
#
# $$Q_i^{AF} = \frac{1}{1 + e^{-10 (G_i^{AF} - 0.5)}} \cdot \frac{1}{1 + e^{-20 (\Delta_i^{AF} - 0.75)}} \tag{15–17}$$
#
# $$L_{Q_g} = 1 - \frac{\sum_i \left(Q_i^{AF} w_i^A + Q_i^{BF} w_i^B\right)}{\sum_i \left(w_i^A + w_i^B\right)} \tag{18}$$
#
# $G$ compares strengths: the weaker gradient divided by the stronger one. $\Delta$ compares directions. The paper writes $g$ for the strength too. Eq. 14
# replaces the absolute value of (11) by $(\alpha_i^A - \alpha_i^F)(2 f(\alpha_i^A, \alpha_i^F) - 1)$; [Table 2](15_gacn_trainings.ipynb) compares the two. The package computes the
# metric and the loss by the same code for (15–17), `TOOLBOX.kept`.

# %%
show_source(losses.dice_loss, losses.gradient)

# %% [markdown]
# The paper compares these with two other mask losses and two other gradient losses ([Fig. 9](15_gacn_trainings.ipynb)) and prints no formula for them. Let $t_i$ be
# the probability of the right answer ($p_i$ where $g_i = 1$, else $1 - p_i$), $\beta$ the share of pixels with $g_i = 0$, $R$ the photograph before the blur,
# and $\nabla = (s^x, s^y)^T$:
#
# $$L_{focal} = -\operatorname{mean}_i\, (1 - t_i)^2 \log t_i \qquad L_{BCE} = -\operatorname{mean}_i \left(\beta g_i \log p_i + (1 - \beta)(1 - g_i) \log(1 - p_i)\right)$$
#
# $$L_{EP} = \sum_i \lVert \nabla F_i - \nabla R_i \rVert \qquad L_{ST} = \sum_i \big\lVert \nabla F_i \nabla F_i^T - \nabla A_i \nabla A_i^T - \nabla B_i \nabla B_i^T \big\rVert_F$$
#
# The first two are those of their authors. The edge-preserving loss EP and the structure-tensor loss ST are our readings (A4.14). They are sums over
# pixels, because the paper weights them by $10^{-4}$ beside Dice, and a mean would then have no effect.

# %% tags=["hide-output"]
show_source(
    losses.focal_loss, losses.balanced_loss, losses.edge_loss, losses.tensor_loss
)

# %% [markdown]
# How near is the smooth $Q_g$ to the exact one? The same loss with steeper and steeper steps, against its limit:

# %%
stack = mff.load("embedded")["coffee_blur3"]
near, far = stack.images
grays = [to_gray(to_unit(image, np.float64)) for image in stack.images]
gaps = steepness_gaps(grays, np.mean(grays, 0))
tables.plain(
    pd.DataFrame({"gap to the exact loss": gaps}).rename_axis("k"),
    digits=6,
    caption="Smooth against exact strength term, averaged pair",
)

# %% [markdown]
# ## Training
#
# The paper trains for 50 epochs of about 4,050 pairs. The recipe `practical` of this package, which trained the shipped weights, sees a fraction of
# these; the table of deviations at the end says how many. At $k = 1000$ the sigmoid of (4) is saturated nearly everywhere and returns no
# gradient. So the recipe lets $k$ grow from 10 to 1000 during the first half of the training (A4.4). Validation always uses 1000.
#
# The cell below the curves trains the network anew if you set `retrain`. [How much do seed, recipe and loss matter?](15_gacn_trainings.ipynb) compares
# trainings of each kind.

# %% tags=["hide-input"]
display(trainings.training_table(["gacn.default"]))
trainings.training_curves(
    "gacn.default",
    alt=(
        "Training and validation curves of the total loss, Dice, Q_g and the overlap "
        "of the decision with the mask."
    ),
    caption=(
        "Not in the paper: training of the shipped weights. Validation is easier than "
        "training: it has no noise, shifts or rotations."
    ),
)

# %% tags=["hide-output"]
if run.retrain:
    trainings.retrain("gacn", run)

# %% [markdown]
# ## Fusion, step by step
#
# From two photographs to one, with the tensors of the network in between:

# %%
steps = decisions.gacn_steps(stack, network)
limit = np.quantile(np.abs(steps.logit), 0.98)
show_source(decisions.gacn_steps)
figures.comparison(
    {
        "near-focused": near,
        "far-focused": far,
        "activity difference": figures.signed(steps.activity),
        "logit": figures.signed(steps.logit, limit=limit),
        "initial map": steps.initial,
        "final map": steps.final.clip(0, 1),
        "fused": mff.fuse(stack, "gacn", device=device).image,
        "reference": stack.reference,
    },
    alt=(
        "Eight pictures from the two sources over activity, decision and maps to the "
        "fused image beside the reference."
    ),
    caption=(
        "Not in the paper: the steps. Bright: the first source is sharper. Activity: "
        "mean over the 64 channels. Logit: the decision before the sigmoid."
    ),
)

# %% [markdown]
# The slope $k$ of (4) decides how hard the map is, and where the network can still learn: the derivative of the map with respect to the logit,
# $k\,p\,(1 - p)$, is zero in float32 where the sigmoid is saturated. A steep slope leaves a thin line along the border.


# %% tags=["hide-input"]
def with_slope(k):
    p = expit(k * steps.logit)
    gradient = p * (1 - p)  # float32, as in training
    shown = {"initial map": p, "where it learns": 4 * gradient}
    return State(shown, {"no gradient at": f"{(gradient == 0).mean():.1%} of pixels"})


Explorable(
    {"slope": [1, 10, 100, 1000, 10_000]},
    with_slope,
    start=[1000],
    alt="The initial map and its gradient: a thin line where the slope is steep.",
    caption=(
        "The sigmoid's slope. Left the map, right its gradient divided by the largest "
        "possible, k/4: black pixels learn nothing."
    ),
)

# %% [markdown]
# ## Tables and figures: reported, reproduced, difference
#
# ### Table 1
#
# The paper scores 22 methods on 26 pairs of photographs. Where the pairs have been fetched (`mffrepro data fetch gacn26 networks`), the full
# profile computes the rows of GACN anew by the protocol of the authors' code: 8-bit files, scikit-image's gray in [0, 1]. All other rows are those of the
# last recorded run. [The leaderboard](09_leaderboard.ipynb) describes the record.

# %% tags=["hide-input"]
on_26 = gacn26.scores([] if run.quick else ["gacn", "gacn.published"])
display(gacn26.table1(on_26))
print("reproduced:", "; ".join(on_26["origin"].unique()) or "not recorded yet")

# %% [markdown]
# Three printed rows are not what their names say. The authors' records of each pair show that *SF* is the plain average of the sources, that *Focus-Stack* was
# fused after a registration that shifted images that were already in place, and that *DSIFT* has the $Q_g$ of the average on some pairs; what it is
# on the others is not known (A4.21; [the classical toolbox](02_baselines.ipynb) has the evidence). Our methods of the same names score higher in most
# metrics. So the printed comparison with these three favours networks more than it should.
#
# ### Figure 5: pair by pair
#
# A mean hides whether a method wins by a little everywhere or by much on a few pairs. All networks of the figure have their authors' weights,
# but CNN-Fuse, FusionDN and DRPL, which have ours. *Raw map* is the decision map before its post-processing. The guided filter of SESF-Fuse's authors lets
# the map overshoot. It is drawn as they published it; the tables also have it *cleaned*, by a filter whose map stays in [0, 1].

# %% tags=["hide-input"]
maps_on_26 = measurements.recorded("gacn_maps")
print("maps:", measurements.source_of(maps_on_26))
figures.pair_curves(
    gacn26.figure5(on_26, maps_on_26),
    alt=(
        "Six panels of scores per pair: networks with a decision map lie together at "
        "the top, the decoders below."
    ),
    caption=(
        "Fig. 5 of the paper, all six metrics. Pairs in the order of their names; the "
        "legends list means."
    ),
)

# %% [markdown]
# Does a network with a map need its post-processing? The table gives the means behind the curves. The rivals of Table 1 as the paper had them are
# those whose stored results its authors published; the others are computed anew with published weights, and the rows of PMGI and MFF-GAN then differ
# from the printed ones.

# %% tags=["hide-input"]
stages = maps_on_26.groupby("variant", sort=False)[[*six, "regions"]].mean()
display(
    tables.scores(
        stages, caption="Maps with and without post-processing, means over the 26 pairs"
    )
)
rivals = gacn26.rivals_as_printed(on_26, maps_on_26)
tables.scores(
    pd.DataFrame({metric: table.mean() for metric, table in rivals.items()}),
    caption="The rivals of Table 1 as the paper had them, means over the 26 pairs",
)

# %% [markdown]
# The embedded set has a reference and a true decision map for every stack. Methods that take minutes are left to
# [the leaderboard](09_leaderboard.ipynb).

# %%
data = mff.load("embedded")
chosen = run.some(data[2::5], 3)
quick_methods = mff.methods.within(run.pick(quick=1, full=10))
results = mff.benchmark(quick_methods, chosen, ["qg", "qabf", "psnr", "mask_iou", "sf"])
tables.scores(
    tables.means(results),
    caption=f"Means over {len(chosen)} stacks of the embedded set",
)

# %% [markdown]
# ### Table 2, Figures 2 and 9: trainings
#
# [How much do seed, recipe and loss matter?](15_gacn_trainings.ipynb) shows what these choices of a training change, and tests the claims about them.
#
# ### Figures 3 and 10, Table 3: many images
#
# Serial fusion of many images passes each intermediate result through the feature path again. The *decision calibration* of the paper extracts each
# image once, compares it with the first image only, and replaces (5) by Eq. 19, which computes from all maps how clear each image is and copies each
# pixel from the clearest. [Many images](14_many_images.ipynb) measures what that saves and what it costs, and adds two strategies of ours.
#
# ### Figure 6: decision maps without and with post-processing
#
# Methods with a decision map usually clean it: they remove islands, and a guided filter softens the border. The paper compares its map with those of CNN-Fuse
# and SESF-Fuse, before and after. Here the sum-modified-Laplacian, cleaned by consistency verification, stands beside them. From GACN's initial map the
# same kind of islands is removed, and its own smoothing of the boundary is applied. The first table below counts the regions of these made pairs, the
# second those of the 26 photographed pairs, on which C4.14 rests.

# %% tags=["hide-input"]
figures.decision_maps(
    decisions.decision_stages(stack, device=device),
    truth=stack.decision,
    alt=(
        "Ten decision maps of a cup, of four methods before and after their cleaning; "
        "wrong pixels are orange."
    ),
    caption=(
        "Fig. 6 of the paper, on a made pair. White takes the near-focused image; "
        "orange is the wrong source."
    ),
)

# %%
unseen = list(mff.load("embedded", kind="composite", levels=(3,), size=192))[3:]
decide = partial(decisions.decision_stages, device=device)
cleaned = decisions.score_and_noise(unseen, decide, ["mask_accuracy", "qg", "psnr"])
del cleaned["variation"]
display(tables.plain(cleaned, caption=f"Means over {len(unseen)} pairs"))
counts = stages.loc[
    ["cnn_fuse, raw", "gacn, initial", "gacn, final", "gacn, final without islands"],
    ["regions"],
]
tables.plain(
    counts,
    caption="Regions of a map of the 26 pairs, mean; GACN with the authors' weights",
    digits=1,
)

# %% [markdown]
# ### Figure 7: what is left of the near-focused image
#
# Fused minus near-focused image. Where that image is in focus, nothing should remain.

# %% tags=["hide-input"]
decoders = ["densefuse", "pmgi", "fusiondn", "u2fusion", "mff_gan", "ifcnn"]
figures.differences(
    {name: mff.fuse(stack, name).image for name in ["gacn", *decoders, "lp"]},
    near,
    zoom=[(60, 215, 90, 130)],
    alt=(
        "Differences of eight fused images to the near-focused source: flat gray on "
        "the cup for GACN, ghosts for the decoders."
    ),
    caption=(
        "Fig. 7 of the paper, on a made pair. Mid-gray is no difference. Methods with "
        "a decision map copy the cup; those that compute the image leave its edges."
    ),
)

# %% [markdown]
# ### Figure 8: which metric notices blur?
#
# The fused images of all 26 pairs are blurred more and more; each metric is divided by its value without blur.

# %% tags=["hide-input"]
blurred = measurements.recorded("gacn_blur")
means = blurred.groupby("variant")[six].mean()
figures.metric_curves(
    means.index.astype(float),
    means.to_dict("records"),
    xlabel="standard deviation of the blur, pixels",
    alt=(
        "Curves of the paper's metrics falling with the blur of the fused image, at "
        "different rates."
    ),
    caption=(
        f"Fig. 8 of the paper: means over {blurred['stack'].nunique()} pairs. The "
        "paper does not print its grid of blurs."
    ),
)

# %% [markdown]
# ## Ablations
#
# Does the boundary smoothing (A4.11) improve the image? Without it, as the paper's text says, and with the soft weight of the authors' code:

# %%
some = run.pick(quick=data[2::5][:3], full=data[:25])
variants = {
    "none": ("gacn", {"smooth_boundary": False}),
    "paper": ("gacn", {"as_published": False}),
    "published": ("gacn", {"as_published": True}),
}
ablation = tables.means(
    mff.benchmark(variants, some, ["qg", "qabf", "psnr", "mask_iou"])
)
tables.scores(
    ablation,
    caption=f"Boundary smoothing, means over {len(some)} embedded stacks",
    digits=5,
)

# %% [markdown]
# And is the band from 0.1 to 0.8 a good one (A4.10)? Wider bands smooth more pixels, narrower ones fewer.

# %%
banded = decisions.score_and_noise(
    some,
    partial(decisions.decisions_by_band, network, bands=BANDS),
    ["qg", "qabf", "psnr"],
)
tables.scores(
    banded.drop(columns="regions"),
    caption=f"Band of the boundary, means over {len(some)} embedded stacks",
    digits=5,
)

# %% [markdown]
# ## Claims and verdicts
#
# Each verdict is computed from samples: pairs, runs or trainings. The measurements on pairs were recorded, with date, commit and machine. The
# tests are in the folded source. Claims about many images and about trainings are judged in the chapters on them.

# %% tags=["hide-input"]
show_source(gacn_claims)
display(
    gacn_claims.leads(on_26, maps_on_26),
    gacn_claims.outputs(on_26),
    gacn_claims.fast(on_26),
    gacn_claims.blur(blurred),
    gacn_claims.steepness(measurements.recorded("gacn_steepness")),
    *gacn_claims.post_processing(maps_on_26),
    gacn_claims.residue(measurements.recorded("gacn_residue")),
    gacn_claims.boundary(measurements.recorded("gacn_boundary")),
    gacn_claims.band_width(measurements.recorded("gacn_bands")),
)

# %% [markdown]
# ### The answer

# %% tags=["hide-input", "in-one-minute"]
from mffrepro.report.summary import in_one_minute, says

question = (
    "Can one network both decide where each photograph is sharp and hand back the "
    "fused image, with no post-processing by hand?"
)
in_one_minute(
    "gacn",
    question,
    answer=says("C4.14"),
    best="C4.14",
    learned=[says("C4.1"), says("C4.6"), says("C4.15")],
    elsewhere=["14_many_images", "15_gacn_trainings"],
)

# %% [markdown]
# ## Deviations
#
# Where the paper's text, the authors' code and this package differ. The last column is measured on the pair of this chapter where that
# takes seconds, and on three stacks for the smoothing of the boundary. Where it takes a training, it is the recorded $Q_g$ on the 26 pairs minus that of the practical recipe with the same seed. For many
# images, ranking is compared with calibration and with serial fusion on the recorded stacks.

# %% tags=["hide-input"]
show_source(gacn_deviations)
gacn_deviations.table(stack, network, ablation)

# %% [markdown]
# ## Exercises
#
# ### Check yourself
#
# <details><summary>A pixel of the final decision map is 0.3. Can the fused image be brighter there than both photographs?</summary>
#
# No. It is 0.3 times the first plus 0.7 times the second, which lies between both. So a decision map invents no gray level. A decoder,
# which computes the image anew, can.
#
# </details>
#
# <details><summary>The loss needs no reference image. What does it need instead, and where does that come from?</summary>
#
# The two photographs, whose gradients should be left in the fused image, and the label, which tells where each is sharper. The label is
# known because the pair was made from one photograph and a mask.
#
# </details>
#
# <details><summary>Can the smoothing of the boundary remove a wrong island?</summary>
#
# Only a tiny one. Inside a larger island the blurred map is 0 or 1, outside the band from 0.1 to 0.8, so that these pixels stay
# as they are.
#
# </details>
#
# ### Try it
#
# **1.** Swap the sources. How many pixels change sides, where are they, and what does the network answer for two equal images?
#
# <details><summary>Hint</summary>
#
# `GacnComparer.decide` returns the logit. A symmetric network would return the negative logit for the swapped pair, and 0 for
# two equal images. A pixel changes sides where the logit has one sign in both orders.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# On the rocket 4.7 % of the pixels change. In 92 % of them the network takes the second image in either order. They lie where
# neither image shows detail: the activity levels differ by a seventh of what they differ elsewhere. For two equal images the
# logit is negative everywhere, and -0.69 at most pixels: the difference of activity is zero, and what remains are the constants
# that the normalisation adds after each convolution. Nothing in the training asks for symmetry. The difference of both logits
# does not depend on the order, at the cost of a second decision. It is not better here: 94.1 % of the pixels are right, against
# 95.7 % in one order and 91.7 % in the other.
#
# ```python
# import numpy as np
# import mffrepro as mff
# from mffrepro.fusion.decision import extract_all
# from mffrepro.models.gacn import GacnComparer
#
# comparer = GacnComparer(mff.methods.load_network("gacn", device="cpu"))
# pair = mff.load("embedded", kind="composite", levels=(3,), size=192)["rocket_blur3"]
# near, far = extract_all(pair, comparer)
# _, forward = comparer.decide(near, far)
# _, backward = comparer.decide(far, near)
# _, equal = comparer.decide(near, near)
#
# changed = (forward > 0) == (backward > 0)
# to_second = ((forward < 0) & (backward < 0)).mean() / changed.mean()
# apart = np.abs((near.activity - far.activity).numpy()).mean((0, 1))
# print(f"{changed.mean():.1%} of the pixels change,", end=" ")
# print(f"{to_second:.0%} of them take the second image in both orders")
# print(f"difference of activity: {np.median(apart[changed]):.4f} there,", end=" ")
# print(f"{np.median(apart[~changed]):.4f} elsewhere")
# print(f"two equal images: the logit is {np.median(equal):.2f}")
#
# truth = pair.decision[0] > 0.5
# logits = {"one order": forward, "other": -backward, "both": forward - backward}
# print(*(f"{name}: {((x > 0) == truth).mean():.1%}" for name, x in logits.items()))
# assert 0.01 < changed.mean() < 0.1 and to_second > 0.7
# assert (equal < 0).all()
# assert np.median(apart[changed]) < np.median(apart[~changed])
# ```
#
# </details>
#
# **2.** On how much of a photograph does the feature path depend at one pixel? Change one pixel, and see which feature maps change
# where, with and without channel attention.
#
# <details><summary>Hint</summary>
#
# Put `torch.nn.Identity` in the place of each module of `network.features.se`. Compare the feature maps of both images by their
# distance from the changed pixel.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# Four convolutions of 3 × 3 reach four pixels far: without attention nothing changes farther away. With it every pixel changes,
# however far, because each channel is weighted by a function of its mean over the whole photograph. The change is one or two
# thousandths of that at the pixel itself. So a part of a photograph, fused alone, has slightly other features than the same part
# of the whole. This package computes the means over the whole photograph first where it works in strips.
#
# ```python
# import copy
# import mffrepro as mff
# import torch
#
# network = mff.methods.load_network("gacn", device="cpu")
# without = copy.deepcopy(network)
# without.features.se = torch.nn.ModuleList(torch.nn.Identity() for _ in range(4))
# torch.manual_seed(1)
# image = torch.rand(1, 1, 64, 64)
# changed = image.clone()
# changed[..., 32, 32] = 1 - image[..., 32, 32]
# offset = (torch.arange(64) - 32).abs()
# distance = torch.maximum(offset[:, None], offset)
# largest = {}
# for name, one in {"with attention": network, "without": without}.items():
#     with torch.no_grad():
#         change = (one.features(image) - one.features(changed)).abs().amax((0, 1))
#     largest[name] = [change[distance == r].max().item() for r in range(32)]
#     print(name, *(f"{largest[name][r]:.2g} at {r}" for r in (0, 4, 5, 31)), sep=", ")
# assert max(largest["without"][5:]) == 0 < largest["without"][4]
# assert 0 < max(largest["with attention"][5:]) < 0.01 * largest["with attention"][0]
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(run, started, ["gacn.default"])
