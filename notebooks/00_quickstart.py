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
# # Quickstart: one sharp photograph out of several
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/00_quickstart.ipynb)
#
# A lens focuses at one distance. Objects nearer or farther are blurred, and the closer the subject, the thinner the sharp layer.
# Photographers therefore take several photographs of one scene, each focused at another distance: a **focal stack**. A program then
# combines the sharp parts into one image. This is **multi-focus image fusion**, also called focus stacking. How do you fuse a stack in five
# lines, and how do you know that the result is good?
#
# *Needs: nothing but a CPU; half a minute (quick and full).*
#
# *Read first: nothing; you should know arrays in Python.*

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

from IPython.display import display

import mffrepro as mff

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## Two photographs
#
# `mff.load` returns focal stacks. The images of a stack are its **sources**. The data set `"embedded"` is made from photographs that come
# with scikit-image: parts of each photograph are blurred as a lens would blur them. So the sharp original, the **reference**, is known, and
# so is which source is sharp at which pixel.

# %%
from mffrepro.report import figures, tables

data = mff.load("embedded")
stack = data["coffee_blur5"]
near, far = stack.images

figures.comparison(
    {"near": near, "far": far, "reference": stack.reference},
    zoom=[(70, 220, 70, 110), (240, 400, 70, 110)],
    alt=(
        "A cup of coffee: sharp cup before a blurred table, blurred cup on a sharp "
        "table, and the original, sharp everywhere."
    ),
    caption=(
        "Two sources and the photograph they were made from. The boxes show the same "
        "two regions, magnified."
    ),
)

# %% [markdown]
# ## Fuse
#
# One call fuses the sources. It takes two or more arrays or file names, gray or colour, of 8 or 16 bits or floats in [0, 1]. The result has
# the type and range of the sources. Its **decision map** gives the share of each source at every pixel; the figure shows that of the first.

# %%
result = mff.fuse([near, far], method="gacn", device=device)
print(
    f"{result.method}: {result.image.shape} {result.image.dtype} in "
    f"{result.seconds:.2f} s"
)

figures.decision_maps(
    {"true": stack.decision, "GACN": result.decision},
    truth=stack.decision,
    alt=(
        "Decision maps, white where the near-focused source is taken: the true map, "
        "the outline of the cup, and the map of the network."
    ),
    caption=(
        "White takes the first source, black the second, gray mixes both; pixels taken "
        "from the wrong source are orange."
    ),
)

# %% [markdown]
# ## Is it good?
#
# With a reference the question has a direct answer: how far is the fused image from the reference? Real photographs have no reference.
# Metrics such as `qabf` then measure how much of the sources' edges the fused image keeps. An arrow shows which direction is better. The
# best value is bold.

# %%
methods = ["average", "lp", "gacn"]
wanted = ["psnr", "ssim", "qabf", "qg", "ag", "mask_iou"]
some = run.pick(quick=data[4:15:5], full=data, tiny=data[4:5])
results = mff.benchmark(methods, some, wanted)
means = tables.means(results)
display(tables.scores(means, caption="Means over stacks of the embedded set"))
ahead = means.loc["gacn"] - means.loc["lp"]
print(
    ", ".join(
        f"{name}: gacn {ahead[name]:+.4f} against lp"
        for name in ("psnr", "ssim", "qabf", "qg")
    )
)

# %% [markdown]
# The metrics need not agree on the best method. PSNR squares the errors, so a few pixels from the wrong source cost more than a small error everywhere.
# A decision map copies pixels: it is exact nearly everywhere, and a mistake at the outline costs it much. The pyramid mixes the sources: it is
# exact almost nowhere, and its errors are small. So `lp` can have the higher PSNR where `gacn` has the higher $Q_{ABF}$.
#
# Averaging is the floor that every method must beat: at each pixel it mixes the sharp source with the blurred one. A dash means that the
# metric does not apply, here because averages and pyramids have no decision map. The columns `qabf` and `qg` are $Q_{ABF}$ and $Q_G$, `ag` is the
# average gradient of the fused image alone, `ssim` its similarity to the reference, and `mask_iou` the overlap of its decision map with the true one;
# [the next chapter](01_metrics.ipynb) explains them.

# %%
fused = {method: mff.fuse([near, far], method).image for method in methods}
figures.comparison(
    {"reference": stack.reference, **fused},
    zoom=[(70, 220, 70, 110), (240, 400, 70, 110)],
    alt=(
        "The reference beside the fusions by averaging, Laplacian pyramid and GACN, "
        "with two magnified details each."
    ),
    caption=(
        "The average is soft everywhere; the pyramid is sharp but mixes the sources "
        "around the outline."
    ),
)

# %% [markdown]
# ## More than two
#
# A macro photographer takes dozens of photographs. The same call fuses any number. Here are eight slices of a rendered scene of known depth.

# %%
lens = data["motorcycle_lens"]
many = mff.fuse(lens, "gacn", device=device)
figures.comparison(
    {
        "first slice": lens.images[0],
        "last slice": lens.images[-1],
        "fused": many.image,
        "reference": lens.reference,
    },
    zoom=[(120, 60, 90, 120), (60, 330, 90, 120)],
    alt=(
        "A motorcycle in a workshop: focused on the front, focused on the background, "
        "fused from eight slices, and the reference."
    ),
    caption=f"Eight slices fused in {many.seconds:.1f} s.",
)

# %%
print(
    {
        name: round(value, 4)
        for name, value in mff.evaluate(
            lens, many, metrics=["psnr", "ssim", "qabf"]
        ).items()
    }
)

# %% [markdown]
# ## Your own photographs
#
# ```python
# result = mff.fuse(["near.jpg", "far.jpg"])
# mff.write_image("fused.png", result.image)
# ```
#
# The same from the shell:
#
# ```shell
# mffrepro fuse near.jpg far.jpg -o fused.png
# mffrepro evaluate near.jpg far.jpg -f fused.png
# ```
#
# The photographs must show the same scene, aligned to the pixel: use a tripod, or align them first.
#
# ## All methods
#
# The table lists every method and its options; `mff.list_metrics()` and `mff.list_datasets()` list metrics and data sets.

# %%
tables.plain(mff.list_methods()[["title", "kind", "weights", "options"]])

# %% [markdown]
# ## Exercises
#
# ### Check yourself
#
# <details><summary>Why can the average of two photographs never be as sharp as either of them?</summary>
#
# At each pixel it mixes a sharp value with a blurred one, half and half. An edge keeps its full height in one source only, so the
# mean is lower. That makes the average the floor that every method must beat.
#
# </details>
#
# <details><summary>The shares of two sources at a pixel are 0.5 and 0.5. What does the fused image hold there?</summary>
#
# The mean of both. Decision maps that jump from 0 to 1 copy pixels, and maps with values in between blend them.
#
# </details>
#
# <details><summary>Why do the photographs have to be aligned to the pixel?</summary>
#
# All methods compare the same pixel of each source. If one is moved, its edges lie beside those of the other, and the fused image
# shows both. `mff.align` moves them over each other first.
#
# </details>
#
# ### Try it
#
# **1.** Vary the blur from `coffee_blur1` to `coffee_blur5`. Does the network make more mistakes at weak blur, where sharp and blurred
# are hard to tell apart? Where are its mistakes, and what do they cost?
#
# <details><summary>Hint</summary>
#
# `stack.decision` is the true map. Count the wrong pixels, and the share of them that lies within a few pixels of the outline. PSNR says
# what they cost.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# No. At every blur 3.0 to 3.1 % of the pixels are wrong, and at least 95 % of them lie within six pixels of the outline of the cup: the
# network recognises even the weakest blur, and errs where both regions meet. But PSNR falls from 39.5 to 34.5 dB, because a pixel that is
# taken from the wrong source is worse the more blurred that source is.
#
# ```python
# import mffrepro as mff
# from mffrepro.metrics.diagnostics import border_band
#
# data = mff.load("embedded", kind="composite", size=256)
# wrong, near_outline, psnr = [], [], []
# for level in range(1, 6):
#     stack = data[f"coffee_blur{level}"]
#     truth = stack.decision[0] > 0.5
#     result = mff.fuse(stack, "gacn")
#     mistake = (result.decision[0] > 0.5) != truth
#     wrong.append(mistake.mean())
#     near_outline.append((mistake & border_band(truth, 6)).sum() / mistake.sum())
#     psnr.append(mff.evaluate(stack, result, "psnr")["psnr"])
#     print(
#         f"blur {level}: {wrong[-1]:.1%} wrong, {near_outline[-1]:.0%} of them within "
#         f"6 pixels of the outline, PSNR {psnr[-1]:.1f} dB"
#     )
#
# assert max(wrong) < 1.2 * min(wrong) and min(near_outline) > 0.9
# assert psnr == sorted(psnr, reverse=True) and psnr[0] > psnr[-1] + 3
# ```
#
# </details>
#
# **2.** Swap `near` and `far`. Does the result change? Should it?
#
# <details><summary>Hint</summary>
#
# Nothing says which photograph comes first, so the order should not matter. Count the pixels that differ between both results, and look
# where they are. Try a method without a network too, such as `lp`.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# It should not, and for `lp` it does not: choosing the larger coefficient is the same in both orders. `gacn` changes 2.7 % of the pixels
# by more than five gray levels, all in the band along the outline. Its decision network is trained, and nothing in it forces swapped
# inputs to give the opposite answer. Where one source is clearly sharper it answers alike; along the outline it does not.
#
# ```python
# import matplotlib.pyplot as plt
# import numpy as np
#
# import mffrepro as mff
#
# near, far = mff.load("embedded", kind="composite", size=256)["coffee_blur5"].images
# moved = {}
# for method in ("lp", "gacn"):
#     one = mff.fuse([near, far], method).image.astype(float)
#     other = mff.fuse([far, near], method).image
#     gap = np.abs(one - other).max(-1)
#     moved[method] = (gap > 5).mean()
#     print(f"{method}: {moved[method]:.1%} of the pixels change by over 5 gray levels")
# plt.imshow(gap, cmap="magma")
# plt.show()
#
# assert moved["lp"] == 0 and 0.005 < moved["gacn"] < 0.1
# ```
#
# </details>
#
# **3.** Move the second photograph by five pixels to the right, as a camera that was touched between the two shots. Where does the fusion
# fail, and what does `mff.align` repair?
#
# <details><summary>Hint</summary>
#
# Two crops of one scene do it: `near[:, 5:]` and `far[:, :-5]`. Look at the edges of the fused image. `mff.align` returns a stack with
# the overlap of both, which `mff.fuse` takes as it is.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# Each edge shows twice, five pixels apart: look at the handle of the spoon. $Q_{ABF}$ falls from 0.766 to 0.706, although the fusion
# keeps edges of both sources. After `mff.align` it is 0.765, as if the camera had not moved. No fusion method repairs a shift, since all
# of them compare the same pixel of each source.
#
# ```python
# import matplotlib.pyplot as plt
#
# import mffrepro as mff
#
# near, far = mff.load("embedded", kind="composite")["coffee_blur2"].images
# moved = [near[:, 5:], far[:, :-5]]
# tried = {
#     "never moved": [near, far],
#     "moved": moved,
#     "aligned": mff.align(moved).images,
# }
# score = {}
# for axes, (name, pair) in zip(plt.subplots(1, 3)[1], tried.items(), strict=True):
#     fused = mff.fuse(pair, "lp").image
#     score[name] = mff.evaluate(pair, fused, "qabf")["qabf"]
#     axes.imshow(fused[20:120, 320:420])
#     axes.set_title(f"{name}: {score[name]:.3f}")
# plt.show()
#
# assert score["moved"] < score["aligned"] - 0.03
# assert abs(score["aligned"] - score["never moved"]) < 0.02
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(run, started, ["gacn.default"])
