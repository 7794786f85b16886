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

import mffrepro as mff

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## Verdicts so far
#
# Test, direction and threshold of each claim stand in `data_manifests/papers/claims.csv`, and its history shows every change. Some
# thresholds were chosen after first results had been seen, because the papers print none. Where a first run showed that a test did
# not fit its claim, the test was replaced, and its description says what it replaces. The effect is a mean over images, and over
# seeds where there are several. A bootstrap draws images and seeds again, with replacement, and gives the 95 % interval. For few
# seeds it is too narrow; the rule of the spread makes up for it: five trainings without any effect differ less from each other
# than from the threshold in less than 1 of 100 cases.
#
# | outcome | meaning |
# |---|---|
# | holds | the whole interval lies on the claimed side of the threshold |
# | does not hold | the whole interval lies on the other side |
# | undecided | the interval contains the threshold, seeds or runs of a clock differ by more than the effect, or there are fewer than 5 images, or fewer than 5 seeds for a claim about trainings; or the claim fails with weights of this project |
# | cannot be tested | the test needs data or detail that the paper does not give |
# | not tested yet | no chapter has a record of it in this build |
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
# The rule has two sides. With weights of this project a claim may hold, but it cannot fail: it then counts as undecided. So the next table
# tells the claims apart by the weights that their tests use, and those that fail with weights of this project from the other undecided ones.

# %% tags=["hide-input"]
fails = judged["record"].map(lambda record: bool(record and record["substituted"]))
found = judged["verdict"].mask(fails, "undecided: fails with our weights")
whose = judged["weights"].replace(
    {"ours": "this project", "paper": "the authors", "": "none needed"}
)
tables.plain(
    pd.crosstab(whose, found).rename_axis(index="weights", columns=None),
    caption="Claims by the weights of the tested networks",
    digits=0,
)

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
# Undecided: the test was made, and its interval contains the threshold, or seeds or runs differ by more than the effect. Cannot be tested:
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
# substitutes says what they do: it can support a claim, and not refute it.
#
# </details>
#
# ### Try it
#
# **1.** Give a verdict yourself. GACN's paper says that calibration barely changes quality (C4.11), which is tested as less
# than 1 dB of PSNR and less than 0.01 of $Q_g$. What is the outcome on the twelve recorded stacks, and on the first four of
# them?
#
# <details><summary>Hint</summary>
#
# `measurements.gains` subtracts serial fusion from calibration, stack by stack. `evidence.estimate` gives the interval,
# `outcome` decides a part, and `together` the claim. The claim has two parts.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# On twelve stacks the claim does not hold: calibration loses 7.9 dB, with the interval from 6.3 to 9.7, far above the threshold of 1
# dB. $Q_g$ alone is undecided: its mean hardly changes (-0.007), but its interval, from -0.028 to 0.012, reaches over both
# thresholds. One part that surely fails is enough. On four stacks both parts are undecided, although PSNR still differs by 6.5
# dB: fewer than five images, or trainings, never decide here, because a bootstrap of so few is too narrow.
#
# ```python
# from mffrepro.benchmarks.measurements import gains, recorded
# from mffrepro.report.evidence import estimate, outcome, together
#
# lost = gains(recorded("gacn_many"), "calibration", "serial", ["psnr", "qg"])
# thresholds = {"psnr": 1.0, "qg": 0.01}
#
#
# def verdict(stacks):
#     found = {name: estimate(values[:stacks], parts=2) for name, values in lost.items()}
#     sides = {}
#     for name, one in found.items():
#         sides[name] = outcome(one, "within", thresholds[name])
#         interval = f"[{one.low:.3f}, {one.high:.3f}]"
#         print(f"{name}: {one.effect:.3f} {interval}, {sides[name]}")
#     print(f"{stacks} stacks: {together(sides)}")
#     return sides, together(sides)
#
#
# sides, whole = verdict(12)
# assert sides["psnr"] == whole == "does not hold"
# assert verdict(4)[1] == "undecided"
# ```
#
# </details>
#
# **2.** How strict could the threshold of C4.15 be? Decoders should change what is in focus by more than half a gray level. At
# which threshold does the claim no longer hold, and at which does it fail?
#
# <details><summary>Hint</summary>
#
# Compute the estimates of all decoders with published weights once, and call `outcome` and `together` for several thresholds.
# The interval of the decoder that changes least decides.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# It holds up to 1.9 gray levels, the lower end of IFCNN's interval. Above that it is undecided, although IFCNN's mean change is
# 2.5 gray levels. It fails only above the upper end of the wide interval (Bonferroni), between 3 and 4 gray levels. So this
# verdict does not depend on the choice of half a level; with a threshold of 2 levels it would be undecided. A verdict should be
# read with its distance from the threshold.
#
# ```python
# from mffrepro.benchmarks.measurements import recorded
# from mffrepro.report.claims import all_claims
# from mffrepro.report.evidence import estimate, outcome, together
#
# table = recorded("gacn_residue")
# left = table.pivot(index="stack", columns="variant", values="residue")
# ours = left.pop("gacn.published")
# decoders = [name for name in left if name.endswith(".published")]
# found = {
#     name: estimate((left[name] - ours).to_numpy(), parts=len(decoders))
#     for name in decoders
# }
#
#
# def verdict(threshold):
#     sides = {name: outcome(one, "greater", threshold) for name, one in found.items()}
#     return together(sides)
#
#
# nearest = min(found.values(), key=lambda one: one.low)
# for threshold in (all_claims().loc["C4.15", "threshold"], 1, 2, 3, 4):
#     print(f"more than {threshold} gray levels: {verdict(threshold)}")
# print(f"smallest effect {nearest.effect:.2f} [{nearest.low:.2f}, {nearest.high:.2f}]")
# assert verdict(0.5) == verdict(nearest.low - 0.01) == "holds"
# assert verdict(nearest.effect) == "undecided"
# assert verdict(nearest.wide[1] + 0.01) == "does not hold"
# ```
#
# </details>
#
# **3.** A claim has ten parts, and in truth each lies exactly on its threshold. How often does at least one part fail by
# chance, with 95 % intervals and with those of the level 99.5 %?
#
# <details><summary>Hint</summary>
#
# Draw 26 normal values for each part of thousands of claims, and compute Student's interval of each mean. A part fails where
# the upper end is negative.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# With 95 % intervals, 22 % of the claims fail: $1 - 0.975^{10}$. With 99.5 % intervals it is 2.5 %, as for a claim of one part.
# Hence a part fails only if its wide interval does. For *holds* no correction is needed: all ten parts have to hold, and that
# chance lifts all of them is far less likely than that it lifts one.
#
# ```python
# import numpy as np
# from scipy.stats import t
#
# random = np.random.default_rng(1)
# claims, parts, images = 5000, 10, 26
# samples = random.normal(0, 1, (claims, parts, images))  # all parts on the threshold
# mean = samples.mean(-1)
# error = samples.std(-1, ddof=1) / np.sqrt(images)
#
# share = {}
# for corrected in (1, parts):
#     upper = mean + t.ppf(1 - 0.025 / corrected, images - 1) * error
#     share[corrected] = (upper < 0).any(1).mean()  # some part lies on the wrong side
#     print(f"level 1 - 0.05/{corrected}: {share[corrected]:.1%} of the claims fail,")
#     print(f"  expected {1 - (1 - 0.025 / corrected) ** parts:.1%}")
# assert abs(share[1] - (1 - 0.975**parts)) < 0.03
# assert share[parts] < 0.04
# ```
#
# </details>
#
# **4.** What is pairing worth? Take $Q_g$ near the border with and without GACN's boundary smoothing (C4.17), and compare the
# interval of the mean difference with the one that forgets which values belong to the same pair.
#
# <details><summary>Hint</summary>
#
# For the second interval draw the images of both variants independently of each other.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# The paired interval is [-0.006, 0.000], the other one [-0.026, 0.022], about eight times as wide. Scenes differ far more than
# variants do: over the 26 pairs the two have a correlation of 0.99. The difference on one scene takes that part away. A paper
# that prints two means with their spread over scenes hides the only comparison that its data allow.
#
# ```python
# import numpy as np
# from mffrepro.benchmarks.measurements import by_pair, recorded
# from mffrepro.report.evidence import estimate
#
# table = recorded("gacn_boundary")
# with_it, without = (
#     by_pair(table, name, ["qg near"])["qg near"].to_numpy()
#     for name in ("final", "initial")
# )
# paired = estimate(with_it - without)
#
# random = np.random.default_rng(1)
# count = len(with_it)
# means = [
#     random.choice(with_it, count).mean() - random.choice(without, count).mean()
#     for _ in range(5000)
# ]
# low, high = np.quantile(means, (0.025, 0.975))
# print(f"paired: {paired.effect:.4f} [{paired.low:.4f}, {paired.high:.4f}]")
# print(f"not paired: [{low:.4f}, {high:.4f}]")
# print(f"correlation over the pairs: {np.corrcoef(with_it, without)[0, 1]:.3f}")
# assert high - low > 5 * (paired.high - paired.low)
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(run, started)
