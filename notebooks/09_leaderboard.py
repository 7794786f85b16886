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
# # The leaderboard: everything against everything
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/09_leaderboard.ipynb)
#
# Every paper ends with a table in which its own method wins. Here all methods of the package meet all metrics on the same stacks, with the
# uncertainty that such tables leave out. **Who is better than whom, how sure is that, what does it cost, and would the truth agree?**
#
# *Needs: nothing but a CPU; about a minute (quick); the full profile takes far longer.*

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

import numpy as np
import pandas as pd
from IPython.display import display

import mffrepro as mff
from mffrepro.benchmarks import computed_or_recorded, drift, every_method, read_record
from mffrepro.data.synthetic import gaussian_blur
from mffrepro.images import to_unit
from mffrepro.report import figures, ranks, tables

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## Who runs
#
# All that the registry lists, networks also with their authors' weights. A method whose card promises more time than a chapter has, or
# whose weights have not been fetched, keeps its row below, with the reason.

# %% tags=["hide-input"]
limit = 10 if run.quick else 60  # seconds that a 520x520 pair may take; the stacks of this chapter are smaller
weights = mff.data.verify("weights")


def why_not(name):
    card, state = mff.methods.parse(name)
    if card.seconds > limit:
        return f"takes about {card.seconds:.0f} s for a pair of 520x520; the {profile} profile allows {limit} s"
    files = [weights[file] for file in weights if file.startswith(name)]  # a checkpoint may be several
    if state != "default" and not all(file in ("ok", "in mirror") for file in files):
        return "its weights are not at hand: run `mffrepro data fetch networks`"
    return ""


methods = every_method()
absent = {name: why_not(name) for name in methods if why_not(name)}
methods = [name for name in methods if name not in absent]
print(f"{len(methods)} methods run, {len(absent)} do not")
if absent:
    display(tables.plain(pd.DataFrame({"not in this run because": absent})))

# %% [markdown]
# ## Where the truth is known
#
# The embedded stacks are made from photographs that are sharp everywhere, so that beside the metrics of the field stand PSNR and SSIM
# against the truth. One call computes all of it; the complete table, to be sorted by any column, stands further below.

# %%
if dataset != "embedded":
    stacks = run.some(mff.load(dataset), 2)
elif run.quick:
    stacks = mff.load("embedded", levels=[3], size=128)[:10]
else:
    stacks = mff.load("embedded", levels=[1, 3, 5], size=256)
results = mff.benchmark(methods, stacks, "all", progress=False)
print(f"{len(stacks)} stacks of {stacks.name}, {results['method'].nunique()} methods, {results['metric'].nunique()} metrics")
for reason, cells in results[(results["reason"] != "") & results["seconds"].isna()].groupby("reason"):
    print(f"{', '.join(cells['method'].unique())}: {reason}")

# %%
some = ["qabf", "qy", "qcb", "mi", "sf", "psnr", "ssim"]
few = tables.means(results)
few = few[[name for name in [*some, "seconds"] if few[name].notna().any()]]
tables.scores(few, caption=f"Means over {len(stacks)} stacks", digits=3)

# %% [markdown]
# ## Who may vote
#
# To order the methods by a mean over all columns would be nonsense: the columns have different units, several are one opinion printed twice,
# and some reward noise. So a metric gets a vote only if it passes a test that is made here. Take the *true* image, spoil it by noise, by blur
# or by sharpening, and ask the metric. It must find every spoiled image worse than the truth on at least four of five stacks. And each
# family has one vote, that of its first member that passed, so that five readings of one idea do not outvote the others.

# %%
rng = np.random.default_rng(seed)
families = ["gradient", "structure", "phase", "perceptual", "information", "fmi"]


def spoiled(unit):
    yield "noise", unit + rng.normal(0, 5 / 255, unit.shape)
    yield "blur", gaussian_blur(unit, 1.0)
    yield "sharpened", 2 * unit - gaussian_blur(unit, 1.0)


noticed = []
for stack in mff.load("embedded", kind="spread", size=128 if run.quick else 256):
    scorer = mff.metrics.Scorer(stack)
    unit = to_unit(stack.reference, np.float64)
    truth = scorer(unit)
    for fault, image in spoiled(unit):
        sign = {card.name: -1 if card.better == "lower" else 1 for card in mff.metrics.CARDS if card.better}
        scored = scorer(image.clip(0, 1))
        noticed += [(name, fault, sign[name] * (truth[name] - scored[name]) > 0) for name in scored if name in sign]

# %%
noticed = pd.DataFrame(noticed, columns=["metric", "fault", "share"]).pivot_table("share", "metric", "fault", sort=False)
passed = noticed.index[(noticed >= 0.8).all(axis=1)]
recorded = set(read_record("gacn26").query("gray == 'matlab'")["metric"])
voters = []
for family in families:
    members = [name for name in passed if mff.metrics.get(name).family == family]
    voters += [name for name in members if not recorded or name in recorded][:1]
shown = noticed.assign(vote=["votes" if name in voters else "" for name in noticed.index])
print("voters:", ", ".join(voters))
tables.plain(shown, digits=1, caption="Share of stacks in which a metric finds the spoiled image worse than the truth")

# %% [markdown]
# The voters must also be in the recorded run below, so that all rankings of this page have the same electorate. Statistics of the fused image
# alone have no family here: they do not look at the sources, and the table shows what that is worth.
#
# ## Mean ranks
#
# In every stack each voter ranks the methods, the mean of these ranks is ranked again, and the mean over the stacks is the score: 1 would be a
# method that wins every stack. Whiskers are 95 % bootstrap intervals over the stacks. Whether the stacks agree at all is Friedman's test; how
# far apart two mean ranks must be is Nemenyi's, corrected for the number of pairs of methods
# ([Demšar, 2006](https://www.jmlr.org/papers/v7/demsar06a.html)). An orange bar joins methods that this many stacks cannot tell apart.


# %% tags=["hide-input"]
def ranking(results, name):
    """Shows the chart of the mean ranks and returns them with their intervals."""
    by_stack = ranks.stack_ranks(results, voters)
    test = ranks.friedman(by_stack)
    spread = ranks.intervals(by_stack, seed=seed)
    order = spread["mean"].sort_values().index
    text = f"{name}: {test.stacks} stacks, {test.methods} methods. Friedman's chi-squared {test.statistic:.0f}, "
    text += f"p = {test.p:.1g}; critical difference of mean ranks {test.critical:.1f}."
    alt = f"Mean ranks of {test.methods} methods on {name} with their intervals; {order[0]} is first, {order[-1]} last."
    display(ranks.rank_chart(spread, test.critical, alt=alt, caption=text))
    return spread


here = ranking(results, stacks.name)

# %% [markdown]
# ## Would the truth agree?
#
# The same methods on the same stacks, ranked by PSNR against the truth. What the electorate likes more than the truth does stands at the
# top of the table, what it likes less at the end.

# %% tags=["hide-input"]
if stacks[0].reference is None:
    print(f"{stacks.name} has no reference.")
else:
    both = pd.DataFrame({"voters": here["mean"], "PSNR": ranks.stack_ranks(results, ["psnr"]).mean()}).dropna()
    both["difference"] = both["PSNR"] - both["voters"]
    correlation = both["voters"].corr(both["PSNR"], method="spearman")
    title = f"Mean rank by the voters and by the truth; rank correlation {correlation:.2f}"
    display(tables.plain(both.sort_values("difference", ascending=False), digits=1, caption=title))

# %% [markdown]
# ## On photographs
#
# The 26 pairs of GACN's Table 1, twenty of them Lytro's. Here nobody knows the truth. Where the pairs are not at hand, or a method is slow,
# the numbers are those of the recorded run; its date, commit and device stand beside them, and its seconds are those of that device.

# %%
quick_ones = [] if run.quick else mff.methods.within(1)
directed = [card.name for card in mff.metrics.CARDS if card.better and card.needs == "sources" and card.variant_of is None]
directed = [name for name in directed if not recorded or name in recorded]
photographs = computed_or_recorded("all", "gacn26", directed, compute=quick_ones)
origin = photographs.groupby("origin", sort=False)["method"].unique()
for place, names in origin.items():
    print(f"{place or 'not here'}: {', '.join(names)}")

# %%
photographs = photographs[photographs["origin"] != ""]
enough = len(photographs) > 0
if enough:
    there = ranking(photographs, "gacn26")
else:
    print("Nothing is recorded and the pairs are not at hand: run `mffrepro data fetch gacn26 weights`.")

# %% [markdown]
# A bar over a dozen methods does not say that they are equal. It says that so few pairs cannot show which is better, and a paper that ranks
# such methods by the fourth decimal of a mean shows nothing either.
#
# ## Every number
#
# Means over the stacks of each data set. Sort by any column, and see how often the order changes; search for a method or a data set.

# %% tags=["hide-input"]
frames = {stacks.name: results, "gacn26": photographs} if enough else {stacks.name: results}
parts = {name: tables.means(frame).dropna(axis=1, how="all") for name, frame in frames.items()}
every = pd.concat(parts, names=["data set", "method"]).reset_index(level="data set")
tables.sortable(every.round(4).reset_index().rename_axis(columns=None))

# %% [markdown]
# ## What it costs
#
# Time against rank, best in the upper left corner. Whoever is not on the orange line is beaten by somebody who is both faster and better.

# %% tags=["hide-input"]
if enough:
    seconds = photographs.groupby("method")["seconds"].mean()
    cost = {name: seconds[name] for name in there.index}
    front = ranks.pareto(cost, there["mean"])
    display(
        ranks.price_chart(
            cost,
            there["mean"],
            alt=f"Seconds, on a logarithmic axis, against mean rank; the Pareto front is {', '.join(front)}.",
            caption="Mean over the pairs of gacn26. Labelled: the Pareto front.",
        )
    )

# %% [markdown]
# ## Twenty pairs or twenty-six?
#
# Most papers use the Lytro pairs alone. Does the order of the methods hang on the other six?

# %% tags=["hide-input"]
if enough:
    parts = {"lytro": photographs["stack"].str.startswith("lytro"), "the others": ~photographs["stack"].str.startswith("lytro")}
    parts = {name: ranks.stack_ranks(photographs[rows], voters).mean() for name, rows in parts.items()}
    parts = pd.DataFrame({"all": there["mean"], **parts}).dropna(axis=1, how="all").sort_values("all")
    agreed = parts.corr(method="kendall").iloc[0, 1:]
    title = "Mean ranks; Kendall's tau with all: " + ", ".join(f"{name} {tau:.2f}" for name, tau in agreed.items())
    display(tables.plain(parts, digits=1, caption=title))

# %% [markdown]
# ## Which metrics disagree?
#
# Spearman's correlation between the orders that two metrics give the methods of a stack, mean over the stacks. Orange: what the one prefers
# the other dislikes. Adding up such metrics cancels information; choosing among them decides who wins.

# %% tags=["hide-input"]
if enough:
    table = ranks.agreement(photographs, directed)
    off = table.where(np.triu(np.ones(table.shape, bool), 1)).stack().sort_values()
    print("most at odds:", "; ".join(f"{a} and {b} {value:+.2f}" for (a, b), value in off.head(5).items()))
    alt = "Matrix of rank correlations between metrics; sharpness statistics stand against those that compare with the sources."
    display(figures.matrix(table, alt=alt, caption="Rank correlation between metrics over the methods, +1 blue, -1 orange."))

# %% [markdown]
# ## Reported beside ours
#
# GACN prints six metrics for twenty-two methods on these pairs. By its protocol (scikit-image's gray in [0, 1]) the numbers can be compared one
# by one. A classical method with the same name need not be the same program: levels, rules and colour differ, and a paper seldom says how.
# The other papers of this book print tables of pairs that they do not name; those are in their own chapters.

# %% tags=["hide-input"]
six = ["qg", "qy.gacn", "qncie", "qcb", "fmi_edge", "fmi_dct"]
printed = tables.method_names(tables.reported("p004_table1"), tables.PRINTED_NAMES).rename(columns={"qy": "qy.gacn"})[six]
ours = computed_or_recorded("all", "gacn26", six, gray="skimage", compute=quick_ones)
ours = ours[ours["origin"] != ""]
if len(ours):
    counts = ours.groupby("stack")["method"].nunique()
    complete = counts.index[counts == counts.max()]
    ours = tables.means(ours[ours["stack"].isin(complete)])[six]
    shared = [name for name in printed.index if name in ours.index]
    gaps = (ours.loc[shared] - printed.loc[shared]).abs()
    near = ", ".join(f"{(gaps < bound).to_numpy().mean():.0%} within {bound}" for bound in (0.001, 0.01, 0.05))
    note = f"Table 1 on {len(complete)} of 26 pairs"
    print(f"{note}: of {gaps.size} numbers {near}")
    display(tables.beside(printed.loc[shared], ours.loc[shared], caption=f"{note}, reported, reproduced, difference"))

# %% [markdown]
# ## Has anything moved?
#
# A record is worth something only if the code still gives its numbers. Where the pairs are at hand a few cells are computed anew and compared,
# to one part in ten thousand.

# %%
if mff.list_datasets()["available"]["gacn26"]:
    some = mff.load("gacn26")[22:23]
    again = mff.benchmark(["average", "lp", "dwt", "sf"], some, ["qabf", "qg", "qcb", "mi"], progress=False)
    moved = drift(again, read_record("gacn26"))
    print(f"{len(moved)} of {len(again)} values are not the recorded ones")
    if len(moved):
        display(tables.plain(moved))
else:
    print("The pairs are not at hand; nothing was compared.")

# %% [markdown]
# ## What ranks can say, and what they cannot
#
# * A rank is an order, not a distance. First and second may differ by what no eye sees; look at the means, then at the pictures.
# * A rank depends on who else runs. Add three variants of one method, and the ranks of all others move.
# * The pairs are a sample of what people like to photograph for tests. The intervals say what another draw *of such pairs* would do, not what
#   happens on a microscope. Pairs of one scene, as the embedded ones, are no independent draws: their intervals are too narrow.
# * Friedman's test with Nemenyi's is cautious. With many methods and few pairs it leaves most of them undecided; a planned comparison of
#   *two* methods on more pairs is the better experiment.
# * The electorate is a choice. It is made by a rule and printed above, so that you can make another.
#
# ## Exercises
#
# 1. Give every metric that has a direction a vote. Who gains most, and which of the faults above does it commit?
# 2. Drop one voter at a time. Which positions among the first five survive?
# 3. Compare two neighbours of the chart by Wilcoxon's signed-rank test on all pairs. Does it see what Nemenyi's does not?
# 4. Run `mffrepro benchmark -m all -d gacn26 --store all.parquet`, kill it, and start it again.

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(started, ["gacn.default"])
