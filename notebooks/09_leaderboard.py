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
# # The leaderboard: every method by every metric
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/09_leaderboard.ipynb)
#
# Every paper ends with a table in which its own method wins. This chapter runs all methods of the package on the same stacks, scores them by
# all metrics, and adds the uncertainty that such tables leave out. **Which method is better than which, how certain is that, what does it
# cost, and does the reference agree?**
#
# *Needs: nothing but a CPU; about two minutes (quick); the full profile takes several times as long.*
#
# *Read first: [metrics](01_metrics.ipynb); you should know what a rank and a confidence interval are.*

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

import pandas as pd
from IPython.display import display

import mffrepro as mff
from mffrepro.benchmarks import (
    computed_or_recorded,
    drift,
    every_method,
    measurements,
    read_record,
)
from mffrepro.report import figures, leaderboard, ranks, tables, whole_stacks
from mffrepro.report.board import Board

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## Which methods run
#
# All methods of `mff.list_methods()` take part, and networks also with the weights that their authors published. A method is left out, with
# the reason, when it takes more time than this chapter has or when its weights have not been fetched.

# %% tags=["hide-input"]
limit = run.pick(
    quick=10, full=20
)  # seconds that a 520x520 pair may take; the stacks of this chapter are smaller
absent = leaderboard.left_out(every_method(), limit)
methods = [name for name in every_method() if name not in absent]
print(f"{len(methods)} methods run, {len(absent)} do not")
if absent:
    display(tables.plain(pd.DataFrame({"left out because it": absent})))

# %% [markdown]
# ## Stacks with a reference
#
# The embedded stacks are made from photographs that are sharp everywhere. So PSNR and SSIM against that reference can stand beside the
# metrics that need no reference. One call computes all scores; a complete table that you can sort stands further below.

# %%
if dataset != "embedded":
    stacks = run.some(mff.load(dataset), 2)
else:  # two stacks of each photograph: a hard outline, and blur that spreads over it
    size = run.pick(quick=128, full=192, tiny=64)
    stacks = mff.load("embedded", levels=[3], size=size)
    stacks = stacks[: run.pick(quick=10, full=11, tiny=3)]
results = mff.benchmark(methods, stacks, "all")
print(
    f"{len(stacks)} stacks of {stacks.name}, {results['method'].nunique()} methods, "
    f"{results['metric'].nunique()} metrics"
)
for reason, cells in results[
    (results["reason"] != "") & results["seconds"].isna()
].groupby("reason"):
    print(f"{', '.join(cells['method'].unique())}: {reason}")

# %%
some = ["qabf", "qy", "qcb", "mi", "sf", "psnr", "ssim"]
few = tables.means(results)
few = few[[name for name in [*some, "seconds"] if few[name].notna().any()]]
tables.scores(few, caption=f"Means over {len(stacks)} stacks", digits=3)

# %% [markdown]
# ## Which metrics rank the methods
#
# A mean over all columns has no meaning: the columns have different units, some repeat the same idea, and some reward noise. So a metric
# takes part in the ranking only if it passes a test. The test takes the *reference*, spoils it by noise, by blur or by sharpening, and scores
# the spoiled image as a fusion. The metric must find every spoiled image worse than the reference on at least four of five stacks. Each
# family of metrics then contributes one **ranking metric**, its first member that passes, so that five versions of one idea do not outweigh
# the others. Statistics of the fused image alone (`sf`, `ag`, ...) belong to no such family, because they ignore the sources.

# %% tags=["hide-input"]
found = leaderboard.faults_found(
    mff.load("embedded", kind="spread", size=run.pick(quick=128, full=192, tiny=64)),
    seed=seed,
)
recorded = set(read_record("gacn26").query("gray == 'matlab'")["metric"])
chosen = leaderboard.ranking_metrics(found, recorded)
print("ranking metrics:", ", ".join(chosen))
tables.plain(
    found.assign(chosen=["yes" if name in chosen else "" for name in found.index]),
    digits=1,
    caption=(
        "Share of stacks in which a metric scores the spoiled image below the reference"
    ),
)

# %% [markdown]
# A ranking metric must also be part of the recorded run below, so that all rankings of this page use the same metrics.
#
# The test leaves out a fault of another kind: a wrong decision. [Metrics](01_metrics.ipynb#which-metric-should-you-trust) measures it, and `qy`, `qp`, `qcb`
# and `fmi_pixel` follow the reference less well there than `qw`, `qe` or `qs`. So a place in the rankings of this page says little about small errors
# of a decision map. The section *Rank them yourself* ranks by these three if you choose them.
#
# ## Mean ranks
#
# Let $r_{smj}$ be the rank of method $m$ on stack $s$ by ranking metric $j$, 1 for the best. Stacks made of one photograph are not
# independent, so their scores are averaged first, and $s$ then counts photographs. On each stack the mean of these ranks over the
# $J$ metrics is ranked again, and the score of a method is the mean over the $S$ stacks:
#
# $$R_m = \frac{1}{S} \sum_{s=1}^{S} \operatorname{rank}_m\!\left(\frac{1}{J} \sum_{j=1}^{J} r_{smj}\right).$$
#
# $R_m = 1$ means that the method wins on every stack. Whiskers are 95 % bootstrap intervals over the stacks. Friedman's test asks whether the
# stacks agree on any order, by
#
# $$\chi^2_F = \frac{12\,S}{M(M+1)} \left(\sum_{m=1}^{M} R_m^2 - \frac{M(M+1)^2}{4}\right)$$
#
# for $M$ methods. Nemenyi's test gives the smallest significant difference between two mean ranks, corrected for the number of pairs of
# methods,
#
# $$\mathrm{CD} = q_{0.05} \sqrt{\frac{M(M+1)}{6\,S}},$$
#
# with $q_{0.05}$ the studentized range divided by $\sqrt 2$ ([Demšar, 2006](https://www.jmlr.org/papers/v7/demsar06a.html)). The matrix at the
# right has a row and a column for each method, in the order of the ranks. It is orange where their difference is below $\mathrm{CD}$: this many
# stacks cannot tell the two apart.

# %% tags=["hide-input"]
ranked = leaderboard.mean_over_seeds(leaderboard.mean_over_photographs(results))
here, chart = leaderboard.ranking(
    ranked, chosen, stacks.name, seed=seed, unit="photographs"
)
chart

# %% [markdown]
# ## Does the reference agree?
#
# The same methods on the same stacks, ranked by PSNR against the reference. Methods that the ranking metrics prefer more than PSNR does stand
# at the top of the table, those that they prefer less at the end.

# %% tags=["hide-input"]
if stacks[0].reference is None:
    print(f"{stacks.name} has no reference.")
else:
    both, correlation = leaderboard.rank_against_reference(ranked, here)
    title = (
        "Mean rank by the ranking metrics and by PSNR; rank correlation "
        f"{correlation:.2f}"
    )
    display(tables.plain(both, digits=1, caption=title))
    kinds = both.index.map(lambda name: mff.methods.parse(name)[0].has_decision)
    for chooses, rows in both.groupby(kinds):
        kind = "with a decision map" if chooses else "without"
        print(f"{kind}: PSNR minus metrics {rows['difference'].mean():+.1f} ranks")

# %% [markdown]
# It agrees in part. The metrics favour methods that copy pixels by a decision map, and PSNR favours those that compute them, such as
# transforms; the lines below the table say by how many ranks on average. So the order of the next section, where no reference is known, holds for the
# likeness to the sources that these metrics measure, and not for nearness to the scene.
#
# ## On photographs
#
# These are the 26 pairs of GACN's Table 1, twenty of them from Lytro. They have no reference. Where the pairs have been fetched, the full profile
# fuses them anew by GACN. All other numbers come from the recorded run; its date, commit and device stand beside them, and
# its seconds were measured on that device.

# %%
anew = [] if run.quick else ["gacn"]
directed = [
    card.name
    for card in mff.metrics.CARDS
    if card.better and card.needs == "sources" and card.variant_of is None
]
directed = [name for name in directed if not recorded or name in recorded]
photographs = computed_or_recorded("all", "gacn26", directed, compute=anew)
origin = photographs.groupby("origin", sort=False)["method"].unique()
for place, names in origin.items():
    print(f"{place or 'neither run nor recorded'}: {', '.join(names)}")

# %%
photographs = photographs[photographs["origin"] != ""]
enough = len(photographs) > 0
if enough:
    rivals = leaderboard.mean_over_seeds(photographs)
    there, chart = leaderboard.ranking(rivals, chosen, "gacn26", seed=seed)
    display(chart)
else:
    print(
        "No run is recorded and the pairs have not been fetched: run `mffrepro data "
        "fetch gacn26 networks`."
    )

# %% [markdown]
# Orange over a dozen methods does not say that they are equal. It says that so few pairs cannot show which is better. A paper that ranks such
# methods by the fourth decimal of a mean shows nothing either.
#
# `tlcnn` and `tlcolor` are one network with one rule, trained with two seeds. They are no rivals, so the rankings of this chapter have one
# row for both: `tlcnn`, the mean of the two on each stack. The table of every number lists each; the distance between them is what a seed does.
# Six of the 26 pairs, those that are not Lytro's, helped to choose what both were trained on ([tlcnn](03_tlcnn.ipynb)).
#
# ## Rank them yourself
#
# The choice of metrics decides much. Choose others, leave out pairs or methods: the page ranks again, with intervals over the pairs and Nemenyi's
# difference. The address of the page then holds your choice, so that you can send it to others.

# %% tags=["remove-input"]
if enough:
    display(Board(rivals, chosen, rivals.groupby("method")["seconds"].mean()))

# %% [markdown]
# ## Whole stacks
#
# A stack of a microscope has twenty frames or more, a pair two. Which methods can be used for both? Six scenes of known depth, rendered through a
# lens, are fused under seven conditions that differ in one thing: the number of frames, stronger noise, a lens that breathes, or a frame that is missing.
# One scene has a measured depth, the motorcycle; to the other five a depth was drawn. `focal` and `stackmff` were trained on other photographs, but with
# this model of a lens and depths drawn in this way, which favours them.
# The table lists the mean PSNR over the scenes, recorded. Methods that need over two seconds for a pair are left out.

# %% tags=["hide-input"]
measured = measurements.recorded("whole_stacks")
by_condition = whole_stacks.by_condition(measured)
print(measurements.source_of(measured))
tables.sortable(by_condition.round(2).reset_index().rename_axis(columns=None))

# %% [markdown]
# Networks that compute every pixel anew and take two images at a time fuse their own result again with every frame, and lose with each. Focus measures
# over small windows lose too: the more frames there are, the less neighbours differ, and the further off is the frame that they choose, as the
# table of depth below shows. The next table lists what forty frames change against eight, with 95 % intervals over the scenes: the ten methods that
# lose most, and the three that gain most.

# %% tags=["hide-input"]
loss = whole_stacks.change(measured, "frames40")
few = pd.concat([loss.head(10), loss.tail(3)])
display(
    tables.plain(few, digits=1, caption="PSNR with 40 frames minus that with 8, dB")
)
lines = [*by_condition.index[:3], *loss.index[:3], "gacn"]
frames, curves = whole_stacks.over_frames(measured, list(dict.fromkeys(lines)))
figures.banded_curves(
    frames,
    curves,
    xlabel="frames",
    ylabel="PSNR minus the mean of these methods, dB",
    alt=(
        "PSNR over the number of frames: the best methods stay level, those that "
        "lose most fall with every frame."
    ),
    caption=(
        "Lines: means over six scenes; bands: from the lowest scene to the highest. "
        "The best three with eight frames, the three that lose most, and GACN."
    ),
)

# %% [markdown]
# Methods that choose a frame also say how far away a pixel is. The next table has the median error of that depth, in frames. A decision map counts whole
# frames, which alone leaves an error of up to half a frame.

# %% tags=["hide-input"]
depth = whole_stacks.by_condition(measured, "depth").dropna(how="all")
display(tables.plain(depth.head(10), digits=2, caption="Median error of depth, frames"))
cost = whole_stacks.by_condition(measured, "seconds")
per_frame = (cost["40 frames"] - cost["8 frames"]) / 32
memory = {name: mff.methods.parse(name)[0].memory[1] for name in per_frame.index}
needs = pd.DataFrame(
    {"seconds a frame": per_frame, "bytes a pixel and frame": pd.Series(memory)}
)
chosen_rows = list(dict.fromkeys(lines))
tables.plain(
    needs.loc[chosen_rows],
    digits=3,
    caption=(
        "What one frame more costs: processor seconds, frames 256 wide, and memory. "
        "0 bytes: more frames need no more memory"
    ),
)

# %% [markdown]
# ## Every number
#
# Means over the stacks of each data set, and how many stacks have been measured. Sort by any column to see how often the order changes; search for a
# method or a data set.

# %% tags=["hide-input"]
frames = {stacks.name: results} | ({"gacn26": photographs} if enough else {})
for name in ("mffw", "mfi_whu"):
    rows = computed_or_recorded("all", name, directed, compute=[])
    if (rows["origin"] != "").any():
        frames[name] = rows[rows["origin"] != ""]
parts = {
    name: tables.means(frame)
    .dropna(axis=1, how="all")
    .assign(stacks=frame.groupby("method")["stack"].nunique())
    for name, frame in frames.items()
}
every = pd.concat(parts, names=["data set", "method"]).reset_index(level="data set")
tables.sortable(every.round(4).reset_index().rename_axis(columns=None))

# %% [markdown]
# ## What it costs
#
# Time against rank; the best place is the upper left corner. The orange line joins the Pareto front. Methods off the line are dominated:
# another method is both faster and better.

# %% tags=["hide-input"]
if enough:
    seconds = photographs.groupby("method")["seconds"].mean()
    cost = {name: seconds[name] for name in there.index}
    front = ranks.pareto(cost, there["mean"])
    alt = (
        "Seconds, on a logarithmic axis, against mean rank; the Pareto front is "
        f"{', '.join(front)}."
    )
    beside = photographs["origin"].str.contains("beside other work")
    busy = photographs.loc[beside, "method"].nunique()
    caption = (
        "Mean over the pairs of gacn26. Only methods of the Pareto front are labelled. "
        f"{busy} methods were timed beside other work, which makes them look slower."
    )
    display(ranks.price_chart(cost, there["mean"], alt=alt, caption=caption))

# %% [markdown]
# ## Twenty pairs or twenty-six?
#
# Most papers use the twenty Lytro pairs alone. Does the order of the methods depend on the other six?

# %% tags=["hide-input"]
if enough:
    parts = {
        "lytro": rivals["stack"].str.startswith("lytro"),
        "the others": ~rivals["stack"].str.startswith("lytro"),
    }
    parts = {
        name: ranks.stack_ranks(rivals[rows], chosen).mean()
        for name, rows in parts.items()
    }
    parts = (
        pd.DataFrame({"all": there["mean"], **parts})
        .dropna(axis=1, how="all")
        .sort_values("all")
    )
    title = "Mean ranks"
    if {"lytro", "the others"} <= set(parts):
        agreed = parts["lytro"].corr(parts["the others"], method="kendall")
        title += f"; Kendall's tau of Lytro's and the others: {agreed:.2f}"
    display(tables.plain(parts, digits=1, caption=title))

# %% [markdown]
# ## From set to set
#
# MFFW has thirteen pairs from the Internet, whose blur spreads far over the outlines. MFI-WHU has thirty pairs that are *made*: sharp photographs were blurred inside or
# outside a mask, so the outline of an object is as sharp as the mask, and blur does not spread over it. Would a table on one of them name the same best
# methods as a table on the 26 pairs? All numbers are recorded, by the ranking metrics, for the methods that all three sets have.

# %% tags=["hide-input"]
names = ("gacn26", "mffw", "mfi_whu")
every_set = {
    name: computed_or_recorded("all", name, chosen, compute=[]) for name in names
}
recorded_sets = {
    name: leaderboard.mean_over_seeds(rows[rows["origin"] != ""])
    for name, rows in every_set.items()
}
for name in names[1:]:
    lost = set(recorded_sets["gacn26"]["method"]) - set(recorded_sets[name]["method"])
    print(f"not recorded on {name}:", ", ".join(sorted(lost)) or "none")
blocks = ranks.shared_ranks(recorded_sets, chosen)
spreads = {name: ranks.intervals(block, seed=seed) for name, block in blocks.items()}
mean_ranks = pd.DataFrame({name: spread["mean"] for name, spread in spreads.items()})
best = mean_ranks.mean(axis=1).sort_values().index
shown = {
    f"{name}, {len(blocks[name])} pairs": (
        spread.loc[best]
        .round(1)
        .apply(lambda row: f"{row['mean']} [{row['low']}, {row['high']}]", axis=1)
    )
    for name, spread in spreads.items()
}
display(
    tables.plain(
        pd.DataFrame(shown).head(15),
        caption=(
            f"Mean ranks of {len(best)} methods with 95 % intervals: the fifteen best "
            "over the three sets"
        ),
    )
)
carried = ranks.carry_over(blocks, seed=seed)
carried["second"] = carried["second"].mask(
    carried["first"] == carried["second"], "the other half"
)
tables.plain(
    carried.set_index(["first", "second"]),
    digits=2,
    caption=(
        "Kendall's tau between mean ranks; low and high hold 95 % of redrawn sets or "
        "of random halves"
    ),
)

# %% [markdown]
# A redrawn set has some pairs twice and lacks others, which lowers tau, so the first three values lie near the upper end of their range. The last three rows say
# how well two random halves of one set agree, although a half has fewer pairs than a set. Two sets agree less than the halves of GACN's
# pairs or of MFI-WHU do, so the sets do order the methods differently; the thirteen pairs of MFFW repeat their own order less well. Still, most of an order
# carries over, even from made pairs to photographs. What moves most are methods that treat wide blur in a way of their own. MSCNN, which looks at a
# quarter of the size too, has the best mean rank on MFFW. `mwg`, which weighs gradients of two widths, gains more ranks there than any other method, and
# GACN loses several with either weights. LightMFF, whose outlines are as coarse as 256 pixels, is behind on MFI-WHU, where outlines are those of masks.
# Networks trained here stand for one seed each. Which method is best cannot be said without saying for which pictures.
#
# ## Which metrics disagree?
#
# Each cell is Spearman's correlation between the orders that two metrics give the methods of a stack, averaged over the stacks. In an orange
# cell the two metrics prefer opposite methods. A sum of such metrics cancels information, and the choice among them decides which method
# wins.

# %% tags=["hide-input"]
if enough:
    table = ranks.agreement(photographs, directed)
    print(
        "lowest correlations:",
        "; ".join(
            f"{a} and {b} {value:+.2f}" for (a, b), value in ranks.lowest(table).items()
        ),
    )
    alt = (
        "Matrix of rank correlations between metrics; sharpness statistics oppose "
        "those that compare with the sources."
    )
    display(
        figures.matrix(
            table,
            alt=alt,
            caption=(
                "Rank correlation between metrics over the methods: +1 blue, -1 orange."
            ),
        )
    )

# %% [markdown]
# ## Reported beside reproduced
#
# GACN prints six metrics for twenty-two methods on these pairs. Under its protocol (scikit-image's gray in [0, 1]) the numbers can be
# compared one by one. A classical method with the same name may be another program: its number of levels, its rules and its treatment of
# colour differ, and a paper seldom states them. The other papers of this book print tables of pairs that they do not name; their own chapters
# discuss them.

# %% tags=["hide-input"]
six = ["qg", "qy.gacn", "qncie", "qcb", "fmi_edge", "fmi_dct"]
printed = tables.method_names(
    tables.reported("p004_table1"), tables.PRINTED_NAMES
).rename(columns={"qy": "qy.gacn"})[six]
ours = computed_or_recorded("all", "gacn26", six, gray="skimage", compute=anew)
ours = ours[ours["origin"] != ""]
if len(ours):
    counts = ours.groupby("stack")["method"].nunique()
    complete = counts.index[counts == counts.max()]
    ours = tables.means(ours[ours["stack"].isin(complete)])[six]
    shared = [name for name in printed.index if name in ours.index]
    gaps = (ours.loc[shared] - printed.loc[shared]).abs()
    near = {
        f"within {bound}": (gaps < bound).mean().map("{:.0%}".format)
        for bound in (0.001, 0.01)
    }
    near["range of the printed numbers"] = printed.max() - printed.min()
    note = f"Table 1 on {len(complete)} of 26 pairs"
    display(
        tables.plain(
            pd.DataFrame(near),
            digits=3,
            caption=f"Share of the {len(shared)} methods whose mean is so near",
        )
    )
    display(
        tables.beside(
            printed.loc[shared],
            ours.loc[shared],
            caption=f"{note}: reported, reproduced, difference",
        )
    )

# %% [markdown]
# ## Does the code still give the recorded numbers?
#
# A record is useful only while the code reproduces it. Where the pairs have been fetched, a few cells are computed again and compared, to one
# part in ten thousand.

# %%
if mff.list_datasets()["available"]["gacn26"]:
    again = mff.benchmark(
        ["average", "lp", "dwt", "sf"],
        mff.load("gacn26")[22:23],
        ["qabf", "qg", "qcb", "mi"],
    )
    changed = drift(again, read_record("gacn26"))
    print(f"{len(changed)} of {len(again)} values differ from the recorded ones")
    if len(changed):
        display(tables.plain(changed))
else:
    print("The pairs have not been fetched; nothing was compared.")

# %% [markdown]
# ## What ranks can and cannot say
#
# * A rank is an order, not a distance. First and second may differ by less than an eye can see: read the means and look at the pictures too.
# * A rank depends on which methods take part. Three variants of one method added to the list change the ranks of all others.
# * The pairs are a sample of what people photograph for tests. The intervals describe another draw *of such pairs*, not images of a
#   microscope. Several stacks of one photograph, such as the embedded ones, are not independent draws, so their scores are averaged.
# * Friedman's test with Nemenyi's is cautious. With many methods and few pairs it leaves most differences undecided; a planned comparison of
#   *two* methods on more pairs is the better experiment.
# * The set of ranking metrics is a choice. A printed rule makes it, so that you can make another.
#
# ## Exercises
#
# ### Check yourself
#
# <details><summary>How many pairs would halve the critical difference of 26 pairs?</summary>
#
# Four times as many, 104, since it falls with the root of their number.
#
# </details>
#
# <details><summary>Why are scores not averaged over metrics?</summary>
#
# They have different units and spreads, so the metric with the largest numbers would decide. Ranks have one scale.
#
# </details>
#
# <details><summary>Two methods are not told apart. Are they equal?</summary>
#
# No. So few pairs cannot show which of them is better. More pairs might.
#
# </details>
#
# ### Try it
#
# **1.** Rank the recorded methods by statistics of the fused image alone (`ag`, `sf`, `sd`, `en`, `ei`). Which methods gain
# most, and which of the three faults of this chapter do these statistics reward?
#
# <details><summary>Hint</summary>
#
# `computed_or_recorded(..., compute=[])` reads the record, `stack_ranks` ranks, and `leaderboard.faulty` spoils an image. To
# see what methods add, count the values that lie outside the range of the sources.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# The morphological pyramid, the ratio pyramid and Focus-Stack gain 53, 32 and 30 places; the rank correlation with the ranking metrics is
# 0.65. Each of the five statistics finds noise and sharpening an improvement, and only blur a loss. One reason is that transforms
# overshoot along edges: 4 to 6 % of the values of a pyramid lie outside those of the sources, and none of a method that copies
# pixels. Overshoot is detail to a statistic that does not know the sources. That is why these five take no part in the ranking.
#
# ```python
# import numpy as np
# import mffrepro as mff
# from mffrepro.benchmarks import computed_or_recorded
# from mffrepro.images import to_unit
# from mffrepro.report.leaderboard import faulty
# from mffrepro.report.ranks import stack_ranks
#
# chosen = ["qabf", "qy", "qp", "qcb", "mi", "fmi_pixel"]  # the ranking metrics
# alone = ["ag", "sf", "sd", "en", "ei"]  # statistics of the fused image alone
# scores = computed_or_recorded("all", "gacn26", [*chosen, *alone], compute=[])
# scores = scores[scores["origin"] != ""]
# ranking, statistics = (
#     stack_ranks(scores, names).mean().rank() for names in (chosen, alone)
# )
# gain = (ranking - statistics).sort_values(ascending=False)
# print("places gained:", gain.head(4), sep="\n")
# print(f"rank correlation {ranking.corr(statistics, method='spearman'):.2f}")
#
# pair = mff.load("embedded", kind="spread", size=128)["coffee_spread"]
# low, high = (getattr(pair.images, end)(0).astype(int) for end in ("min", "max"))
# for name in ("lp", "rp", "sml"):
#     fused = mff.fuse(pair, name).image.astype(int)
#     share = ((fused < low - 1) | (fused > high + 1)).mean()
#     print(f"{name}: {share:.1%} of the values lie outside those of the sources")
#
# unit = to_unit(pair.reference, np.float64)
# intact = mff.evaluate(pair, unit, alone)
# for fault, image in faulty(unit, np.random.default_rng(1)):
#     found = mff.evaluate(pair, image, alone)
#     better = [name for name in alone if found[name] > intact[name]]
#     print(f"{fault} is an improvement for", better)
#     assert (len(better) >= 4) == (fault != "blur")
# assert gain["rp"] > 10 and gain["lp"] > 10
# ```
#
# </details>
#
# **2.** Leave out one ranking metric at a time. Which of the first five places stay the same?
#
# <details><summary>Hint</summary>
#
# Call `stack_ranks` with the other five metrics and sort the means.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# None stays in all six cases, and yet the group hardly changes: at most one of the first five leaves it. Without MI, SESF-Fuse
# takes the first two places, with both of its weights; without $Q_{ABF}$ or $Q_P$, MSCNN takes the place of SESF-Fuse.
# Neighbours among the five are at most 1.4 mean ranks apart, and Nemenyi's test needs 22. An order that one metric can change
# is an order that the data do not support.
#
# ```python
# from mffrepro.benchmarks import computed_or_recorded
# from mffrepro.report.ranks import stack_ranks
#
# chosen = ["qabf", "qy", "qp", "qcb", "mi", "fmi_pixel"]  # the ranking metrics
# scores = computed_or_recorded("all", "gacn26", chosen, compute=[])
# scores = scores[scores["origin"] != ""]
#
#
# def order(metrics):
#     return list(stack_ranks(scores, metrics).mean().sort_values().index)
#
#
# every = order(chosen)[:5]
# print("all:", every)
# without = {}
# for name in chosen:
#     without[name] = order([other for other in chosen if other != name])
#     print(f"without {name}:", without[name][:5])
# unchanged = [n for n in range(5) if all(o[n] == every[n] for o in without.values())]
# print("places that stay the same:", [n + 1 for n in unchanged])
# assert len(unchanged) < 5
# assert all(len(set(o[:6]) & set(every)) >= 4 for o in without.values())
# assert all({"sml", "eol"} <= set(o[:5]) for o in without.values())
# ```
#
# </details>
#
# **3.** Compare each two neighbours of the chart by Wilcoxon's signed-rank test on the 26 pairs. Does it find differences that
# Nemenyi's test does not, and how many are left after a correction for the number of tests?
#
# <details><summary>Hint</summary>
#
# `scipy.stats.wilcoxon` takes the ranks of two methods on all pairs. Holm's correction sorts the $m$ values of $p$ and compares
# the first with $0.05/m$, the second with $0.05/(m - 1)$, and so on until one is too large.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# Nemenyi's test finds none: it needs a gap of 22 mean ranks, and the largest gap of neighbours is 2.6. Wilcoxon's test has $p <
# 0.05$ for 10 of 64 pairs of neighbours, where chance alone would give three. After Holm's correction none is left: the smallest
# $p$ is 0.0009, and the first threshold 0.0008. A paired test of two methods is the more sensitive experiment if the two were chosen
# before the data were seen. Here the same data chose the neighbours and tested them.
#
# ```python
# import numpy as np
# from scipy.stats import wilcoxon
# from mffrepro.benchmarks import computed_or_recorded
# from mffrepro.report.ranks import friedman, stack_ranks
#
# chosen = ["qabf", "qy", "qp", "qcb", "mi", "fmi_pixel"]  # the ranking metrics
# scores = computed_or_recorded("all", "gacn26", chosen, compute=[])
# scores = scores[scores["origin"] != ""]
# by_pair = stack_ranks(scores, chosen)
# order = by_pair.mean().sort_values().index
# critical = friedman(by_pair).critical
#
# neighbours = list(zip(order, order[1:]))
# gaps = by_pair.mean()[order].diff().dropna()
# p = np.array([wilcoxon(by_pair[a], by_pair[b]).pvalue for a, b in neighbours])
# print(f"largest gap of neighbours {gaps.max():.1f}; Nemenyi needs {critical:.1f}")
# for i in np.argsort(p)[:3]:
#     print(*neighbours[i], f"gap {gaps.iloc[i]:.1f}, p = {p[i]:.4f}")
#
# holm = np.sort(p) < 0.05 / np.arange(len(p), 0, -1)
# survive = np.logical_and.accumulate(holm).sum()  # stops at the first that is too large
# print(f"p < 0.05 for {(p < 0.05).sum()} of {len(p)}, {survive} of them after Holm")
# assert gaps.max() < critical
# assert (p < 0.05).sum() > 5
# assert survive <= 2
# ```
#
# </details>
#
# **4.** Stop a benchmark and start it again. Show that nothing is computed twice.
#
# <details><summary>Hint</summary>
#
# `mff.benchmark(..., store="all.parquet")` keeps each fusion as soon as it is done. Take two stacks first, then four and one
# method more. The column `seconds` would change if a fusion were repeated.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# The second call returns the stored rows as they are, down to the seconds that the first one measured, and adds the missing
# ones. No two runs take the same time to the last digit, so these fusions were not repeated. The command `mffrepro benchmark -m
# all -d gacn26 --store all.parquet` does the same for a run of hours that may be killed at any time.
#
# ```python
# import tempfile
# from pathlib import Path
# import mffrepro as mff
#
# data = mff.load("embedded", kind="composite", levels=(3,), size=96)
# store = Path(tempfile.mkdtemp()) / "all.parquet"
# asked = {"metrics": ["qabf", "psnr"], "store": store, "progress": False}
#
# stopped = mff.benchmark(["average", "lp"], data[:2], **asked)  # as if killed here
# whole = mff.benchmark(["average", "lp", "dwt"], data[:4], **asked)
#
# key = ["stack", "method", "metric"]
# both = stopped.merge(whole, on=key, suffixes=("_then", "_now"))
# print(f"{len(stopped)} rows were stored, {len(whole)} are there now")
# print(both[[*key, "seconds_then", "seconds_now"]])
# assert len(both) == len(stopped) < len(whole)
# assert (both["seconds_then"] == both["seconds_now"]).all()  # not measured again
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(run, started, ["gacn.default"])
