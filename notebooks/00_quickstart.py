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
# *Needs: nothing but a CPU; about a minute.*
#
# *Read first: nothing; you should know arrays in Python.*

# %% [markdown]
# ## Set up
#
# The folded cell holds the parameters of the chapter and installs mffrepro where it is missing, as in Colab. `profile`: `"quick"` takes
# minutes on a CPU, `"full"` uses all of the data; `dataset`: a name of `mff.list_datasets()`; `retrain`: `"yes"` trains the networks of
# the chapter instead of loading the shipped weights.

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
    print("installed mffrepro; libraries that were here before stay as they are")

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
# the type and range of the sources. Its **decision map** gives the share of the first source at every pixel.

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
        "White takes the first source, black the second; pixels taken from the wrong "
        "source are orange."
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
# metric does not apply, here because averages and pyramids have no decision map.

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
        "A motorcycle in a workshop: focused on the background, focused on the front, "
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
# 1. Vary the blur: `coffee_blur1` to `coffee_blur5`. At which blur does the network make its first mistakes, and where?
# 2. Swap `near` and `far`. Does the result change? Should it?
# 3. Fuse two photographs of your own. Where does the fusion fail, and what does the decision map show there?

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(run, started, ["gacn.default"])
