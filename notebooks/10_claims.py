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
# # The ledger of claims
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/10_claims.ipynb)
#
# Which claims of the five papers hold when they are tested? Every chapter tests its paper's claims while it runs and records a verdict for
# each. This page only collects these records.
#
# *Needs: the records that the other chapters write under `mffrepro book`; seconds.*
#
# *Read first: any chapter on a paper; the ledger lists the verdicts of all.*

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

import mffrepro as mff

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## Verdicts so far
#
# Test, direction and threshold of each claim stand in `data_manifests/papers/claims.csv`, and its history shows every change. Some
# thresholds were chosen after first results had been seen, because the papers print none. Where a first run showed that a test did
# not fit its claim, the test was replaced, and its description says what it replaces. The effect is a mean over images, and over
# seeds where there are several. A bootstrap draws images and seeds again, with replacement, and gives the 95 % interval.
#
# | outcome | meaning |
# |---|---|
# | holds | the whole interval lies on the claimed side of the threshold |
# | does not hold | the whole interval lies on the other side |
# | undecided | the interval contains the threshold, seeds differ by more than the effect, or there are fewer than 5 images, or fewer than 3 seeds for a claim about trainings; or the claim fails with weights of this project |
# | cannot be tested | the test needs data or detail that the paper does not give |
# | not tested yet | the chapter of its paper has no record in this build |
#
# A verdict says what this reproduction found, with its networks, trainings and pictures. It does not say that the numbers of the paper
# are wrong; what the paper itself reports stands beside each claim.
#
# A claim that fails with networks of this project is undecided, and its entry says so: the networks of the paper, whose weights are
# not public, may do better. Only the authors' own weights, or a test that needs no trained network, can refute a claim.
#
# A claim of $k$ parts, such as rivals or metrics, holds if every part holds, and does not hold if any part surely fails. With many
# parts, some would fail by chance. So a part fails only if its interval at the level $1 - 0.05/k$ lies on the other side (Bonferroni).
# A part that cannot be tested keeps a claim from holding. Single parts may have a threshold of their own.
# Counts, sizes and claims about one picture that the paper names are exact and have no interval.

# %%
import pandas as pd
from IPython.display import display

from mffrepro.report import claims, tables

ledger = claims.ledger()
judged = ledger[ledger["kind"] == "claim"]
counts = pd.crosstab(
    judged["paper"], judged["verdict"], margins=True, margins_name="all"
)
counts = counts.reindex(
    index=[*judged["paper"].unique(), "all"],
    columns=[*claims.OUTCOMES, "all"],
    fill_value=0,
)
tables.plain(counts, caption="Claims per paper", digits=0)

# %% [markdown]
# ## Claim by claim
#
# The table can be searched and sorted. Below it, every claim has an entry: how it was tested, where it stands in the paper, what the
# paper itself reports, the numbers that its verdict was computed from, and a link to the verdict in its chapter. In the drawings,
# a dot is the effect, a bar its interval, the broken line the threshold, and the shaded side the claimed one. Parts with different
# units have scales of their own. The entry says whether the scenes are the paper's own, and whose weights the tested networks have.

# %% tags=["hide-input"]
tables.sortable(
    judged[["paper", "claim", "verdict", "effect", "samples", "scenes", "weights"]]
)

# %% tags=["remove-input"]
claims.Entries(judged)

# %% [markdown]
# ## Our own observations
#
# These statements are ours, not the papers'. They are tested alike and not counted above.

# %% tags=["remove-input"]
observed = ledger[ledger["kind"] == "observation"]
display(tables.plain(observed[["paper", "claim", "verdict", "effect", "samples"]]))
claims.Entries(observed)

# %% [markdown]
# ## Exercises
#
# ### Check yourself
#
# <details><summary>What is the difference between "undecided" and "cannot be tested"?</summary>
#
# Undecided: the test was made, and its interval contains the threshold, or seeds differ by more than the effect. Cannot be tested:
# something is missing that no number of runs replaces, such as the photographs that the claim is about.
#
# </details>
#
# <details><summary>A claim has ten parts, and one of them has a 95 % interval on the wrong side. Does the claim fail?</summary>
#
# Not yet. Of ten parts one may lie there by chance. It fails if the interval at the level $1 - 0.05/10 = 99.5$ % lies there too.
#
# </details>
#
# <details><summary>Why does a verdict name the scenes and the weights?</summary>
#
# They limit what it says. A test with the authors' weights on the paper's photographs can refute a claim, and a test with
# substitutes can only make it more or less plausible.
#
# </details>
#
# ### Try it
#
# 1. Choose a claim that is not tested yet. What would you have to measure, and which result would refute the claim?
# 2. Which verdicts would change if the threshold of the claim were stricter? `data_manifests/papers/claims.csv` has all thresholds.

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(run, started)
