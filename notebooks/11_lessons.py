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
# # What the five papers teach
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/11_lessons.ipynb)
#
# The chapters before this one rebuilt five papers and measured their ideas one by one. **Which of these ideas are worth keeping, and can one small
# network that keeps only those fuse better than all of them?**
#
# The answer: the ideas that surely help are few. Networks that choose pixels are ahead of those that compute them, and a map that is filtered by the picture
# is ahead of one that is not. Most of the rest changes the scores by no more than another seed does, or is undecided. A small network that sees all images at
# once and learns from the sharp scene fuses long stacks of the drawn test scenes better than any other method here, with a fraction of the operations of GACN.
# On the 26 pairs it is behind GACN unless its choice is made crisp, and on the one scene whose depth was measured it leads by little. The section *Bars* says which
# goals it reaches.
#
# *Needs: a CPU; less than a minute (quick), a few minutes (full).*
#
# *Read first: [GACN](07_gacn.ipynb) and [many images](14_many_images.ipynb).*

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

import numpy as np
import pandas as pd
import torch
from IPython.display import display

import mffrepro as mff
from mffrepro.benchmarks import computed_or_recorded, handheld, measurements, speed
from mffrepro.benchmarks.measurements.whole import depth_of
from mffrepro.data import load_regions
from mffrepro.data.conditions import photograph_of
from mffrepro.data.drawn_stacks import Camera, Lens, drawn_stack, spoil
from mffrepro.data.handheld import NONE, take_shots
from mffrepro.models.focal import Exchange, Focal, method
from mffrepro.report import bars, figures, lessons, tables, whole_stacks
from mffrepro.report.leaderboard import left_out
from mffrepro.report.provenance import provenance
from mffrepro.report.source import show_source
from mffrepro.report.trainings import (
    choice_table,
    study_files,
    training_curves,
    training_table,
)

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## What is each idea worth?
#
# Each row compares two variants that differ in one idea, on the same images, and where networks were trained, by the same seeds. *Helps* and *hurts*
# follow the rule of the verdicts: the whole 95 % interval lies on one side of 0, and the effect is larger than the range of the seeds. One training
# never decides.

# %% tags=["hide-input"]
learned = lessons.all_lessons()
lessons.lesson_table(
    learned, caption="What single ideas change; effect: with minus without"
)

# %% [markdown]
# * **Choose pixels.** The networks here that copy pixels by a decision map are ahead of those that compute every pixel anew, on pairs and on stacks. The interval
#   covers images, not networks. By the table below, all that choose are ahead of all that compute in $Q_g$, which rewards copying; in PSNR the kinds overlap,
#   and the weakest decoders make much of the gap.
# * **Let the picture guide the border.** Filtering the map by the picture raises PSNR; smoothing the border of GACN and cancelling small regions do
#   nothing that can be told from zero.
# * **Many images.** Comparing each image with the first only (calibration) loses PSNR. Ranking has a higher $Q_g$ than
#   serial fusion, and a lower PSNR. Whether a network must see all frames, or a softmax over what it says of each will do, is undecided.

# %% tags=["hide-input"]
tables.plain(
    lessons.output_kinds(),
    digits=2,
    caption="Networks with weights of this package that choose, and that compute",
)

# %% [markdown]
# What the papers on transfer ask is undecided here: convolutions that learned photographs before fuse better than random ones with every seed of the same
# short training, but by less than seeds differ by.
#
# What the GACN paper stresses most is undecided too: the loss on the fused image, attention and blur across borders change $Q_g$ by less than another seed
# does, and a growing slope by more, but in one training. The faults of a camera in the training data were left out in one training too, which lost more PSNR than any
# other choice changes.
#
# ## What should a training ask for?
#
# A loss is a metric that is optimised, so it must not reward damage. Each cell of the table says how often a metric rates a damaged image above the fusion by
# the true decision: a wrong decision map, blur, noise, or a touch-up (contrast, sharpening). [Metrics](01_metrics.ipynb) has the details.

# %% tags=["hide-input"]
from mffrepro.report import ladder

scenes = mff.load(
    "embedded",
    kind="composite",
    levels=[3],
    size=run.pick(quick=160, full=320, tiny=64),
)
named = [
    "psnr",
    "ssim",
    "qg",
    "qabf",
    "qcb",
    "qy",
    "qmi",
    "en",
    "sd",
    "sf",
    "ag",
    "viff",
]
tested = run.some(list(scenes), 2)
ladders = ladder.score_ladders(tested, [], named[2:], np.random.default_rng(seed))
tables.plain(
    ladder.rewarded(ladders, named),
    digits=2,
    caption=(
        "How often damage scores above the right fusion; 0 is never; "
        f"{len(tested)} scenes"
    ),
)

# %% [markdown]
# Statistics of the fused image alone reward noise and contrast. Metrics of the likeness to the sources hardly do, save VIFF, which rewards contrast. But some of them prefer a
# wrong decision map to the right one, because the truth is not among the sources near a border. The reference is right in both respects, and drawn
# stacks have one: so the network below learns from the sharp scene itself.

# %% [markdown]
# ## Training data that looks like photographs
#
# The papers blur a photograph inside or outside of a mask. A lens does more: near things that are out of focus spread over what lies behind them, blur
# grows with the distance from the plane in focus, and a camera adds noise, flicker, small shifts and JPEG. `drawn_stack` draws all of this. A depth
# plane is drawn for each region of a labelled photograph, the thin lens of [the embedded set](00_quickstart.ipynb) photographs the scene at 2 to 12
# focus settings, and the camera adds its faults. The sharp scene and the depth are known. `mffrepro data make-stacks` writes such stacks to a folder.

# %% tags=["hide-output"]
show_source(Lens, Camera, drawn_stack, spoil)

# %% tags=["hide-input"]
photographs = load_regions("embedded")
size = run.pick(quick=256, full=320, tiny=96)
drawn = [
    drawn_stack(
        photographs, n, frames=(4, 4), size=size, lens=Lens(blur=(8, 8)), seed=7
    )
    for n in range(run.pick(quick=3, full=5, tiny=2))
]
pictures = {}
for one in drawn:
    name = one.name.partition("_")[2]
    pictures[f"{name}: depth"] = figures.heat(one.depth, high=3)
    for n in (1, 4):
        pictures[f"{name}: frame {n}"] = one.stack.images[n - 1]
figures.comparison(
    pictures,
    columns=3,
    alt="Drawn depths of photographs, and the first and the last of four frames each.",
    caption="Depth: dark is sharp in the first frame, bright in the last.",
)

# %% [markdown]
# ## One network for all frames
#
# GACN compares two images, so a stack of $N$ needs a strategy, and each strategy costs quality or time ([many images](14_many_images.ipynb)). `Focal`
# sees all frames at once. The same convolutions run over each frame, at a half, a quarter and an eighth of its size. At each scale an *exchange* gives every
# frame the largest response that any frame of the stack has at that place, so a frame learns whether it is beaten, and by how much:
#
# $$x_n \leftarrow x_n + \operatorname{ReLU}\left(W * x_n + V * \max_m x_m + b\right)$$
#
# for the maps $x_n$ of frame $n$. The maximum does not depend on the order of the frames or on their number. The network ends in two scores, $s_n$ and
# $t_n$, for each frame and pixel, and both are turned into shares by a softmax over the frames:
#
# $$F = \sum_n \frac{e^{s_n}}{\sum_m e^{s_m}}\, I_n, \qquad p_n = \frac{e^{t_n}}{\sum_m e^{t_m}}$$
#
# $F$ is the fused image, a mean of the frames $I_n$ at each pixel, so it cannot leave their range. $p_n$ is the probability that frame $n$ is the sharpest.
# Its mean over the most probable frame and its two neighbours is a depth, and the probability of these three its confidence.

# %% tags=["hide-output"]
show_source(Exchange, Focal, method.fuse)

# %% tags=["hide-input"]
lens = mff.load("embedded", size=run.pick(quick=256, full=512, tiny=96))[
    "motorcycle_lens"
]
pixels = lens.images[0][..., 0].size
work = {}
for name in ("focal", "gacn", "stackmff"):
    counted = speed.count_work(lambda name=name: mff.fuse(lens, name, device=device))
    network = mff.methods.load_network(name, device=device)
    work[name] = {
        "parameters": sum(p.numel() for p in network.parameters()),
        "operations a pixel and frame": round(counted.operations / pixels / len(lens)),
    }
tables.plain(
    pd.DataFrame(work).T,
    digits=0,
    caption=f"Multiplications and additions to fuse {len(lens)} frames",
)

# %% [markdown]
# The pictures show what it finds in a stack that it was not trained on: which frame each pixel comes from, how far away it is, and how sure that is.

# %% tags=["hide-input"]
result = mff.fuse(lens, "focal", device=device)
last = len(lens) - 1
figures.comparison(
    {
        "first frame": lens.images[0],
        "last frame": lens.images[-1],
        "fused": result.image,
        "largest share": figures.heat(np.asarray(result.decision).max(0)),
        "depth": figures.heat(result.depth, high=last),
        "confidence": figures.heat(result.confidence),
    },
    columns=3,
    alt=(
        "The motorcycle near and far, fused by Focal; its largest share is 1 where "
        "there is detail; depth and confidence."
    ),
    caption=(
        "Largest share: bright takes one frame whole, dark is a mean of several. "
        "Depth: dark is near. Confidence: bright is sure."
    ),
)

# %% [markdown]
# **Fewer bits?** Smaller numbers would halve the memory of the maps, if they did no harm. Each row fuses the stack above with its convolutions in another type
# of numbers.

# %% tags=["hide-input"]
exact, rows = None, {}
for kind in (torch.float32, torch.float16, torch.bfloat16):
    with torch.autocast("cpu", kind, enabled=kind != torch.float32):
        began = time.process_time()
        image = mff.fuse(lens, "focal", device="cpu").image.astype(int)
        spent = time.process_time() - began
    exact = image if exact is None else exact
    apart = np.abs(image - exact)
    rows[str(kind).removeprefix("torch.")] = {
        "processor time, s": spent,
        "mean difference, levels": apart.mean(),
        "largest difference, levels": apart.max(),
    }
tables.plain(
    pd.DataFrame(rows).T,
    digits=2,
    caption="Types of numbers in the convolutions; differences from float32",
)

# %% [markdown]
# `bfloat16`, which has eight significant bits, changes the picture too much: the softmax over frames turns small differences of scores into other choices. `float16`
# has eleven and hardly changes it, but few processors compute with it directly. So the network stays in float32. Eight-bit integers were not tried, as they
# are no finer than `bfloat16`.
#
# ## Training
#
# The image learns from the difference between $F$ and the sharp scene and between their gradients; nothing asks for a decision map. Where several frames are
# equally sharp, their mean has less noise, and the network finds that by itself. The depth learns from the cross entropy of $p_n$. Training photographs are those of BSDS500;
# the test scenes below are others.

# %% tags=["hide-input"]
display(training_table(["focal.default"]))
training_curves(
    "focal.default",
    alt="Training and validation losses of Focal fall together.",
    caption="The validation stacks are of other photographs.",
)

# %% [markdown]
# Five trainings that differ in the seed alone say how much it changes: PSNR and SSIM on the stacks of eight frames, clean and noisy; the median
# error of depth in frames; and $Q_g$, $Q_{ABF}$ and $Q_{cb}$ on the 26 pairs, without sharpened shares. The last column is PSNR on the validation
# stacks, and the weights used in this chapter are those of its median: no test set had a say. `mffrepro train study focal` repeats them.

# %% tags=["hide-input"]
from mffrepro.training.studies.focal import METRICS, TRUTH
from mffrepro.training.studies.runner import read

columns = [*TRUTH, "depth", *METRICS, "val_psnr"]
rows = read("focal").set_index("seed").sort_index()
seeds = rows[rows["changed"] == ""][columns]
seeds = seeds.rename(columns={"val_psnr": "validation"})
seeds.index = [f"seed {seed}" for seed in seeds.index]
spread = pd.DataFrame([seeds.max() - seeds.min()], index=["range"])
display(
    tables.plain(
        pd.concat([seeds, spread]), digits=4, caption="Focal trained with five seeds"
    )
)

# %% [markdown]
# ## Bars
#
# Before the training, the goals were written down. On whole stacks of known depth, whose photographs the training did not see, the lead over the *best* other
# method in PSNR and SSIM must have an interval above zero, under every condition. On the 26 pairs of GACN, the mean of three metrics may be at
# most 0.001 below that of the authors' GACN. No pixel may leave the range of its sources by more than 2 levels, the order of the frames must
# not matter, and the error of depth on the motorcycle must be half of that of the best other method.
#
# The test is not as hard as it looks: the model of the lens is that of the training, and five of the six scenes have a depth that was drawn as in the
# training. The motorcycle alone has a measured depth, so it has a table of its own. One scene has no interval.

# %% tags=["hide-input"]
shots = take_shots(NONE, size=run.pick(quick=256, full=640, tiny=192))
true_depth = shots.true_depth(shots.images.shape[1:3])
depths = {"mff.depth": mff.depth(shots.images).depth}
rivals = ["stackmff", "gacn", "sml", "sesf"]
if not left_out(["stackmff.published"], seconds=60):
    rivals.append("stackmff.published")
for name in ("focal", *rivals):
    depths[name] = depth_of(
        mff.fuse(shots.images, name, device=device), len(shots.images)
    )
errors = {
    name: handheld.depth_errors(depth, true_depth).iloc[0]
    for name, depth in depths.items()
}
display(
    tables.plain(
        pd.DataFrame(errors).T.sort_values("mean error"),
        digits=3,
        caption=f"Depth of {len(shots.images)} frames; errors in frames",
    )
)
last = len(shots.images) - 1
figures.comparison(
    {"true depth": figures.heat(true_depth, high=last)}
    | {
        name: figures.heat(depths[name], high=last)
        for name in ("focal", "mff.depth", "stackmff")
    },
    columns=4,
    alt="True depth of the motorcycle, and that of Focal, mff.depth and StackMFF-V2.",
    caption="Dark is the first frame (near), bright the last.",
)

# %% tags=["hide-input"]
measured = measurements.recorded("whole_stacks")
three = ["qg", "qabf", "qcb"]
compared = ["focal", "focal.crisp", "gacn.published"]
goals = [
    *bars.above_all(measured, "focal", "psnr"),
    *bars.above_all(measured, "focal", "ssim"),
    bars.share_of_error(
        pd.DataFrame(errors).loc["median error"], "focal", 0.5, "median error of depth"
    ),
]
later = []
for name in ("gacn26", "mffw", "mfi_whu"):
    pairs = computed_or_recorded(compared, name, three, compute=[])
    for ours in compared[:2]:
        which = goals if (name, ours) == ("gacn26", "focal") else later
        which += bars.as_good_as(pairs, ours, "gacn.published", three, 0.001, name)
print(measurements.source_of(measured))
display(bars.bar_table(goals, caption="Bars that were written down before"))
alone = measured[measured["stack"].map(photograph_of) == "motorcycle"]
leads = {
    quantity: {
        bar.what.partition(", ")[2]: f"{bar.lead.effect:+.3g} ({bar.rival})"
        for bar in bars.above_all(alone, "focal", quantity.lower())
    }
    for quantity in ("PSNR", "SSIM")
}
display(
    tables.plain(
        pd.DataFrame(leads),
        caption="The motorcycle alone: lead over the best other method, which is named",
    )
)
bars.bar_table(later, caption="The same comparison, added after the first scores")

# %% tags=["hide-input"]
for name, some in {"written down before": goals, "added later": later}.items():
    reached = sum(bar.reached for bar in some)
    print(f"{name}: {reached} of {len(some)} bars are reached")
order = np.random.default_rng(seed).permutation(len(lens))
turned = mff.fuse(lens.images[order], "focal", device=device)
changed = np.abs(turned.image.astype(int) - result.image).max()
print("largest change by another order of the frames:", changed, "levels")
print("beyond the sources:", bars.beyond_sources(result.image, lens.images), "levels")
by_condition = whole_stacks.by_condition(measured)
tables.plain(
    by_condition.head(8), digits=2, caption="PSNR on whole stacks, the best methods, dB"
)

# %% [markdown]
# **Soft or crisp?** The metrics of pairs know no truth: they ask whether the gradients of the sources are there, and noise has gradients. A mean of two frames in a
# flat area loses some, and `focal` pays for it on the pairs, where it is less noisy than the sources. With `focal.crisp` the frame with the largest share takes the
# pixel, by an exponent on the shares. This variant was made after the soft one had been scored on the pairs, so its rows were not among the bars at first.
# The exponent was fixed on validation stacks, beyond which a larger one changed nothing. The scores on MFFW and MFI-WHU came later still, and nothing was changed after them; where an interval of the last table includes 0, the lead
# is undecided. Which of the two is better depends on whether a metric or a photograph is wanted.
#
# PSNR is ahead where stacks are long. Methods that take two images at a time and compute every pixel, and measures over small windows, lose with every frame; others, such
# as GFF and GACN, gain a little, and Focal gains too ([the leaderboard](09_leaderboard.ipynb#whole-stacks) lists all). Where few frames leave most of the scene out of
# focus, or the lens breathes, no frame shows the truth, and it is level with the best. Against noise, networks that paint are its rivals in PSNR, and ahead
# in SSIM: they may smooth where no frame is smooth.
#
# **What was tried.** Other seeds: the table *Focal trained with five seeds* says how far they move each score. Other trainings: the next table says what each
# choice adds to the training with the same seed, on the same stacks and pairs. *Frames are not compared* scores each frame alone, and only the softmax compares.
# *No faults* trains on frames without noise, JPEG and shifts; *no edges* leaves the gradients out of the loss, *no depth* the depth.

# %% tags=["hide-input"]
chosen = study_files("focal", "scores", "changed")
choice_table(
    chosen,
    [*TRUTH, "depth", *METRICS],
    caption=(
        "What a choice adds to the training of the same seed: mean over the scenes, "
        "clean and noisy (PSNR, SSIM, depth), or pairs, and 95 % interval"
    ),
)

# %% [markdown]
# An interval covers the scenes or pairs and not the seeds. An effect within the range of the seeds is none that can be told, and each row is one training.
#
# * *Three times as long* adds more PSNR than the seeds differ by, at about the same error of depth. On the pairs it adds less than what is missing. It is the most promising
#   change; before it may become the default it needs five seeds, as the shipped weights have.
# * *No faults* loses many times what the seeds differ by, most of it on noisy stacks but some on clean ones too. The faults of a camera in the training data
#   are worth more than any other choice that was tried.
# * *No edges* loses PSNR, but the interval over six scenes reaches zero: whether the difference of gradients earns its place in the loss is undecided.
# * *No depth* adds a little more PSNR than the seeds differ by, and its depth is several times as wrong. So the depth may cost the picture a little.
# * *Frames are not compared* loses PSNR and accuracy of depth and gains on the pairs, each about as much as a seed changes. So the exchange may not be what makes `focal` good at
#   long stacks.
#
# The crisp choice reaches the bars of the 26 pairs and of MFI-WHU, and costs PSNR against noise. A network twice as wide is a row of the study that is not recorded.
#
# The depth is not half as wrong as that of the best other method. Since the goals are not reached, the default of `mff.fuse` stays `gacn`, which is ahead on
# the 26 pairs. For stacks of many frames, `focal` is the better choice.

# %% [markdown]
# ## Exercises
#
# ### Questions
#
# <details><summary>Why does the maximum over the frames tell a frame more than the mean would?</summary>
#
# In a long stack most frames are out of focus at any one place, so the mean says how blurred a typical frame is there. The maximum is
# the response of the sharpest frame, however many others there are, and a frame that reaches it is a candidate.
#
# </details>
#
# <details><summary>Why can a fused image that is a mean of the frames have less noise than every frame?</summary>
#
# Where several frames are equally sharp they show the same scene with independent noise. The mean of four has half of the
# standard deviation of each. A decision for one frame keeps its noise.
#
# </details>
#
# <details><summary>Why is the depth trained by a loss of its own, although the shares already say which frame is sharp?</summary>
#
# In a flat area all frames are alike. The fused image is the same whatever the shares are there, so its loss says nothing about
# depth. The loss of the depth asks for the right frame everywhere, and the network has to take it from the surroundings.
#
# </details>
#
# ### Try it
#
# **1.** Fuse the stack of the motorcycle with noise of five levels added to each frame, by `focal` and by `lp`, and compare the PSNR. How much of the
# difference is due to averaging?
#
# <details><summary>Hint</summary>
#
# `result.shares` has the share of each frame. Choose the frame with the largest share alone, and score that image too.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# 35.9 dB by `focal`, 32.8 by its largest share alone, and 32.0 by `lp`: three of the four decibels are due to averaging, the rest to the
# choice of the frames. At most four frames share a pixel, so the noise can fall to a half.
#
# ```python
# import numpy as np
#
# import mffrepro as mff
#
# stack = mff.load("embedded", size=256)["motorcycle_lens"]
# random = np.random.default_rng(1)
# noisy = stack.images + random.normal(0, 5, stack.images.shape)
# noisy = noisy.round().clip(0, 255).astype(np.uint8)
# result = mff.fuse(noisy, "focal")
# best = np.take_along_axis(noisy, result.shares.main[None, ..., None].astype(int), 0)[0]
# images = {"focal": result.image, "largest share": best}
# images["lp"] = mff.fuse(noisy, "lp").image
# psnr = {
#     name: mff.evaluate(noisy, image, ["psnr"], reference=stack.reference)["psnr"]
#     for name, image in images.items()
# }
# print({name: round(value, 2) for name, value in psnr.items()})
# assert psnr["focal"] > psnr["largest share"] > psnr["lp"]
# ```
#
# </details>
#
# **2.** Where do frames share a pixel? Count the frames with a share of each pixel of the motorcycle, in the quarter of the picture with the least
# detail, and in that with the most.
#
# <details><summary>Hint</summary>
#
# Measure detail in the reference: the absolute Laplacian, smoothed.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# 4.0 frames in the flattest quarter and 3.7 in the most detailed one, of four that may. So nearly every pixel has small shares of further frames. That they
# are small where there is detail, the picture of the largest share shows.
#
# ```python
# import numpy as np
# from scipy import ndimage
#
# import mffrepro as mff
#
# stack = mff.load("embedded", size=256)["motorcycle_lens"]
# result = mff.fuse(stack, "focal")
# sharing = (np.asarray(result.shares) > 0).sum(0)
# gray = mff.images.to_gray(stack.reference / 255)
# detail = ndimage.gaussian_filter(np.abs(ndimage.laplace(gray)), 2)
# quarters = np.digitize(detail, np.quantile(detail, [0.25, 0.5, 0.75]))
# frames = [sharing[quarters == n].mean() for n in range(4)]
# print([round(float(value), 2) for value in frames])
# assert frames[0] > frames[1] > frames[2] > frames[3]
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
provenance(run, started, ["focal.default"])
