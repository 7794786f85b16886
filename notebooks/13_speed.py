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
# # Appendix: how fast are the networks?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/13_speed.ipynb)
#
# The papers print seconds, each from another machine. Seconds alone do not say whether a network is slow because it computes much or because its
# program wastes time. **How much does each network compute, how fast could this machine do that, and how near does the program come?**
#
# The answer of this chapter: operations and moved bytes explain most of the order of the networks, and their programs reach very different shares of
# the possible speed.
#
# *Needs: a CPU; about a minute (quick); the full profile takes a few minutes. Where there is a GPU, it is measured too.*
#
# *Read first: [GACN](07_gacn.ipynb); you should know what a matrix product costs.*

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

import pandas as pd
import torch
from IPython.display import display

import mffrepro as mff
from mffrepro.benchmarks import every_method, speed
from mffrepro.report import figures, tables
from mffrepro.report.leaderboard import left_out
from mffrepro.report.provenance import provenance
from mffrepro.report.source import show_source
from mffrepro.report.speed import roofline

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## The two ceilings of a machine
#
# A program that multiplies and adds cannot be faster than the processor at its best task, a product of two large matrices. A program that reads and
# writes memory cannot be faster than a plain copy. For $W$ operations and $B$ moved bytes, on a machine with the highest rates $\pi$ (operations
# per second) and $\beta$ (bytes per second), the least time is
#
# $$t_{least} = \max\left(\frac{W}{\pi}, \frac{B}{\beta}\right).$$
#
# The quotient $W / B$ is the *intensity* of the work. Below the intensity $\pi / \beta$, memory sets the limit, above it, arithmetic does. Both rates are measured
# here, and not taken from a data sheet.

# %%
show_source(speed.measure_machine, speed.Machine)
present = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
devices = present if device == "auto" else [device]
machines = {name: speed.measure_machine(name) for name in devices}
ceilings = {
    mff.runtime.device_name(name): {
        "10⁹ operations per second": machine.operations / 1e9,
        "10⁹ bytes per second": machine.bytes / 1e9,
        "operations per byte": machine.operations / machine.bytes,
    }
    for name, machine in machines.items()
}
tables.plain(
    pd.DataFrame(ceilings).T,
    caption="The two ceilings, and the intensity at which they meet",
    digits=1,
)

# %% [markdown]
# ## Work and time of every network
#
# All networks of the package fuse one colour pair of 520 × 520 pixels, the size of most of the 26 pairs of GACN. While a network fuses the pair for the first time,
# a counter of torch adds up the multiplications and additions of its convolutions and matrix products, and the bytes that each of them reads and
# writes in float32. What lies between the convolutions is not counted, although it takes time. Networks work on strips of rows, whose
# neighbouring rows they compute twice; this is counted.
#
# Then the pair is fused again, and the shortest time counts. It includes everything from arrays to the fused array: conversion to gray or luma, the
# network, the fusion rule and the post-processing. Reading files and loading weights are not included.

# %%
show_source(speed.count_work, speed.measure_speed)
pair = speed.textured_pair(520)
names = [
    name for name in every_method() if mff.methods.parse(name)[0].kind == "network"
]
absent = left_out(names, seconds=60)
networks = [
    name for name in names if name not in absent and (not run.quick or "." not in name)
]
measured = {
    name: speed.measure_speed(
        networks, pair, machine, device=name, repeats=run.pick(quick=2, full=5, tiny=1)
    )
    for name, machine in machines.items()
}

# %% tags=["hide-input"]
heads = {
    "operations": "10³ operations / pixel",
    "bytes": "bytes / pixel",
    "least": "least seconds",
    "reached": "share reached",
}
digits = {
    heads["operations"]: 1,
    heads["bytes"]: 0,
    "seconds": 3,
    heads["least"]: 3,
    heads["reached"]: 2,
}
for name, table in measured.items():
    shown = table.assign(operations=table["operations"] / 1e3).rename(columns=heads)
    styled = tables.plain(
        shown, caption=f"Work and time: {mff.runtime.device_name(name)}"
    )
    display(
        styled.format({column: f"{{:.{count}f}}" for column, count in digits.items()})
    )
if absent:
    display(tables.plain(pd.DataFrame({"not in this run because": absent})))

# %% [markdown]
# `sesf` counts the parameters of its decoder, which fusion does not use. `densefuse` runs three times, once per channel. Shipped weights of some networks have fewer
# maps than the paper, as [the chapter on networks](08_networks.ipynb) and `mffrepro list methods` say; names with `published` have the authors' weights.
#
# ## How near to the ceilings?
#
# Each point is a network. The line is the highest possible speed for its intensity: it rises where memory sets the limit and is level where
# arithmetic does. The vertical distance from a point to the line is the time that a better program could save on the same machine.

# %% tags=["hide-input"]
for name, table in measured.items():
    display(
        roofline(
            table,
            machines[name],
            alt=(
                "Operations per second of every network against operations per byte, "
                f"below the ceilings of the {name}."
            ),
            caption=f"{mff.runtime.device_name(name)}. Both axes are logarithmic.",
        )
    )

# %% [markdown]
# And in seconds, which is what a user notices:

# %% tags=["hide-input"]
for name, table in measured.items():
    display(
        figures.bars(
            table["seconds"].sort_values().to_dict(),
            xlabel=f"seconds for a colour pair of 520 × 520, {name}",
            alt=(
                "Bars of the seconds that each network takes for a pair on the "
                f"{name}, fastest first."
            ),
            caption=(
                "The shortest of several fusions. Reading files and loading weights "
                "are not counted."
            ),
        )
    )

# %% [markdown]
# ## Network or program: GACN
#
# How much of GACN's time is its network, and how much the program around it? The network alone computes gray batches that are tensors already, a
# whole image at a time. The program converts colour images and works on strips of rows, so that the feature maps of a strip stay in the
# processor's cache.

# %%
rows = {}
for name, machine in machines.items():
    network = mff.methods.load_network("gacn", device=name)
    batch = torch.rand(
        8 if name == "cuda" else 1, 1, 520, 520, device=name
    )  # a larger batch would take longer for the same speed
    alone = partial(network, batch, batch)
    work = speed.count_work(alone)
    with torch.inference_mode():
        seconds = speed.fastest(alone, name) / len(batch)
    shares = {
        "program": measured[name].loc["gacn", "reached"],
        "network alone": machine.least_seconds(work) / len(batch) / seconds,
    }
    rows[name, "program"] = {
        "pairs per second": 1 / measured[name].loc["gacn", "seconds"],
        "share reached": shares["program"],
    }
    rows[name, "network alone"] = {
        "pairs per second": 1 / seconds,
        "share reached": shares["network alone"],
    }
display(
    tables.plain(pd.DataFrame(rows).T, caption="GACN on a pair of 520 × 520", digits=2)
)
for name in machines:
    program, alone = (
        1 / rows[name, what]["pairs per second"]
        for what in ("program", "network alone")
    )
    print(f"{name}: the program takes {program / alone:.2f} times the network's time")

# %% [markdown]
# Where this number is below 1, working on strips saves more time than the program adds to the network.

# %% [markdown]
# ## Does more work take more time?
#
# If operations explained the time, the two would have the same order. The rank correlation says how far that holds; 1 is the same order.

# %%
for name, table in measured.items():
    ranks = (
        table[["parameters", "operations", "bytes", "seconds"]]
        .corr(method="spearman")["seconds"]
        .drop("seconds")
    )
    print(
        f"{name}: rank correlation with the seconds:",
        ", ".join(f"{what} {value:.2f}" for what, value in ranks.items()),
    )
    slowest, fastest = table["seconds"].idxmax(), table["seconds"].idxmin()
    print(
        f"{name}: the shares of the possible speed lie between "
        f"{table['reached'].min():.0%} and {table['reached'].max():.0%};",
        end=" ",
    )
    print(f"{fastest} is the fastest and {slowest} the slowest")

# %% [markdown]
# So the question at the top has this answer. Operations and moved bytes set the order of magnitude of the seconds; the number of parameters does not, because a
# network can apply few parameters to many feature maps of full size. The share reached is low where much time passes outside the convolutions, in
# normalisation, the fusion rule or the post-processing, or where the convolutions are too small to keep the machine busy. A share over 1
# can mean that the ceilings were measured while another program was busy, or that a convolution took fewer operations than were counted.

# %% [markdown]
# ## Exercises
#
# ### Check yourself
#
# <details><summary>A network needs fewer operations than another one and takes longer. How can that be?</summary>
#
# It may move more bytes: wide maps with little arithmetic wait for memory. Or its convolutions are too small to use all units of
# the processor.
#
# </details>
#
# <details><summary>What is the least time of a network whose intensity lies far above the one at which the ceilings meet?</summary>
#
# $W / \pi$: arithmetic sets the limit, and faster memory would not help.
#
# </details>
#
# <details><summary>Why is the first call of a network slower than the next?</summary>
#
# It loads weights and libraries, and reserves memory. The table takes the fastest of the later calls.
#
# </details>
#
# ### Try it
#
# **1.** Compute by hand the operations, the bytes and the intensity of a 3 × 3 convolution from $m$ to $m$ maps, and compare
# with `count_work`. From how many maps on does arithmetic set the limit on your machine?
#
# <details><summary>Hint</summary>
#
# Each of the $m$ values of a pixel needs $9 m$ multiplications and as many additions. Input, output and weights are moved once,
# four bytes a value. The limit changes where the intensity exceeds the one in the first table.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# For $n$ pixels $W = 2 \cdot 9 m^2 n$ and $B = 4\,(2 m n + 9 m^2)$, and `count_work` agrees exactly. For large images the
# intensity is $W / B \approx 9 m / 4$: it grows with the number of maps and does not depend on the size. One map gives 2
# operations per byte, 16 maps give 36. A machine whose ceilings meet at 40 operations per byte needs 18 maps or more. The
# measured rate rises with the number of maps too. Networks with few maps cannot reach many operations per second, however well
# they are programmed.
#
# ```python
# from mffrepro.benchmarks import speed
# import torch  # after mffrepro, which lets idle threads sleep
# from torch.nn.functional import conv2d
#
# side = 96
# for maps in (1, 4, 16, 64):
#     x, kernel = torch.rand(1, maps, side, side), torch.rand(maps, maps, 3, 3)
#
#     def convolve(x=x, kernel=kernel):
#         return conv2d(x, kernel, padding=1)
#
#     work = speed.count_work(convolve)
#     rate = work.operations / speed.fastest(convolve) / 1e9
#     intensity = work.operations / work.bytes
#     print(f"{maps} maps: {intensity:.1f} operations per byte, {rate:.1f} GFLOP/s")
#     assert work.operations == 2 * 9 * maps**2 * side**2
#     assert work.bytes == 4 * (2 * maps * side**2 + 9 * maps**2)
#     assert 0.95 < intensity / (9 * maps / 4) < 1
# ```
#
# </details>
#
# **2.** Double both sides of a pair. The pixels become four times as many: do the operations of MFF-GAN and of CNN-Fuse?
#
# <details><summary>Hint</summary>
#
# A network works on strips of rows and computes some rows of its neighbours too. How many rows has a strip of a given number of
# pixels if the image is twice as wide? `mffrepro.tiling.strips` makes the strips.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# MFF-GAN needs 4.31 times the operations, CNN-Fuse 4.05 times. A strip has about the same number of pixels whatever the width,
# so that it stays in the cache. In an image of twice the width it has half the rows, and the neighbouring rows that it computes
# in vain weigh twice as much. Counting the rows of all strips predicts the factor of MFF-GAN exactly. CNN-Fuse has larger
# strips, and its rows depend on fewer neighbours, so that its factor is closer to four.
#
# ```python
# import mffrepro as mff
# from mffrepro.benchmarks import speed
# from mffrepro.models.mff_gan import MFFGAN
# from mffrepro.tiling import HALO_RATIO, NETWORK_PIXELS, strips
#
#
# def growth(name, sides=(192, 384)):
#     pairs = [speed.textured_pair(side) for side in sides]
#     small, large = (
#         speed.count_work(lambda pair=pair: mff.fuse(pair, name, device="cpu"))
#         for pair in pairs
#     )
#     return large.operations / small.operations
#
#
# def pixels_computed(side, halo=MFFGAN.reach):
#     each = max(NETWORK_PIXELS["cpu"], HALO_RATIO * halo * side)
#     found = strips(side, side, each, halo)
#     return sum(s.with_halo.stop - s.with_halo.start for s in found) * side
#
#
# counted = {name: growth(name) for name in ("mff_gan", "cnn_fuse")}
# predicted = pixels_computed(384) / pixels_computed(192)
# print(f"counted: {counted}; predicted for mff_gan: {predicted}")
# assert abs(counted["mff_gan"] - predicted) < 1e-6
# assert counted["mff_gan"] > 4.1
# ```
#
# </details>
#
# **3.** Count the work of some networks in half precision. Which of the two limits halves, and which networks could become
# faster by it?
#
# <details><summary>Hint</summary>
#
# The number of operations does not depend on the precision; a value takes two bytes instead of four. Compute `least_seconds` of
# both for a machine with 800 · 10⁹ operations and 20 · 10⁹ bytes per second, then for your own.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# Only the bytes halve, and with them the limit of memory. On this machine the ceilings meet at 40 operations per byte.
# SESF-Fuse, with 18, becomes twice as fast; GACN and PMGI, with 30 and 29, become 1.32 and 1.38 times as fast, and then
# arithmetic sets the limit; CNN-Fuse and IFCNN, with 43 and 107, gain nothing. In general the gain is the ceilings' intensity
# divided by that of the network, at least 1 and at most 2. Processors that also multiply faster in half precision raise the
# other ceiling, which this count leaves as it is.
#
# ```python
# import mffrepro as mff
# from mffrepro.benchmarks import speed
#
# machine = speed.Machine(operations=800e9, bytes=20e9)  # put in what you measured
# ridge = machine.operations / machine.bytes
# pair = speed.textured_pair(96)
# for name in ("gacn", "sesf", "cnn_fuse", "ifcnn", "pmgi"):
#     work = speed.count_work(lambda name=name: mff.fuse(pair, name, device="cpu"))
#     half = speed.Work(work.operations, work.bytes // 2)
#     gain = machine.least_seconds(work) / machine.least_seconds(half)
#     intensity = work.operations / work.bytes
#     print(f"{name}: {intensity:.0f} operations per byte, {gain:.2f} times as fast")
#     assert abs(gain - min(2, max(1, ridge / intensity))) < 0.01
# ```
#
# </details>
#
# **4.** How much work does it save to compute the features of a whole image once, instead of patch by patch? Count both for
# CNN-Fuse on a pair of 64 × 64.
#
# <details><summary>Hint</summary>
#
# `siamese.patch_scores` cuts out every patch, and `image_features` with `first_sharper` convolves the whole image. Check that
# both give the same scores.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# Patch by patch takes 42 times the operations, for the same scores up to rounding. Neighbouring patches of 16 × 16 are two
# pixels apart, so that a pixel far from the border lies in 64 of them, and its features are computed again for each. Near the
# border it lies in fewer, so the factor grows with the size of the image. The saving in time is smaller and depends on the
# machine. Nothing is approximated: it is the same arithmetic without repetitions.
#
# ```python
# import numpy as np
# import mffrepro as mff
# from mffrepro.benchmarks import speed
# from mffrepro.images import to_gray, to_unit
# from mffrepro.models import siamese
#
# network = mff.methods.load_network("cnn_fuse", device="cpu")
# near, far = (to_gray(to_unit(image)) for image in speed.textured_pair(64).images)
#
#
# def at_once():
#     maps = [siamese.image_features(network, image) for image in (near, far)]
#     return siamese.first_sharper(network, *maps)
#
#
# def patch_by_patch():
#     return siamese.patch_scores(network, near, far, step=network.stride)
#
#
# work = {job.__name__: speed.count_work(job) for job in (at_once, patch_by_patch)}
# for job in (at_once, patch_by_patch):
#     seconds = speed.fastest(job, repeats=1)
#     print(f"{job.__name__}: {work[job.__name__].operations / 1e9:.2f} · 10⁹ operations,"
#           f" {seconds:.3f} s")
# assert np.allclose(at_once(), patch_by_patch(), atol=1e-4)
# assert work["patch_by_patch"].operations > 20 * work["at_once"].operations
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
provenance(run, started, [f"{name}.default" for name in networks if "." not in name])
