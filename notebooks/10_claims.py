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
        + ["--no-deps"] * bool(importlib.util.find_spec("torch"))  # the host's torch stays
        + ["git+https://github.com/mffrepro/mffrepro@main"]
    )
    importlib.invalidate_caches()

# %% tags=["remove-input"]
import time

import mffrepro as mff

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## Verdicts so far
#
# A claim **holds** or **does not hold** where its test could be run. It **cannot be tested here** where the test needs data or detail that
# the paper does not give. **Not tested yet** means that the chapter of its paper has no record in this build.

# %%
import pandas as pd

from mffrepro.report import claims, tables

ledger = claims.ledger()
order = ["holds", "does not hold", "cannot be tested here", "not tested yet"]
counts = pd.crosstab(ledger["paper"], ledger["verdict"]).reindex(columns=order, fill_value=0)
tables.plain(counts.reindex(ledger["paper"].unique()), caption="Claims per paper", digits=0)

# %% [markdown]
# ## Claim by claim
#
# The table can be searched and sorted. Below it, every claim has an entry with the numbers that its verdict was computed from.

# %% tags=["hide-input"]
tables.sortable(ledger[["paper", "claim", "verdict"]])

# %% tags=["remove-input"]
claims.Entries(ledger)

# %% [markdown]
# ## Exercises
#
# 1. Choose a claim that is not tested yet. What would you have to measure, and which result would refute the claim?
# 2. Which verdicts would change if the threshold in the claim were stricter?

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(started)
