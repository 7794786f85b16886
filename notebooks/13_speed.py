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
tables.plain(pd.DataFrame(rows).T, caption="GACN on a pair of 520 × 520", digits=2)

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
# would mean that another program slowed the machine down while its ceilings were measured.

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
# 1. Set the number of threads of torch to one (`torch.set_num_threads(1)`) and run the chapter again. Which of the two ceilings changes more?
# 2. Fuse a pair of 1040 × 1040. Which networks take more than four times as long, and why?
# 3. Count the work of one network in half precision. Which of its two limits halves?

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
provenance(run, started, [f"{name}.default" for name in networks if "." not in name])
