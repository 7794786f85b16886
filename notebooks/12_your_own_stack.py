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
# # Your own stack: from the memory card to the result
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/12_your_own_stack.ipynb)
#
# The test sets of the papers are registered to the pixel, evenly lit and free of faults. Photographs from a camera in the hand are not. **What
# has to be done before they are fused, what is each step worth, and which method suits which subject?**
#
# The answer of this chapter: alignment decides, and the other steps add up to a few decibels each. Of the methods compared, `focal` is the best or
# level with the best for every subject; the order of the others depends on the subject, above all on noise. Every number below is measured against a known truth.
#
# *Needs: a CPU; about a minute (quick), a few minutes (full).*
#
# *Read first: [the quickstart](00_quickstart.ipynb).*

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
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import display
from scipy.ndimage import gaussian_filter

import mffrepro as mff
from mffrepro import alignment
from mffrepro.benchmarks import handheld, robustness, subjects
from mffrepro.data.handheld import Faults, take_shots
from mffrepro.data.subjects import SUBJECTS, subject_stacks
from mffrepro.images.balance import balance, exposures
from mffrepro.images.checks import find_outliers
from mffrepro.images.hot_pixels import fill_hot_pixels, find_hot_pixels
from mffrepro.report import figures, tables
from mffrepro.report.commands import run_command
from mffrepro.report.provenance import provenance
from mffrepro.report.source import show_source

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## Eight photographs from the hand
#
# To measure what a step is worth, one has to know the perfect result. So this stack is made: a thin lens photographs the motorcycle of the
# embedded set, whose depth is known, at eight focus settings from near to far. The camera then makes the usual mistakes:
#
# * **Shake.** The hand moves and turns the camera between the frames.
# * **Breathing.** The lens changes its magnification while it focuses.
# * **Light.** Every third frame is brighter: a flicker, or a flash that recycles.
# * **One bad frame.** The flash did not fire.
# * **Hot pixels.** Some pixels of the sensor are always bright.
# * **Noise.** A little of it, half of a level.

# %%
show_source(Faults)
size = run.pick(quick=640, full=740, tiny=320)
shots = take_shots(size=size, seed=seed)
card = Path(tempfile.mkdtemp()) / "card"
card.mkdir()
files = [card / f"DSC_{n:04}.png" for n in range(1, len(shots.images) + 1)]
for path, image in zip(files, shots.images, strict=True):
    mff.write_image(path, image)

# %% tags=["hide-input"]
numbers = [0, 1, 4, 5, 6, 7]
figures.comparison(
    {files[n].stem: shots.images[n] for n in numbers},
    columns=3,
    alt=(
        "Six of eight frames of a motorcycle: focus moves from the motorcycle to the "
        "shelves behind it, and one frame is nearly black."
    ),
    caption=(
        "Six of the eight frames, near to far. In the viewer, flicker between "
        "neighbours: the picture shifts and grows."
    ),
)

# %% [markdown]
# From here on the chapter works as you would, on a list of files:

# %%
images = np.stack([mff.read_image(path) for path in files])
as_shot = mff.fuse(images, "lp")
print(f"{as_shot.method}: {as_shot.image.shape} in {as_shot.seconds:.1f} s")

# %% tags=["hide-input"]
height, width = images.shape[1:3]


def boxes(height, width):
    """Place two zoom boxes: the headlight and the front wheel."""
    part = height // 5, width // 5
    return [
        (int(0.12 * height), int(0.64 * width), *part),
        (int(0.53 * height), int(0.74 * width), *part),
    ]


truth = shots.with_truth(mff.FocusStack("as shot", images))
figures.comparison(
    {"fused as shot": as_shot.image, "truth": truth.reference},
    zoom=boxes(height, width),
    columns=2,
    alt=(
        "The stack fused without any preparation: double contours with coloured "
        "fringes, stars and dark places, beside the sharp scene."
    ),
    caption=(
        "The eight frames fused by a Laplacian pyramid without any preparation, and "
        "the true scene, seen from the mean position of the camera."
    ),
)

# %% [markdown]
# Nothing is wrong with the method. Each step below removes one of the causes, in the order in which they have to be removed: what belongs to
# the sensor is mended before frames move, and light is compared after frames lie over each other.
#
# ## Step 1: leave out what does not belong
#
# `find_outliers` compares small, blurred copies of the frames, on which the frames of a focal stack are alike whatever is in focus. It finds
# black, white, doubled, displaced and repeated frames. Before an alignment displaced frames are no error, so `registered=False` looks at
# brightness and repetition alone.

# %%
outliers = find_outliers(images, registered=False)
for one in outliers:
    print(files[one.index].name, one.reason)
frames = [n for n in range(len(images)) if n not in {one.index for one in outliers}]
kept = images[frames]

# %% [markdown]
# Look at the frame before you lose it. If it held the only sharp view of some depth, take it again: the gap between its neighbours costs
# sharpness there.
#
# ## Step 2: hot pixels
#
# What belongs to the scene is blurred in most frames; what belongs to the sensor is sharp in all of them. So the median over the frames of
# each frame minus its smoothed copy shows the sensor. This has to happen first: once frames are moved, a hot pixel lies at another place in
# each, and no method can tell it from a sharp detail.

# %%
hot = find_hot_pixels(kept).any(-1)
mended, count = fill_hot_pixels(kept)
print(
    f"{count} filled; {(hot & shots.hot).sum()} of the {shots.hot.sum()} that were put "
    f"in, and {(hot & ~shots.hot).sum()} details of the scene"
)

# %% [markdown]
# ## Step 3: align
#
# `mff.align` matches neighbours, since the first and the last frame may have little sharp detail in common, and chains them from the middle
# of the stack. Every frame is then resampled once by a fraction of a pixel, so that no frame looks sharper because it was left alone. The
# result is cropped to what all frames cover.
#
# How far do the frames lie apart, and how near does the alignment come? The positions of the camera are known here.

# %%
print("before:", alignment.misalignment(mended))
moves = alignment.estimate(mended)
aligned = alignment.apply(mended, moves)  # mff.align(mended) does both
moves = handheld.cropped(moves, (height, width))
distances = {
    "before": handheld.placement_errors(shots, None, frames),
    "after": handheld.placement_errors(shots, moves, frames),
}
tables.plain(
    pd.DataFrame(distances, index=[files[n].name for n in frames]).T,
    caption="Distance of each frame from the mean position, pixels (root mean square)",
    digits=2,
)

# %% [markdown]
# `model="homography"` is for a camera that was also tilted. Where two frames have too little in common, the error names the frame to leave out.
# What no alignment can mend is parallax: a camera that moves sideways sees other parts of the background behind a near object.
#
# ## Step 4: balance the light
#
# Defocus moves light, but takes none away: small copies of neighbours differ by their exposure alone. `balance` measures the factor of linear
# light for each channel and brings every frame to the median of the stack.

# %%
measured = exposures(aligned.images).mean(-1)
prepared, gains = balance(aligned.images)
light = {"true": shots.gains[frames], "measured": measured}
tables.plain(
    pd.DataFrame(light, index=[files[n].name for n in frames]).T,
    caption="Light of each frame, as a factor",
    digits=3,
)

# %% [markdown]
# ## Fuse
#
# Now any method may be used; a later part compares them.

# %%
stack = shots.with_truth(replace(aligned, images=prepared), moves, frames)
names = ["lp", "gacn"]
fused = {name: mff.fuse(stack, name, device=device) for name in names}
scores = {
    name: mff.evaluate(stack, result, ["psnr", "ssim", "qabf"])
    for name, result in fused.items()
}
display(tables.scores(pd.DataFrame(scores).T, caption="The prepared stack, fused"))

# %% tags=["hide-input"]
figures.comparison(
    {name: result.image for name, result in fused.items()} | {"truth": stack.reference},
    zoom=boxes(*stack.reference.shape[:2]),
    columns=3,
    alt=(
        "The prepared stack fused by a Laplacian pyramid and by GACN, beside the true "
        "scene: hardly any difference."
    ),
    caption="The same photographs after all four steps.",
)

# %% [markdown]
# Where PSNR and $Q_{ABF}$ disagree about the two, the [quickstart](00_quickstart.ipynb) says why. [Metrics](01_metrics.ipynb) without a reference, such as
# $Q_{ABF}$, are all that is left for real photographs.
#
# ## Depth
#
# The frame that is sharpest at a pixel tells how far away that pixel is. `mff.depth` fits a parabola through the sharpness of three
# neighbouring frames, so that depth has fractions of a frame, and says how sure it is. Where a surface shows nothing, depth comes from its
# surroundings.

# %%
depth, confidence = mff.depth(stack)
true_depth = shots.true_depth(depth.shape, moves, frames)
rows = {"mff.depth": handheld.depth_errors(depth, true_depth, confidence)}
chosen = fused["gacn"].decision.argmax(0)
rows["decision map of gacn"] = handheld.depth_errors(chosen, true_depth)
tables.plain(pd.concat(rows), caption="Errors of depth, in frames", digits=2)

# %% tags=["hide-input"]
last = len(frames) - 1
figures.comparison(
    {
        "true depth": figures.heat(true_depth, high=last),
        "measured depth": figures.heat(depth, high=last),
        "confidence": figures.heat(confidence),
        "error, 0 to 2 frames": figures.heat(np.abs(depth - true_depth), high=2),
    },
    columns=2,
    alt=(
        "True and measured depth of the motorcycle, the confidence of the measurement, "
        "and its error, which is large around the outline of the motorcycle."
    ),
    caption=(
        "Depth: dark is the first frame (near), bright the last. Confidence: dark is "
        "0, bright 1. Error: dark is 0, bright two frames or more."
    ),
)

# %% [markdown]
# Depth is right where there is detail, and wrong in a band around the outline: the blurred edge of the motorcycle covers the background there,
# so the near depth reaches over. This is a limit of depth from focus, and the confidence does not show all of it: compare the quarters of the table. The file that
# `--depth` writes counts all files of the stack; `mff.depth(stack)` counts the frames that it was given.
#
# ## What is each step worth?
#
# The first rows of the table add one step after the other, the last rows leave out one of them. PSNR compares with the true scene, seen from
# where the frames were aligned to.

# %%
show_source(handheld.prepare)
steps = handheld.score_steps(
    shots, run.pick(quick=["lp", "gff"], full=["lp", "gff", *names[1:]])
)
tables.plain(steps, caption="PSNR against the truth, in decibels", digits=1)

# %% tags=["hide-input"]
lost = (
    steps.loc["+ balance"] - steps.loc[[row for row in steps.index if "without" in row]]
)
worst = lost.mean(axis=1).sort_values(ascending=False)
print(
    "mean loss without a step:",
    ", ".join(
        f"{row.partition(': ')[2]} {value:.1f} dB" for row, value in worst.items()
    ),
)

# %% [markdown]
# ## What goes wrong, and how it looks
#
# Each picture after the second lacks one step, so it shows the symptom of one fault:

# %% tags=["hide-input"]
pictures = handheld.fuse_without(shots, "lp")
figures.comparison(
    pictures,
    zoom=boxes(*pictures["truth"].shape[:2]),
    columns=2,
    alt=(
        "The true scene, the fusion after every step, and four fusions that lack one: "
        "speckles, stars, double contours, and uneven light."
    ),
    caption=(
        "Without leaving out: speckles where the dark frame wins. Without filling "
        "hot pixels: constellations of bright points, the path of the camera. "
        "Without alignment: double contours. Without balance: uneven shades."
    ),
)

# %% tags=["hide-input"]
gray = {
    name: gaussian_filter(picture.mean(-1), 3) for name, picture in pictures.items()
}
figures.comparison(
    {
        name: figures.signed(gray[name] - gray["truth"], limit=8)
        for name in ("every step", "without: balance")
    },
    columns=2,
    alt=(
        "Smoothed difference to the true scene: even gray after every step, bright "
        "areas without balance."
    ),
    caption=(
        "Fused minus true scene, both smoothed: mid-gray where they agree, white "
        "where the fused image is eight levels brighter. Uneven light is hard to see "
        "in the photograph, and plain here."
    ),
)

# %% [markdown]
# | what you see | likely cause | what to do |
# |---|---|---|
# | double or triple contours, coloured fringes | frames lie off each other | `--align`; `--model homography` if the camera was tilted |
# | double contours only near the borders | the lens breathes | `--align` |
# | double contours only around near objects | parallax: the camera moved sideways | take the stack again from a tripod; retouch |
# | groups of bright points that repeat one pattern | hot pixels that were moved by the alignment | `--hot-pixels` |
# | patches that are brighter or of another hue | light changed between frames | `--balance` |
# | speckles or holes of a wrong tone | a frame that does not belong | do not give `--no-checks`; delete the frame |
# | a soft band between two sharp zones | the step of the focus was too large | take more frames |
# | a light or blurred rim around near objects | their blur covers the background in every other frame | more frames near the outline |
# | grain where nothing is to be seen | the method copies noise as if it were detail | do not give `--no-average-flat`; `-m focal`, which averages |
# | dark or bright overshoot along edges | a transform overshoots | `--clamp` |
#
# ## Which method for which subject?
#
# One stack says little about methods. The table has five kinds of subject. Each is made from five photographs, so that a difference can be
# compared with its spread. The relief is tilted, or an object stands before a background; the frames are eight, three or two; the noise is that of
# base ISO (one level) or of high ISO (six levels). Stacks of three frames or more are fused as by the command line, with `average_flat`, which the
# section after this one explains.

# %%
show_source(subject_stacks)
tested = ["average", "lp", "dtcwt", "gff", "sml", "gacn", "focal"]
tested = run.pick(quick=tested, full=[*tested, "dsift", "mgivf", "ifcnn", "sesf"])
results = subjects.score_subjects(
    tested,
    size=run.pick(quick=128, full=224, tiny=96),
    count=run.pick(quick=5, full=5, tiny=2),
)

# %% tags=["hide-input"]
means = subjects.by_subject(results)
shown = tables.plain(
    means, caption="PSNR against the truth, means in decibels", digits=1
)
best = pd.DataFrame(
    np.where(means == means.max(), "font-weight:bold", ""), means.index, means.columns
)
display(shown.apply(lambda _: best, axis=None))
advice = subjects.recommend(results)
display(
    tables.plain(
        advice,
        caption="The best method, and those that cannot be told from it",
        digits=1,
    )
)

# %% [markdown]
# A method counts *as good* as the best where the 95 % interval of their difference over the photographs contains zero. With five photographs
# this may leave several, and then the fastest is a sensible choice. `focal` is the network of [What the five papers teach](11_lessons.ipynb); the photographs here are
# not those that it was trained on. The best is chosen from the same photographs that it is compared on, so its
# lead is rather too large than too small.

# %% tags=["hide-input"]
for title, row in advice.iterrows():
    rivals = "" if row["as good"] == "none" else f" (undecided: {row['as good']})"
    print(f"{title}: {row['best']}{rivals}")
noisy, calm = SUBJECTS["noisy"].title, SUBJECTS["object"].title
change = (means[noisy] - means[calm]).drop("average").sort_values()
print(
    f"noise costs {change.index[-1]} {-change.iloc[-1]:.1f} dB, and "
    f"{change.index[0]} {-change.iloc[0]:.1f} dB"
)

# %% [markdown]
# ## What should not matter: noise and order
#
# Two things ought to be harmless. Where a scene shows nothing, eight noisy frames should give less noise than one: their mean has a third of
# it. Many methods choose the frame with the largest detail, and noise is detail to them. `average_flat=True` takes the mean of the frames
# where none of them is sharp; the command line does so for three frames or more.
#
# And the frames can be given near to far or far to near. In some methods ties go to the first frame, others combine the frames one after
# the other. The column *order matters* is what `mffrepro list methods NAME` says; a test compares it with this measurement for all methods.

# %%
eight = mff.load("embedded", kind="lens", size=192)["motorcycle_lens"]
harmless = robustness.robustness(tested, eight)
caption = (
    "Noise left of eight flat frames with noise of 6.0 levels, and the share of values "
    "that change by over two levels in reverse order"
)
shown = tables.plain(harmless, caption=caption, digits=4)
display(shown.format("{:.1f}", subset=["noise left", "with average_flat"]))
dependent = [card.name for card in mff.methods.CARDS.values() if card.order_matters]
print("the order of more than two frames matters to:", ", ".join(dependent))

# %% [markdown]
# So give the frames in the order of their focus, which the alignment needs in any case, and keep to one direction.
#
# ## Commands to copy
#
# The command line does all of this. First let it look: it names what it finds, and what would help.

# %%
print(run_command("mffrepro fuse card -m lp -o look.jpg", card.parent))

# %%
print(
    run_command(
        "mffrepro fuse card -m lp --align --hot-pixels --balance "
        "-o result.tif -o result.jpg --quality 92 --depth depth.tif",
        card.parent,
    )
)
same = mff.read_image(card.parent / "result.tif")
print("equal to the result above:", np.array_equal(same, fused["lp"].image))

# %% [markdown]
# More, for other cases:
#
# ```shell
# mffrepro fuse card/ -m focal -o result.tif --align
# mffrepro fuse card/ -m focal -o result.tif --align --model homography
# mffrepro fuse card/ -m focal -o result.tif --align --save-transforms moves.json
# mffrepro fuse --each cards/ -m focal -o "fused/{name}.tif" --align
# mffrepro fuse card/ -m focal -o result.tif --align --depth depth.tif --confidence sure.tif
# mffrepro fuse card/ -m focal -o result.tif --align --depth depth.png --step-um 5
# mffrepro fuse card/ -o result.tif --white 4095
# mffrepro fuse DSC_0001.NEF DSC_0002.NEF -o result.tif --align
# mffrepro align card/ -o aligned/
# ```
#
# The fourth takes many stacks in one run: sub-folders, or one folder that is split where more than ten seconds pass between two photographs. A
# depth in a TIFF holds numbers, with `--step-um` micrometres; in a PNG it is a picture in colours. `--white` is for 12-bit data in files of 16
# bits. Camera RAW needs `pip install 'mffrepro[camera]'`.
#
# So the question at the top has this answer: check, mend the sensor, align, balance, then fuse. Without alignment no method helps. After it,
# choose the method by the table of subjects, where methods lie several decibels apart.

# %% [markdown]
# ## Exercises
#
# ### Check yourself
#
# <details><summary>Why are hot pixels filled before the frames are aligned, and light balanced after it?</summary>
#
# A hot pixel stays at one place of the sensor. Only before frames move is it at the same place in all of them. Light is compared at
# the same place of the scene, and only after frames have moved is that the same pixel.
#
# </details>
#
# <details><summary>Why does alignment resample every frame, even the middle one that could stay where it is?</summary>
#
# Resampling softens a little. A frame that is left alone would look sharper than its neighbours, and a focus measure would choose it
# where another frame is in focus.
#
# </details>
#
# <details><summary>Why does averaging come close to the other methods at high noise, and not at low noise?</summary>
#
# The mean of eight frames has about a third of the noise of one. At high noise this gains as much as the blur of the other frames
# costs. At low noise there is nothing to gain.
#
# </details>
#
# ### Try it
#
# **1.** Take the shots with `Faults(shake=12)`, then with `turn=3`. Does the alignment still find its way, and what does it
# cost?
#
# <details><summary>Hint</summary>
#
# `placement_errors` measures the distance of each frame from the mean position, before and after. Without a dark frame, no
# frame has to be left out first. `alignment.common_area` says what is left of the picture.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# It does: frames that lie up to 18 pixels apart come to within 0.05 pixels, as at the usual shake. The cost is the picture: 78
# % of it is left with `shake=12` and 84 % with `turn=3`, instead of 94 %, since only what all frames show is kept. Features are
# matched anywhere in the image, so a large displacement is no harder than a small one as long as enough of the scene is in both
# frames. So leave room around the subject.
#
# ```python
# from mffrepro import alignment
# from mffrepro.benchmarks.handheld import placement_errors
# from mffrepro.data.handheld import Faults, take_shots
#
# kept = {}
# for name, change in {
#     "usual": {},
#     "shake=12": {"shake": 12},
#     "turn=3": {"turn": 3},
# }.items():
#     shots = take_shots(Faults(dark_frame=None, **change), frames=5, size=320)
#     height, width = shots.images.shape[1:3]
#     moves = alignment.estimate(shots.images)
#     before, after = placement_errors(shots), placement_errors(shots, moves)
#     rows, columns = alignment.common_area(moves, (height, width))
#     area = (rows.stop - rows.start) * (columns.stop - columns.start)
#     kept[name] = area / (height * width)
#     print(f"{name}: {before.max():.1f} to {after.max():.2f} px, {kept[name]:.0%} kept")
#     assert after.max() < 0.3 < 3 < before.max()
# assert kept["usual"] > 0.9
# assert max(kept["shake=12"], kept["turn=3"]) < 0.9
# ```
#
# </details>
#
# **2.** `take_shots(frames=4)` leaves gaps between the focus settings. Where in the picture does it show?
#
# <details><summary>Hint</summary>
#
# Switch all faults off (`NONE`). `Shots.true_depth` tells the frame in which each pixel is sharpest, with fractions: 1.5 lies
# between two settings. Compare the errors there with those near whole numbers.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# With four frames the error is 1.1 gray levels where a setting was in focus and 2.6 between two settings; with eight frames 0.8
# and 1.7. At a depth between two settings every frame is a little blurred, and no method can choose what was not photographed.
# The soft band lies at the same depth everywhere in the picture, across objects.
#
# ```python
# import numpy as np
# import mffrepro as mff
# from mffrepro.data.handheld import NONE, take_shots
#
# found = {}
# for frames in (4, 8):
#     shots = take_shots(NONE, frames=frames, size=320)
#     stack = shots.with_truth(mff.FocusStack("tripod", shots.images))
#     fused = mff.fuse(stack, "lp").image
#     error = np.abs(fused.astype(float) - stack.reference).mean(-1)
#     depth = shots.true_depth(error.shape)  # in frames, with fractions
#     gap = np.abs(depth - depth.round())
#     found[frames] = error[gap < 0.1].mean(), error[gap > 0.4].mean()
#     print(f"{frames} frames: error {found[frames][0]:.1f} levels in focus,", end=" ")
#     print(f"{found[frames][1]:.1f} between two settings")
# assert found[4][1] > 2 * found[4][0]
# assert found[4][1] > 1.5 * found[8][1]
# ```
#
# </details>
#
# **3.** Set `noise=8` in `Faults`. Which of the four steps suffers first?
#
# <details><summary>Hint</summary>
#
# Check each step by the truth: which frames were left out, which share of the hot pixels was found, how far the frames lie
# apart. Then fuse by `lp` and by `average`.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# None of them: the dark frame is found, 97 % of the hot pixels are, and the frames lie within 0.05 pixels, as with little
# noise. All four steps use means or medians over many pixels or all frames, in which noise nearly vanishes. The fusion suffers:
# `lp` falls from 33.3 to 28.8 dB, because it takes the largest detail, and noise is detail to it. `average` hardly changes
# (27.2 and 27.0 dB), since it averages the noise away together with the detail.
#
# ```python
# import numpy as np
# import mffrepro as mff
# from mffrepro.benchmarks.handheld import placement_errors, prepare
# from mffrepro.data.handheld import Faults, take_shots
# from mffrepro.images.checks import find_outliers
# from mffrepro.images.hot_pixels import find_hot_pixels
#
# psnr = {}
# for noise in (0.5, 8):
#     shots = take_shots(Faults(noise=noise), size=320)
#     outliers = [one.index for one in find_outliers(shots.images, registered=False)]
#     made = prepare(shots)
#     hot = find_hot_pixels(shots.images[list(made.frames)]).any(-1)
#     share = (hot & shots.hot).sum() / shots.hot.sum()
#     off = placement_errors(shots, made.transforms, made.frames).max()
#     psnr[noise] = {
#         name: mff.evaluate(made.stack, mff.fuse(made.stack, name), ["psnr"])["psnr"]
#         for name in ("lp", "average")
#     }
#     print(f"noise {noise}: outliers {outliers}, {share:.0%} of the hot pixels found,")
#     scores = ", ".join(f"{name} {value:.1f} dB" for name, value in psnr[noise].items())
#     print(f"  frames at most {off:.2f} px off; {scores}")
#     assert outliers == [5] and share > 0.8 and off < 0.3
# assert psnr[8]["lp"] < psnr[0.5]["lp"] - 3
# assert psnr[8]["average"] > psnr[0.5]["average"] - 2
# ```
#
# </details>
#
# **4.** Fill the hot pixels after the alignment instead of before it. How many are found, and what does it cost?
#
# <details><summary>Hint</summary>
#
# Estimate the transforms once and use them for both orders, so that nothing else differs. `handheld.cropped` makes the
# transforms that `with_truth` needs.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# Before the alignment 65 pixels are found, among them nearly all of the 60 that were put in. After it three are: each hot pixel
# now lies at another place in every frame, and in most frames its place shows the scene. The result falls from 33.4 to 25.3 dB,
# because the pyramid takes every bright point for the sharpest detail. The order of the steps is no matter of taste.
#
# ```python
# import mffrepro as mff
# from mffrepro import alignment
# from mffrepro.benchmarks.handheld import cropped
# from mffrepro.data.handheld import Faults, take_shots
# from mffrepro.images.hot_pixels import fill_hot_pixels
#
# shots = take_shots(Faults(dark_frame=None, light=0), size=320)
# filled, early = fill_hot_pixels(shots.images)
# moves = alignment.estimate(filled)  # the same for both orders
# first = alignment.apply(filled, moves).images
# after, late = fill_hot_pixels(alignment.apply(shots.images, moves).images)
#
# psnr = {}
# for name, images in {"filled first": first, "filled after": after}.items():
#     stack = mff.FocusStack(name, images)
#     stack = shots.with_truth(stack, cropped(moves, shots.images.shape[1:3]))
#     psnr[name] = mff.evaluate(stack, mff.fuse(stack, "lp"), ["psnr"])["psnr"]
# print(f"{early} pixels found before the alignment, {late} after it")
# print(*(f"{name}: {value:.1f} dB" for name, value in psnr.items()))
# assert early >= 50 > 20 > late
# assert psnr["filled first"] > psnr["filled after"] + 3
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
provenance(run, started, ["gacn.default"])
