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
# # The classical toolbox: fusion without training
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/02_baselines.ipynb)
#
# Pyramids, wavelets, guided filters, focus measures, sparse codes, spiking neurons: thirty years of methods stand in the tables of every paper,
# mostly as one row without a picture. What does each compute, where does it fail, is ours the same as the one that others ran, and **which should
# you choose?**
#
# *Needs: nothing but a CPU; about half a minute (quick); the full profile takes far longer.*

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
from scipy import ndimage

import mffrepro as mff
from mffrepro.data.manifests import manifest_folder
from mffrepro.fusion import curvelet, dictionaries, dtcwt, nsct, nsst, pyramid, sparse
from mffrepro.fusion.rules import choose_max
from mffrepro.images import to_gray, to_unit
from mffrepro.report import figures, tables

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## What a classical method is
#
# A rule that somebody wrote down, and no training on pairs. Nearly all have the same three parts:
#
# 1. **A measure of focus.** A transform or a filter whose values are large where the photograph is sharp.
# 2. **A rule.** Mostly: take the larger. Blur only ever takes detail away, so the larger one comes from the sharper source.
# 3. **Consistency.** Neighbours are asked for their vote, since a lone pixel that disagrees with all around it is most likely wrong.
#
# Who needs them? Everybody who compares: these are the rows of every table in the field. And everybody without a GPU or without
# photographs like those a network was trained on. Each is one call, for two images or for many:

# %%
size = 256 if run.quick else 512
stacks = mff.load("embedded", size=size)
stack = stacks["coffee_blur3"]
near, far = stack.images
result = mff.fuse([near, far], "lp")

lens = stacks["motorcycle_lens"]
many = mff.fuse(lens, "sml")
figures.comparison(
    {
        "near": near,
        "far": far,
        "fused": result.image,
        "first of eight": lens.images[0],
        "last": lens.images[-1],
        "all": many.image,
    },
    columns=3,
    alt="A cup of coffee, focused in front, behind, and fused; a motorcycle in a workshop, focused behind, in front, and fused from eight.",
    caption=f"Two images by a Laplacian pyramid in {result.seconds:.2f} s, {len(lens)} by their Laplacians in {many.seconds:.2f} s.",
)

# %% [markdown]
# This is what there is. *Colour* says where the decision is made: on each channel by itself, on luma, or once per pixel; *map*
# whether a method says which source it took. The notes matter: not every name in a table of comparison can be traced to a paper.

# %%
cards = [card for card in mff.methods.CARDS.values() if card.kind == "classical"]
facts = {
    card.name: {"title": card.title, "colour": card.colour, "map": "yes" if card.has_decision else "", "note": card.note}
    for card in cards
}
listed = tables.plain(pd.DataFrame(facts).T, caption="Classical methods of this package")
listed.set_properties(subset=["title", "colour"], **{"white-space": "nowrap !important"})
listed.set_properties(subset="note", **{"min-width": "14em"})

# %% [markdown]
# Below, one section per family, each with one picture of what its methods compute, made of the package's own arrays.

# %%
gray = to_gray(to_unit(stack.images, np.float64))
truth = stack.decision
share = gray.shape[1] / 341  # boxes are given for the size of the full profile


def box(*places):
    return tuple(round(place * share) for place in places)


rim, saucer = box(45, 315, 50, 65), box(200, 50, 50, 65)

# %% [markdown]
# ## Pyramids: `lp`, `rp`
#
# Shrink the image, enlarge it again, subtract: what is missing is the finest detail, one octave. Do the same with the small image, and
# so on ([Burt and Adelson, 1983](https://doi.org/10.1109/TCOM.1983.1095851)). In every octave the larger value wins; the smallest images are
# averaged. The ratio pyramid ([Toet, 1989](https://doi.org/10.1016/0167-8655%2889%2990003-2)) divides instead of subtracting, because the eye
# sees ratios.

# %%
smaller = [pyramid.analyse(image, 1)[1] for image in gray]
octaves = [pyramid.analyse(image, 1)[0][0][: image.shape[0], : image.shape[1]] for image in smaller]
ratios = [np.log(image / (image - octave)) for image, octave in zip(smaller, octaves, strict=True)]
kept = choose_max(np.stack(octaves))
limit = np.quantile(np.abs(kept), 0.99)
figures.comparison(
    {
        **{
            label: figures.signed(level, limit=limit)
            for label, level in zip(("near", "far", "kept"), [*octaves, kept], strict=True)
        },
        "from near (white)": (kept == octaves[0]).astype(float),
        **{f"log ratio, {label}": figures.signed(ratio, limit=0.3) for label, ratio in zip(("near", "far"), ratios, strict=True)},
    },
    columns=3,
    alt="Second octave of both sources: lines on the cup in near, on the table in far, and both in what is kept; a map of the choice; ratios.",
    caption="The second octave. Where neither source has detail the choice is noise, and it does not matter there.",
)

# %% [markdown]
# The choice follows the cup, roughly. At its outline each octave decides for itself, and the detail of one source is put upon the base of
# both: that is the faint ghost along edges which the gallery below shows.
#
# ## Wavelets: `dwt`, `swt`, `dtcwt`
#
# A wavelet transform tells horizontal, vertical and diagonal detail apart. The plain one keeps every second sample of each octave, every
# eighth of the third: fast, and exactly enough to rebuild the image. But an edge that falls between two samples is hardly seen.
# Move the camera by one pixel and other coefficients win. The stationary transform keeps all samples; the complex one keeps four
# times as many as the plain one and takes magnitudes, which change less when the image moves.


# %%
def haar(image, side=8):
    """Haar's detail of the third octave, along columns, at every pixel: half a window minus the other half."""
    half = ndimage.uniform_filter(image, (side // 2, side))
    return np.abs(half[side // 2 :] - half[: -side // 2])


def third_octave(image):
    every = haar(image)
    return {"wavelets": every[::8, ::8], "stationary": every, "complex": np.abs(dtcwt.analyse(image, 3)[0][2][2:4]).max(0)}


still, moved = (third_octave(gray[0][start : start - 8, start : start - 8]) for start in (0, 4))
pictures = {}
for suffix, octave in (("", still), (", moved", moved)):
    for name, values in octave.items():
        side = 1 if name == "stationary" else 8
        pictures[name + suffix] = figures.heat(np.kron(values, np.ones((side, side))), high=np.quantile(still[name], 0.99))
figures.comparison(
    pictures,
    columns=3,
    alt="Third octave by three wavelet transforms; below, the same after a move by four pixels: the first changes most.",
    caption="Strength of horizontal edges in the third octave. Below, the photograph was moved by four pixels: the first transform sees other edges.",
)

# %% [markdown]
# Does it matter for fusion? Fuse the same scene twice, the second time with a frame that begins one pixel further down and right, and
# subtract the results. A method that follows the scene and not the grid leaves nothing.

# %%
#: Up to half a minute per channel with their published settings: the quick profile takes larger tolerances and steps.
cheap = {"eps": 10.0, "stride": 4}
faster = {"sr": cheap, "asr": cheap, "csr": {"tolerance": 5e-2}, "pcnn": {"iterations": 60}}
options = {card.name: faster.get(card.name, {}) if run.quick else {} for card in cards}
steady = {name: chosen | ({"stride": 1} if "stride" in chosen else {}) for name, chosen in options.items()}  # a step is a grid
top, left, side = (round(place * gray.shape[1] / 341) for place in (40, 300, 160))
crop = [image[top : top + side, left : left + side] for image in gray]


def unsteady(method, margin=20):
    """Root of the mean squared change of the result, in gray levels of 0..255, when the frame moves by one pixel."""
    frames = (np.s_[:-1, :-1], np.s_[1:, 1:])
    first, second = (mff.fuse([image[frame] for image in crop], method, **steady[method]).image for frame in frames)
    gap = first[1:, 1:] - second[:-1, :-1]
    return 255 * np.sqrt(np.square(gap[margin:-margin, margin:-margin]).mean())


# %%
changes = pd.Series({card.name: unsteady(card.name) for card in cards}).sort_values(ascending=False)
figures.bars(
    changes.to_dict(),
    xlabel="change of the fused image, gray levels",
    alt="Bars of how much the result of each method changes when the frame moves by one pixel; long for those on a grid.",
    caption="The frame moves by one pixel. On a decimated grid other coefficients win; msvd learns another transform, gd sets another range.",
)

# %% [markdown]
# ## Directions: `cvt`, `nsct`, `nsst`, `dchwt`
#
# Edges have more directions than three. Curvelets ([Candès et al., 2006](https://doi.org/10.1137/05064182X)), contourlets
# ([da Cunha et al., 2006](https://doi.org/10.1109/TIP.2006.877507)) and shearlets
# ([Easley et al., 2008](https://doi.org/10.1016/j.acha.2007.09.003)) cut each octave into wedges of direction; the last two without
# decimation, so that nothing depends on a grid. The cosine harmonic wavelets cut dyadic blocks out of one cosine transform.

# %% tags=["hide-input"]
contourlets, shearlets = nsct.analyse(gray[0], (16, 8, 8, 4))[0][1], nsst.analyse(gray[0], (16, 16, 8, 8), (16, 16, 8, 8))[0][2]
curvelets = curvelet.analyse(gray[0])[0][1]
picks = [np.linspace(0, len(bands), 4, endpoint=False).astype(int) for bands in (contourlets, shearlets, curvelets)]
directions = {}
for name, bands, pick in zip(("contourlet", "shearlet", "curvelet"), (contourlets, shearlets, curvelets), picks, strict=True):
    for i in pick:
        band = ndimage.zoom(bands[i].real, np.divide(gray[0].shape, bands[i].shape), order=1)
        directions[f"{name} {i + 1} of {len(bands)}"] = figures.signed(band)
figures.comparison(
    directions,
    alt="The near-focused cup in four directions of three transforms: each picture holds the lines of one direction only.",
    caption="Four directions of one octave of the near-focused source. Contourlets and shearlets keep every pixel; curvelets have a grid of their own.",
)

# %% [markdown]
# ## Weights smoothed along edges: `gff`, `mgivf`, `cbf`
#
# A map of winners per pixel has a ragged border, and blurring it would blur the outline. A **guided filter**
# ([He et al., 2013](https://doi.org/10.1109/TPAMI.2012.213)) smooths the map but lets it jump where the photograph does. GFF
# ([Li et al., 2013](https://doi.org/10.1109/TIP.2013.2244222)) does so twice: widely for the base, narrowly for the detail. The other two filter the
# sources along each other's edges and weigh them by what that took away.

# %%
from mffrepro.baselines import cbf, gff

saliency = np.stack([gff.measure_saliency(image) for image in gray])
rough = (saliency.argmax(0) == np.arange(2)[:, None, None]).astype(float)
settings = {"radius": 5, "spatial_sigma": 1.8, "range_sigma": 25.0}
details = np.stack(
    [one - cbf.cross_bilateral(one, other, **settings) for one, other in zip(255 * gray, 255 * gray[::-1], strict=True)]
)
strength = np.stack([cbf.detail_strength(detail) for detail in details])
figures.comparison(
    {
        "gff: rough": rough[0],
        "gff: for the detail": gff.smooth_weights(rough, gray, 7, 1e-6)[0],
        "gff: for the base": gff.smooth_weights(rough, gray, 45, 0.3)[0],
        "cbf: detail of near": figures.signed(details[0]),
        "cbf: weight": strength[0] / strength.sum(0),
        "truth": truth[0],
    },
    columns=3,
    alt="Weights of the near-focused source: ragged before the guided filter, finer along the cup after a narrow one, soft after a wide one.",
    caption="White takes near. The narrow filter fits the border to the outline of the cup, the wide one makes the bases meet softly.",
)

# %% [markdown]
# ## Focus measures and decisions: `sf`, `eol`, `sml`, `dsift`, `mwg`, `focus_stack`
#
# If each pixel is to come from one source, the question is only: which? A **focus measure** says how much the gray values vary around a
# pixel: squared differences to the neighbours (spatial frequency), squared or absolute second differences (Laplacian), the strength of a SIFT
# descriptor. Then windows are summed, neighbours vote, islands go. What is left is a map, and where the truth is known the map
# can be marked: orange is wrong.

# %%
maps = {"truth": truth}
for card in cards:
    if card.has_decision:
        maps[card.name] = mff.fuse(stack, card.name, **options[card.name]).decision
figures.decision_maps(
    maps,
    truth=truth,
    alt="Decision maps of all classical methods that have one, beside the true outline of the cup; wrong pixels are orange.",
    caption="White takes near, black far, orange the wrong one. Without a vote (focus_stack) plain surfaces are guessed pixel by pixel.",
)

# %% [markdown]
# Much of what is wrong lies on plain surfaces, where it does no harm: both sources look alike there. What hurts is the outline.
# Multi-scale weighted gradients ([Zhou et al., 2014](https://doi.org/10.1016/j.inffus.2013.11.005)) therefore measure at two scales: a large
# one that is sure where it can be, and a small one for the band between.

# %%
from mffrepro.baselines import mwg

coarse, fine = ([mwg.saliency(255 * image, sigma) for image in gray] for sigma in (4.0, 0.5))
figures.comparison(
    {
        **{
            f"{name} scale": figures.heat(one / np.maximum(one + other, 1e-6))
            for name, (one, other) in (("large", coarse), ("small", fine))
        },
        "weight": mwg.weigh_pair(*(255 * gray), 4.0, 0.5),
        "truth": truth[0],
    },
    alt="Share of the near-focused source in the saliency at a large and a small scale, the weight made of both, and the truth.",
    caption="Share of near in the saliency of both: yellow is near, dark blue far. The weight takes the large scale, and the small one along the outline.",
)

# %% [markdown]
# ## Gradients: `gd`
#
# At every pixel take the steeper of the two gradients, then find the image that has these gradients
# ([Paul et al., 2016](https://doi.org/10.1142/S0218126616501231)). Mean and range are lost on the way. The authors stretch the result to the full
# range and equalise its contrast locally, so that it looks richer than any source, and is farther from the truth than the plain average.

# %%
plain, equalised = (mff.fuse(stack, "gd", limit=limit).image for limit in (1e-6, 0.003))
figures.comparison(
    {"reference": stack.reference, "integrated, stretched": plain, "equalised (gd)": equalised},
    zoom=[rim, saucer],
    columns=3,
    alt="The reference, the image integrated from the steepest gradients, and the same after equalisation: brighter, with other colours.",
    caption="Sharp, but not the same photograph any more.",
)

# %% [markdown]
# ## Statistics: `average`, `pca`, `msvd`
#
# Weights from the whole image: the first principal component of both sources. They differ in focus only, so they vary almost alike and
# the weights are almost equal. Multi-resolution SVD learns a little transform of 2×2 blocks from each source, in the place of a wavelet. Its first
# vector is the mean, the others are edges. They come out with an arbitrary sign, and averaging two of opposite sign leaves nothing.

# %%
from mffrepro.baselines import msvd, pca

print("weights of pca:", ", ".join(f"{weight:.4f}" for weight in pca.principal_weights(gray.reshape(2, -1))))
blocks = np.stack([msvd.to_blocks(image) for image in gray])
vectors = msvd.block_bases(blocks).transpose(0, 2, 1).reshape(2, 4, 2, 2).swapaxes(2, 3)  # blocks run down their columns
figures.comparison(
    {label: figures.mosaic(tiles, columns=4, enlarge=32) for label, tiles in zip(("near", "far"), vectors, strict=True)},
    columns=2,
    alt="Four blocks of two by two pixels learnt from each source: a flat one and three edges, nearly the same for both.",
    caption="What msvd learns from either source, strongest first.",
)

# %% [markdown]
# ## Sparse codes: `sr`, `asr`, `csr`, `mst_sr`
#
# Write each patch of 8×8 pixels as a sum of few **atoms** of a learned dictionary
# ([Yang and Li, 2010](https://doi.org/10.1109/TIM.2009.2026612)). A sharp patch needs more of them, so the sum of the magnitudes is a focus
# measure. ASR ([Liu and Wang, 2015](https://doi.org/10.1049/iet-ipr.2014.0311)) has a dictionary for each direction of edges; CSR
# ([Liu et al., 2016](https://doi.org/10.1109/LSP.2016.2618776)) codes the whole image with small filters; MST-SR
# ([Liu et al., 2015](https://doi.org/10.1016/j.inffus.2014.09.004)) codes only the base of a pyramid, which is small and therefore fast.

# %%
atoms = dictionaries.load("sr")[0]
patches = [np.lib.stride_tricks.sliding_window_view(255 * image, (8, 8))[::4, ::4] for image in crop]
signals = [patch.reshape(-1, 64) - patch.mean((2, 3)).reshape(-1, 1) for patch in patches]
codes = [sparse.activity(signal, atoms, eps=10.0)[0].reshape(patches[0].shape[:2]) for signal in signals]
largest = np.quantile(codes, 0.98)
figures.comparison(
    {
        "atoms of sr": figures.mosaic(atoms.T.reshape(-1, 8, 8)[:128], columns=16, enlarge=2),
        "atoms of asr, one direction": figures.mosaic(
            dictionaries.load("asr")[2].T.reshape(-1, 8, 8)[:128], columns=16, enlarge=2
        ),
        "filters of csr": figures.mosaic(dictionaries.load("csr"), columns=8, enlarge=4),
        **{f"code of {name}": figures.heat(code, high=largest) for name, code in zip(("near", "far"), codes, strict=True)},
        "near is larger": (codes[0] > codes[1]).astype(float),
    },
    columns=3,
    alt="Atoms of two dictionaries and filters of a third, all like small edges; the size of the codes of both sources; which is larger.",
    caption="Above, what was learned from photographs. Below, the sum of magnitudes of the code of each patch, on the right of the cup.",
)

# %% [markdown]
# ## Pulses: `pcnn`, `nmei`
#
# A neuron per pixel, fed with the local spatial frequency, fires when what it is fed, amplified by its neighbours' pulses, exceeds a threshold
# that falls until it fires and then jumps. Count the pulses: who is fed more fires more often, and neighbours fire together
# ([Qu et al., 2008](https://doi.org/10.3724/SP.J.1004.2008.01508)). `pcnn` does this in every direction of a contourlet transform, `nmei`
# on the pixels, with networks that hear each other.

# %%
from mffrepro.baselines import pulses

fed = np.stack([pulses.spatial_frequency(255 * image) for image in gray])
fed /= fed.max()
counted = {"alone": pulses.firings(fed), "with exchange": pulses.firings(fed, exchange=0.5)}
shown = {}
for i, name in enumerate(("near", "far")):
    shown[f"{name}: fed"] = figures.heat(np.sqrt(fed[i]))
    for kind, counts in counted.items():
        low, high = np.quantile(counts, (0.01, 0.99))
        shown[f"{name}: pulses {kind}"] = figures.heat(counts[i], low=low, high=high)
figures.comparison(
    shown,
    columns=3,
    alt="What the neurons of both sources are fed, and how often they fire, alone and when the networks hear each other.",
    caption="Fed: square root of the spatial frequency. Pulses: counts, from few (dark blue) to many (yellow), one scale for both sources.",
)

# %% [markdown]
# ## All of them on one pair
#
# The orange box lies on the rim of the cup and the spoon's handle, the blue one on the edge of the saucer and the table. What to look for:
#
# * `dwt`: steps and ringing along the outline, from the grid of its Haar wavelets.
# * `lp`, `rp` and the other transforms: a faint double contour where the octaves disagree.
# * `average`, `pca`, `msvd`: soft everywhere; half of the blur is kept.
# * `gd`: other colours and contrast.
# * `sf`: square steps along the outline; `focus_stack`: single wrong pixels.

# %%
wanted = ["psnr", "qabf", "qg", "qcb", "mask_iou"]
fused = {}


def measure(pair):
    """A row of seconds and scores per method; the images are kept in `fused`."""
    for card in cards:
        try:
            result = mff.fuse(pair, card.name, **options[card.name])
        except mff.MffError as error:  # a dictionary that is not at hand, an image that is too small
            print(card.name, "is left out:", error)
            continue
        fused[card.name, pair.name] = result.image
        applicable = wanted if card.has_decision else wanted[:-1]
        yield {"method": card.name, "seconds": result.seconds} | mff.evaluate(pair, result, applicable)


rows = list(measure(stack))

# %%
label = {card.name: f"{card.name} *" if card.note else card.name for card in cards}
figures.comparison(
    {"reference": stack.reference}
    | {label[card.name]: fused[card.name, stack.name] for card in cards if (card.name, stack.name) in fused},
    zoom=[rim, saucer],
    columns=3,
    alt="The fused cup by every classical method with the reference first, each with two magnified details.",
    caption=f"{stack.name}, {near.shape[1]} × {near.shape[0]} pixels. A star: see the note in the table of methods at the top.",
)

# %% [markdown]
# ## Time and scores
#
# Means over two pairs whose truth is known: one with a hard outline, one where the blurred foreground spreads over it. *Options* counts what
# the user of a method may set. PSNR and the overlap of the decision map compare with the truth; the other three see the sources alone
# ([Metrics](01_metrics.ipynb) says how far to trust them).

# %%
spread = stacks["astronaut_spread"]
rows += measure(spread)
scores = pd.DataFrame(rows).groupby("method", sort=False).mean()

# %%
counts = pd.DataFrame({"options": {card.name: len(card.options()) for card in cards}})
presets = ", ".join(f"{name} ({', '.join(f'{k}={v}' for k, v in chosen.items())})" for name, chosen in options.items() if chosen)
print("Faster settings in this profile:", presets or "none")
title = f"Means over {stack.name} and {spread.name}"
tables.scores(counts.join(scores[[*wanted, "seconds"]]), caption=title, digits=3).format("{:.0f}", subset="options").format(
    "{:.1f}", subset="psnr"
).format("{:.2f}", subset="seconds")

# %% [markdown]
# ## Are these the methods that others ran?
#
# A name in a table says little: depth, filters, rule, treatment of colour and of borders all have to be guessed. So each method here is held
# against images that others published without loss: a survey of the field
# ([Liu et al., 2020](https://doi.org/10.1016/j.inffus.2020.06.013)) and the benchmark MFIFB
# ([Zhang et al., 2020](https://arxiv.org/abs/2005.01116)). The images are not ours to ship, so the comparison was recorded (by
# `tests/golden/regenerate_fidelity.py`; a test measures part of it again where the images are at hand). *Equal* is the share of values that are
# the same after rounding, in the worst image; PSNR is that of the worst image, and ∞ where all values are equal.

# %%
images = pd.read_csv(manifest_folder() / "fidelity" / "images.csv", keep_default_na=False, dtype={"psnr": float})
images["stored"] = images["image"].str.extract(r"^[a-z]+_\d+_(.+)$")
publisher = {"liu2020survey": "survey", "zhang2020mfifb": "MFIFB"}
rows = []
for card in cards:
    for (settings, against, stored), group in images[images["method"] == card.name].groupby(
        ["options", "against", "stored"], sort=False
    ):
        row = {"method": card.name, "settings": settings or "default", "compared with": f"{publisher[against]}, {stored}"}
        worst = {"images": f"{len(group)}", "equal": f"{group['equal'].min():.3%}", "PSNR": f"{group['psnr'].min():.1f}"}
        rows.append(row | worst)
    if card.name not in set(images["method"]):
        rows.append({"method": card.name, "settings": "", "compared with": "–", "images": "–", "equal": "–", "PSNR": "–"})
fidelity = pd.DataFrame(rows).replace("inf", "∞")
tables.plain(fidelity, caption="Against published images: the worst of each").hide(axis="index")

# %% [markdown]
# `lp` and `rp` have no published image of their own: they are held against their twins whose base, a 256th of the pixels, is fused by sparse codes. A dash: no
# image is published without loss, or none was at hand. The sparse methods are compared with the dictionary of their authors, which
# `dictionary="published"` fetches; ours is another, and fuses some patches otherwise.
#
# Where no image is published there are sometimes scores. The authors of GACN recorded theirs for 26 pairs
# (their table is in the [chapter on GACN](07_gacn.ipynb)); beside the mean of each record stands the gap, by how much ours on the
# same pairs is higher, by the same protocol. Part of that protocol is in no paper and was found by these scores: the fused images were cut
# down to 8 bits, not rounded.

# %% tags=["hide-input"]
records = pd.read_csv(manifest_folder() / "fidelity" / "scores.csv", keep_default_na=False)
index = ["method", "options"]
recorded, measured = (
    records.pivot_table(index=index, columns="metric", values=side, sort=False) for side in ("recorded", "measured")
)
heads = {"theirs": recorded, "gap": measured - recorded}
beside = pd.concat(heads, axis=1).swaplevel(axis=1)[[(metric, head) for metric in recorded.columns for head in heads]]
beside.index = [" ".join(filter(None, key)) for key in beside.index]
tables.plain(
    beside, digits=3, caption=f"Means over {records['pairs'].max()} pairs: recorded by others, and ours minus that"
).format("{:+.3f}", subset=[c for c in beside if c[1] == "gap"])

# %% [markdown]
# Three rows of the records lie a tenth and more under ours, lower than a method can score that copies pixels of the sharper source. Two of them are
# explained here:
#
# * `sf`: what was scored is the plain average of the sources, as it comes out if the threshold is never reached, for instance because images in
#   $[0, 1]$ are compared with a threshold meant for $[0, 255]$. The row *SF* of the paper's Table 1 is therefore that of averaging.
# * `focus_stack`: the program registers the images before it fuses them, although these are registered already. The homography it finds is a little
#   wrong, the second image is resampled, and $Q_g$ loses a tenth. With `register=True` ours does the same.
# * `dsift`: on some of the pairs $Q_g$ is that of the average as well, while the image that others published is the one computed here (table
#   above). The remaining pairs are unexplained.
#
# `dwt` and `mwg` differ by about a hundredth: the wavelet and the settings behind those records are unknown. `sr` is left out, since our dictionary is
# another.
#
# Why a method is not, or not exactly, the original is said in its docstring, under *Deviations*:

# %%
differing = {card.name: {"deviations": text} for card in cards if (text := tables.deviations(card))}
tables.plain(pd.DataFrame(differing).T)

# %% [markdown]
# ## What to choose when
#
# First what the numbers of this page say:

# %%
ranked = scores.sort_values("psnr", ascending=False)
within = ranked[ranked["psnr"] > ranked["psnr"].iloc[0] - 1].sort_values("seconds")
copying = ranked[[mff.methods.CARDS[name].has_decision for name in ranked.index]]
followers = changes[changes < 0.1].index
print("nearest to the truth:", ", ".join(f"{name} {value:.1f} dB" for name, value in ranked["psnr"].head(5).items()))
print(f"fastest within a decibel of the best: {within.index[0]}, {within['seconds'].iloc[0]:.2f} s")
print("best of those that copy pixels:", ", ".join(f"{name} {value:.1f} dB" for name, value in copying["psnr"].head(3).items()))
print("change by less than a tenth of a gray level when the frame moves:", ", ".join(followers))
agreement = ", ".join(f"{name} {scores['psnr'].corr(scores[name], 'spearman'):.2f}" for name in ("qabf", "qg", "qcb"))
print("rank correlation of PSNR with", agreement)

# %% [markdown]
# Then what follows, for somebody who has to pick one:
#
# * **A first look, or a weak machine:** `lp`. Nothing to set, and only a step behind the best.
# * **The best picture without a decision map:** an undecimated transform or guided filter. They blend at the outline, where copying must err on
#   one side.
# * **Original pixels, for measurements or for a map of depth:** a method with a decision map. Look at the map before you trust it, and
#   expect its errors at the outline and on plain surfaces.
# * **Many slices:** a focus measure. Its cost grows with the number of slices by one small filter each.
# * **A row in a table of comparison:** the method that the others ran. Say which settings, and use one whose line above is exact.
# * **Not:** `average`, `pca` and `msvd` where sharpness counts; `gd` where the colours must stay; sparse codes where time counts: hold their
#   rows against that of `lp`.
#
# Limits: two pairs with synthetic blur, registered to the pixel and without noise. With noise the ranks may
# be others, since a focus measure cannot tell it from detail. The [chapter on GACN](07_gacn.ipynb) puts a network beside these.
#
# ## Exercises
#
# 1. Add Gaussian noise to both sources. Which methods begin to copy the noise of the blurred source?
# 2. `dwt` takes any wavelet: `mff.fuse(stack, "dwt", wavelet="db3", mode="symmetric")`. Is it less sensitive to the grid?
# 3. Take `levels=1` to `levels=6` for `lp`. When does the ghost at the outline appear?
# 4. Write a focus measure of your own: `CONTRIBUTING.md` shows how in one file. It will appear in every table of this page.

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
from mffrepro.report.provenance import provenance

provenance(started, ["dictionaries.default"])
