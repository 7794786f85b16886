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
# # The deep baselines: seventeen rows of every table
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mffrepro/mffrepro/blob/main/notebooks/08_networks.ipynb)
#
# SESF-Fuse, DRPL, GCF, p-CNN, MSCNN, IFCNN, a U-Net, DeepFuse, DIF-Net, DenseFuse, U2Fusion, FusionDN, MFF-GAN, PMGI, MFF-SSIM: recent papers compare with them, in one line each. LightMFF and StackMFF-V2
# are what has come since: one is tiny, the other reads a whole focal stack at once. ZMFF is of that time too; it takes hours for a pair and has a section of its own. What does each compute, what does its training ask for, how much of its score
# comes from the way its program saves a file, and does **computing every pixel anew** ever beat **choosing pixels** of the sources?
#
# The answer to the last question depends on what is asked. On real pairs, the networks with a decision map have the higher mean on all six metrics of GACN (C4.12), which
# reward copying. By PSNR, where the truth is known, the best network has a decision map, but some that compute every pixel are ahead of most
# others: the table *Either kind* below counts them.
#
# *Needs: a CPU; about a minute (quick), ten (full). With `retrain = "yes"` a GPU.*
#
# *Read first: [GACN](07_gacn.ipynb), for what a decision map and the activity level of a network are.*

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
from mffrepro.benchmarks import computed_or_recorded
from mffrepro.data.photographs import is_fetched
from mffrepro.images import to_gray, to_unit
from mffrepro.models import (
    branches,
    deepfuse,
    densefuse,
    difnet,
    drpl,
    fusiondn,
    gcf,
    ifcnn,
    lightmff,
    mff_gan,
    mff_ssim,
    mscnn,
    pixel_cnn,
    pmgi,
    sesf,
    stackmff,
    u2fusion,
    unet,
    zmff,
)
from mffrepro.models.layers import to_tensor
from mffrepro.models.weights import card
from mffrepro.report import diagram, fidelity, figures, gacn26, style, tables, trainings
from mffrepro.report.leaderboard import left_out
from mffrepro.report.provenance import provenance
from mffrepro.report.source import show_source

started = time.perf_counter()
run = mff.profile(profile, dataset=dataset, device=device, retrain=retrain, seed=seed)

# %% [markdown]
# ## A family tree
#
# Two questions sort the methods. **What comes out?** A decision map copies each pixel from a source; a decoder computes every pixel anew. **What does
# the training ask for?** Labels of patches or pixels need synthetic pairs. A reconstruction needs single photographs only, and relies on features
# that rebuild an image to tell sharp from blurred as well. The others reward similarity to both sources, or to the larger gradient.

# %% tags=["hide-input"]
diagram.tree(
    "a pair",
    {
        "decision map": {
            "patches": ["CNN-Fuse", "MSCNN", "p-CNN"],
            "labels": ["GACN", "DRPL", "LightMFF"],
            "gradients": ["GCF"],
            "reconstruction": ["SESF-Fuse"],
            "depth": ["StackMFF-V2"],
        },
        "decoder": {
            "the photograph": ["IFCNN", "U-Net"],
            "reconstruction": ["DenseFuse"],
            "both sources": ["DeepFuse", "DIF-Net", "U2Fusion", "FusionDN", "PMGI"],
            "an adversary": ["MFF-GAN"],
        },
        "optimisation": {"both sources": ["MFF-SSIM", "ZMFF"]},
    },
    alt=(
        "A tree: decision maps from patches, labels, gradients, reconstruction, depth; "
        "decoders from the photograph, both sources, or an adversary; optimisation."
    ),
    caption=(
        "What comes out, and what the training asks for. MFF-SSIM optimises the fused "
        "image itself, and ZMFF networks that paint it, for each pair anew."
    ),
)

# %% tags=["hide-input"]
described = [
    method for method in mff.methods.CARDS.values() if method.chapter == "08_networks"
]
family = [method for method in described if method.seconds < 3600]  # not ZMFF
facts = {
    method.name: {
        "title": method.title,
        "colour": method.colour,
        "weights": ", ".join(method.weights),
        "note": method.note,
    }
    for method in described
}
listed = tables.plain(pd.DataFrame(facts).T, caption="The methods of this chapter")
listed.set_properties(
    subset=["title", "colour"], **{"white-space": "nowrap !important"}
)
listed.set_properties(subset="note", **{"min-width": "12em"})

# %% [markdown]
# ## Layouts
#
# The diagrams are drawn from the networks themselves, at the authors' width, for images of 96 × 96. First the networks that decide. **SESF-Fuse** has the
# feature path that GACN took over, and drops its decoder after the training. Its decision takes the image with the larger activity level
#
# $$S = \sum_c \sum_{-r \le a,b \le r} \left[(\Delta_x \phi_c)_{m+a,n+b}^2 + (\Delta_y \phi_c)_{m+a,n+b}^2\right], \qquad r = 5,$$
#
# the squared differences $\Delta_x$ and $\Delta_y$ of all 64 feature maps $\phi_c$ to the left and upper neighbour, summed over a window around each pixel. **DRPL** reads
# the pair in both orders. Its layout is our reading, because the table of layers in its paper was not available.

# %% tags=["hide-input"]
blank = torch.zeros(1, 1, 96, 96)
blue, orange, green, red = style.PALETTE[:4]


def boxes(network, inputs, layers):
    """Boxes: text -> name of a submodule, whose maps are traced, or a text."""
    shapes = diagram.trace_shapes(network.eval(), inputs)
    return [
        (text, f"{shapes[name][1]} × {shapes[name][2]}²" if name in shapes else name)
        for text, name in layers.items()
    ]


sesf_layers = {"gray": "1 × 96²"} | {
    f"conv {i + 1}\n+ CSE": f"features.se.{i}" for i in range(4)
}
sesf_layers |= {
    "spatial\nfrequency": "1 × 96²",
    "opening ...\nguided filter": "1 × 96²",
}
drpl_layers = {
    "A, B in gray": "2 × 96²",
    "conv, conv": "entry",
    "stride 2": "down",
    "dilated\n1 2 4 8 4 1": "around",
}
drpl_layers |= {"1 × 1,\nenlarged": "up", "joined,\nconv": "exit.0", "logit": "exit.1"}
diagram.flow(
    [
        (
            "SESF-Fuse, once per photograph",
            boxes(sesf.SESF(), (blank,), sesf_layers),
            blue,
        ),
        (
            "DRPL, in both orders",
            boxes(drpl.DRPL(), (blank, blank), drpl_layers),
            orange,
        ),
    ],
    alt=(
        "Two rows of boxes: four dense convolutions, spatial frequency, morphology; "
        "and an encoder and decoder with dilated convolutions."
    ),
    caption="Networks with a decision map. CSE: channel attention.",
)

# %% [markdown]
# Then the networks with a decoder. **IFCNN** and **DenseFuse** compute features $\phi^j$ of each image $j$ separately and join them by a rule without parameters, so
# they take any number $N$ of images at once. IFCNN keeps the largest value, $\max_j \phi^j$. DenseFuse adds, $\frac{1}{N} \sum_j \phi^j$, or weights by activity:
#
# $$\sum_j \frac{a^j}{\sum_k a^k}\, \phi^j, \qquad a^j = \text{mean over } 3 \times 3 \text{ pixels of } \lVert \phi^j \rVert_1.$$
#
# The other networks read the pair together. **MFF-GAN** and **PMGI** share a generator with two branches that exchange their feature maps twice.

# %% tags=["hide-input"]
blank3 = torch.zeros(1, 3, 96, 96)
dense = {"conv 1": "conv1", "3 dense": "dense", "mean or l1": "64 × 96²"} | {
    f"decode {i + 1}": f"decoder.{i}" for i in range(4)
}
u2 = {"A, B": "2 × 96²", "conv 1": "conv1", "5 dense": "dense"} | {
    f"decode {i + 1}": f"decoder.{i}" for i in range(4)
}
dn = {
    "A, B": "2 × 96²",
    "conv 1": "conv1",
    "4 dense\nblocks": "dense",
    "conv, twice": "twice",
}
dn |= {f"decode {i + 1}": f"decoder.{i}" for i in range(3)}
branch = {
    "layer 1\n5 × 5": "near.layer1",
    "layer 2": "near.layer2",
    "exchange": "near.layer2_3",
    "layer 3": "near.layer3",
}
branch |= {
    "exchange ": "near.layer3_4",
    "layer 4": "near.layer4",
    "all maps\n1 × 1": "layer5",
}
if_layers = {
    "RGB": "3 × 96²",
    "conv 1\n7 × 7": "conv1",
    "conv 2": "conv2",
    "largest": "64 × 96²",
}
if_layers |= {"conv 3": "conv3", "conv 4\n1 × 1": "conv4"}
diagram.flow(
    [
        (
            "IFCNN, all images at once",
            boxes(ifcnn.IFCNN(), (blank3, blank3), if_layers),
            blue,
        ),
        (
            "DenseFuse, each channel",
            boxes(densefuse.DenseFuse(), (blank, blank), dense),
            orange,
        ),
        ("U2Fusion, luma", boxes(u2fusion.U2Fusion(), (blank, blank), u2), green),
        ("FusionDN, luma", boxes(fusiondn.FusionDN(), (blank, blank), dn), red),
        (
            "MFF-GAN, luma: one of two branches",
            boxes(mff_gan.MFFGAN(), (blank, blank), branch),
            blue,
        ),
        (
            "PMGI, luma: one of two branches",
            boxes(pmgi.PMGI(), (blank, blank), branch),
            orange,
        ),
    ],
    alt=(
        "Six rows of boxes, one for each decoder, from the sources over convolutions "
        "to the fused image."
    ),
    caption=(
        "Networks with a decoder. Dense: each convolution reads all maps before it."
    ),
)

# %% [markdown]
# ### The code, for reading
#
# All networks are small enough to be read. These two stand for their families:

# %%
show_source(ifcnn.IFCNN, branches.TwoBranches)

# %% [markdown]
# ### Parameters and multiply-adds
#
# At the authors' width, for a pair of 520 × 520 colour photographs as each network treats it: DenseFuse each channel, DRPL both orders, SESF-Fuse without its
# decoder, LightMFF at 256 × 256. A multiply-add is one multiplication and one addition. *Shipped* is the number of parameters in the weights of this package: U2Fusion,
# FusionDN, p-CNN and GCF are trained here at half the width. MSCNN has the network of CNN-Fuse. [The appendix on speed](13_speed.ipynb) counts what the shipped networks really compute and how long they take.

# %% tags=["hide-input"]
sources = {name: 1 for name in ("u2fusion", "fusiondn", "mff_gan", "pmgi")} | {
    "densefuse": 3,
    "drpl": 2,
    "lightmff": (lightmff.SIDE / 520) ** 2,
}
kinds = {
    "sesf": sesf.SESF,
    "drpl": drpl.DRPL,
    "pixel_cnn": pixel_cnn.PixelCNN,
    "ifcnn": ifcnn.IFCNN,
    "densefuse": densefuse.DenseFuse,
    "u2fusion": u2fusion.U2Fusion,
    "fusiondn": fusiondn.FusionDN,
    "mff_gan": mff_gan.MFFGAN,
    "pmgi": pmgi.PMGI,
    "deepfuse": deepfuse.DeepFuse,
    "difnet": difnet.DIFNet,
    "gcf": gcf.MaskNet,
    "unet": unet.UNet,
    "lightmff": lightmff.LightMFF,
    "stackmff": stackmff.StackMFF,
}
costs = {}
for name, kind in kinds.items():
    network = kind().eval()
    image = blank3 if name in ("ifcnn", "lightmff") else blank
    pair = (torch.cat([blank, blank], 1),) if name == "stackmff" else (image, image)
    if name == "sesf":
        once = 2 * diagram.multiply_adds(network.features, (image,))
    elif name == "pixel_cnn":  # every weight counts at every pixel, once per image
        once = 2 * 96**2 * sum(p.numel() for p in network.parameters() if p.ndim > 1)
    else:
        once = diagram.multiply_adds(network, pair)
    giga = once / 96**2 * 520**2 * sources.get(name, 1) / 1e9
    costs[name] = {
        "parameters": sum(p.numel() for p in network.parameters()),
        "shipped": card(f"{name}.default")["parameters"],
    }
    costs[name]["10⁹ multiply-adds"] = round(giga, 1)
tables.plain(pd.DataFrame(costs).T.convert_dtypes(), caption="Size and work", digits=1)

# %% [markdown]
# ## What does each method make of a pair?
#
# The cup again, with the reference beside it. Below each picture are two details, one on the outline and one where only the far-focused source is sharp.

# %% tags=["hide-input"]
size = run.pick(quick=256, full=384, tiny=128)
stacks = mff.load("embedded", size=size)
stack = stacks["coffee_blur3"]
near, far = stack.images
part = stack.images.shape[1] / 341
zoom = [
    tuple(round(place * part) for place in box)
    for box in ((45, 315, 50, 65), (200, 50, 50, 65))
]
quick_options = {"mff_ssim": {"iterations": 40, "rate": 1e-2}} if run.quick else {}
fused = {
    m.name: mff.fuse(stack, m.name, device=device, **quick_options.get(m.name, {}))
    for m in family
}
figures.comparison(
    {
        "near-focused": near,
        "far-focused": far,
        "reference": stack.reference,
        **{name: result.image for name, result in fused.items()},
    },
    zoom=zoom,
    columns=3,
    alt=(
        "The cup fused by seventeen methods beside both sources and the reference; two "
        "details each."
    ),
    caption="Shipped weights. In the quick profile, MFF-SSIM takes few steps.",
)

# %% [markdown]
# ### Figure 7 of GACN: what is left of the near-focused source
#
# The fused image minus the near-focused one. A method that copies the cup leaves it empty. A decoder leaves the contours of what it should
# have kept, because every edge has passed through the network.

# %% tags=["hide-input"]
with_gacn = mff.fuse(stack, "gacn", device=device)
figures.differences(
    {
        "reference": stack.reference,
        "gacn": with_gacn.image,
        **{name: result.image for name, result in fused.items()},
    },
    near,
    alt=(
        "Differences to the near-focused source: decision maps leave the cup blank, "
        "decoders leave its edges and faint tones."
    ),
    caption="Mid-gray: no difference. All pictures have one scale.",
)

# %% [markdown]
# ### Figure 6 of GACN: decision maps before and after they are cleaned
#
# SESF-Fuse compares activity levels pixel by pixel. Its post-processing has two steps: opening, closing and filling remove islands, then a guided filter
# smooths the outline. DRPL has no post-processing.

# %% tags=["hide-input"]
cleaned = {
    f"sesf, {how}": mff.fuse(stack, "sesf", post_processing=how, device=device).decision
    for how in ("none", "morphology", "all")
}
published_filter = mff.fuse(stack, "sesf", as_published=True, device=device).decision
figures.decision_maps(
    {
        "truth": stack.decision,
        **cleaned,
        "sesf, authors' filter": published_filter,
        "drpl": fused["drpl"].decision,
    },
    truth=stack.decision,
    alt=(
        "The true outline; maps of SESF-Fuse without, with partial and with all "
        "cleaning; with the authors' filter; the map of DRPL."
    ),
    caption="White takes the near-focused source; orange is wrong.",
)

# %% [markdown]
# The authors' code filters the map with a guide on 0..255 and adds the results of three channels. The map then leaves [0, 1], and pixels at the outline become
# brighter or darker than both sources:

# %%
print(
    f"map of the authors' filter: {published_filter[0].min():.2f} to "
    f"{published_filter[0].max():.2f}"
)

# %% [markdown]
# ## Training
#
# The recipes are short: minutes on one core of a CPU, an hour for StackMFF-V2, crops of Berkeley photographs, pairs blurred while they are drawn. Where the schedule of a paper is
# known, it is the preset `paper`. **U2Fusion and FusionDN** weight their sources by a VGG-16 trained on ImageNet, which cannot be
# shipped. The preset `paper` fetches it; the shipped weights were trained with gradients of the images as a substitute.
# **IFCNN** took its first layer from ImageNet; here it learns that layer too. **StackMFF-V2** learned from photographs whose depth another network had
# estimated; here it learns from scenes whose depth is drawn, see [below](#a-whole-stack-at-once-stackmff-v2).

# %%
from mffrepro.training import recipes
from mffrepro.training.pair_recipe import PairRecipe

show_source(PairRecipe.pair, type(recipes.recipe("mff_gan")).losses)

# %% tags=["hide-input"]
cards = {name: card(f"{name}.default") for name in kinds}
columns = ("data", "device", "seconds", "seed", "parameters", "best_epoch")
trained = pd.DataFrame(
    {name: {column: made[column] for column in columns} for name, made in cards.items()}
).T
display(tables.plain(trained.convert_dtypes(), digits=0, caption="The shipped weights"))
rows = {
    name: [row["val_total"] / made["log"][0]["val_total"] for row in made["log"]]
    for name, made in cards.items()
}
longest = max(map(len, rows.values()))
figures.curves(
    range(1, longest + 1),
    {
        name: values + [np.nan] * (longest - len(values))
        for name, values in rows.items()
    },
    xlabel="epoch",
    ylabel="validation loss / its first value",
    alt=(
        f"Validation losses of {len(rows)} networks over their epochs, each divided by "
        "its first value, nearly all falling."
    ),
    caption=(
        "Validation losses of the shipped weights. They measure different things and "
        "cannot be compared with each other."
    ),
)

# %% tags=["hide-output"]
if run.retrain:
    for name in kinds:
        trainings.retrain(name, run)

# %% [markdown]
# ## Scores where the truth is known

# %%
data = mff.load("embedded", size=size)
chosen = run.some(data[2::5], 2)
grid = {
    m.name: (
        m.name,
        {"device": device} | quick_options.get(m.name, {})
        if m.weights
        else quick_options.get(m.name, {}),
    )
    for m in family
}
rivals = {name: (name, {}) for name in ("average", "lp", "gacn")}
results = mff.benchmark(
    grid | rivals, chosen, ["qabf", "qg", "psnr", "ssim", "mask_iou"]
)
means = tables.means(results)
tables.scores(
    means,
    caption=f"Means over {len(chosen)} stacks of the embedded set; shipped weights",
)

# %% [markdown]
# Only methods with a decision map have a `mask_iou`. So the column also shows which methods choose pixels. The next table has the best of either kind by
# each score, without `average` and `lp`, and how many of the other kind are below it.

# %% tags=["hide-input"]
networks = means.drop(index=["average", "lp"])
chooses = networks.index.map(lambda name: mff.methods.get(name).has_decision).to_numpy()
either = {"with a decision map": networks[chooses], "without": networks[~chooses]}
best = {}
for kind, other in zip(either, reversed(either), strict=True):
    for metric in ("qabf", "qg", "psnr", "ssim"):
        score, rest = either[kind][metric], either[other][metric]
        best[metric, kind] = {
            "best": f"{score.max():.4f} ({score.idxmax()})",
            "others below it": f"{(rest < score.max()).sum()} of {len(rest)}",
        }
tables.plain(
    pd.DataFrame(best).T.unstack()[["best", "others below it"]],
    caption=f"Either kind; means over {len(chosen)} stacks",
)

# %% [markdown]
# ## Published and shipped weights
#
# The authors of some of these networks publish weights (`mffrepro data fetch networks`), and the same code loads them. On the photographs of the authors'
# own examples, its output differs from theirs by one gray level in a few of a hundred thousand pixels; the package's tests check this.

# %% tags=["hide-input"]
published = {f"{m.name}.published": m.name for m in family if "published" in m.weights}
theirs = [
    name
    for label, name in published.items()
    if label not in left_out(published, seconds=60)
]
compared = {}
for name in theirs:
    compared[name] = fused[name]
    compared[f"{name}.published"] = mff.fuse(
        stack, name, weights="published", device=device
    )
if compared:
    pairs = {
        label: mff.evaluate(stack, result, ["qabf", "qg", "psnr"])
        for label, result in compared.items()
    }
    display(
        tables.plain(
            pd.DataFrame(pairs).T,
            caption="Shipped and published weights on the cup",
            digits=3,
        )
    )
else:
    print(
        "No published weights have been fetched; run `mffrepro data fetch networks` "
        "first."
    )

# %% [markdown]
# ## How much does the way of saving matter?
#
# Some authors' programs do not save what their network yields. They cut off decimals instead of rounding, stretch the darkest and the brightest pixel to 0
# and 255, normalise by the test image, or use a guided filter on the wrong scale. Cutting off changes almost nothing. A stretch changes every metric that compares gray levels.
# Here each of these is an option, and off by default.

# %%
quirks = {
    "sesf": {"authors' guided filter, cut off": {"as_published": True}},
    "ifcnn": {"cut off": {"as_published": True}},
    "densefuse": {"cut off": {"as_published": True}, "l1 rule": {"fusion": "l1"}},
    "u2fusion": {"largest value to 255": {"as_published": True}},
    "mff_gan": {"stretched, luma in bytes": {"as_published": True}},
    "pmgi": {
        "stretched, luma in bytes, statistics of the image": {"as_published": True},
        "statistics of the image": {"statistics": "image"},
    },
    "fusiondn": {"statistics of the image": {"statistics": "image"}},
    "deepfuse": {"stretched, contrast adjusted": {"as_published": True}},
}
asked = ["qabf", "qg", "mi", "psnr", "sf"]
changes = {}
for name, variants in quirks.items():
    usual = pd.Series(mff.evaluate(stack, fused[name], asked))
    for label, options in variants.items():
        saved = mff.fuse(stack, name, device=device, **options)
        changes[f"{name}: {label}"] = (
            pd.Series(mff.evaluate(stack, saved, asked)) - usual
        )
tables.plain(
    pd.DataFrame(changes).T,
    caption="Scores minus those of the default, shipped weights, on the cup",
    digits=3,
)

# %% [markdown]
# ### DeepFuse: made for exposures
#
# **DeepFuse** [prabhakar2017deepfuse] adds the features of a dark and a bright photograph, so the order does not matter, and any number can be added. Its training asks for the structural
# similarity to a wanted patch $\hat x$ in every window: it has the largest contrast of the sources $x_k$, and the structure of their sum,
#
# $$\hat x = \max_k \lVert \tilde x_k \rVert\; \frac{\sum_k \tilde x_k}{\lVert \sum_k \tilde x_k \rVert}, \qquad \tilde x_k = x_k - \operatorname{mean} x_k.$$
#
# In a focal stack the sharp patch has the larger contrast, so the loss asks for it. But sharp and blurred patch have nearly the same structure, and
# an average with more contrast satisfies the loss almost as well. How near to the average the result is, the table says. Brightness does not
# count in the loss, so the output has no scale; the authors' program stretches it over the whole range, whatever the scene.

# %% tags=["hide-input"]
exposed = {"deepfuse": {}, "deepfuse, as published": {"as_published": True}}
pictures = {
    name: mff.fuse(stack, "deepfuse", device=device, **options).image
    for name, options in exposed.items()
}
average = mff.fuse(stack, "average").image
levels = {
    name: {
        "mean": image.mean(),
        "correlation with the average": np.corrcoef(image.ravel(), average.ravel())[
            0, 1
        ],
    }
    | mff.evaluate(stack, image, ["psnr", "sf"])
    for name, image in (pictures | {"average": average}).items()
}
display(
    tables.plain(
        pd.DataFrame(levels).T,
        digits=3,
        caption="DeepFuse beside the average of the sources, shipped weights",
    )
)
figures.comparison(
    {"average": average, **pictures, "reference": stack.reference},
    zoom=zoom,
    columns=4,
    alt=(
        "The average of the sources, DeepFuse scaled to the sources and stretched as "
        "published, and the reference, with two details each."
    ),
    caption="DeepFuse is near the average of the sources, double outlines included.",
)

# %% [markdown]
# The authors of GACN recorded scores of a program that they call *deep_fuse*, pair by pair. Are they those of the published weights?

# %% tags=["hide-input"]
authors = pd.read_csv(tables.reported_folder() / "p004_authors_records.csv")
authors = authors[authors["method"] == "deep_fuse"]
columns = {"Qg": "qg", "Qcb": "qcb", "Qncie": "qncie"}
rows = {"deep_fuse, recorded by the authors of GACN": authors[list(columns)].mean()}
rows["deep_fuse, recorded by the authors of GACN"].index = list(columns.values())
found = tables.means(
    computed_or_recorded(
        ["deepfuse.published", "deepfuse", "densefuse.published", "average"],
        "gacn26",
        list(columns.values()),
        gray="skimage",
        compute=[],
    )
)
beside = pd.concat([pd.DataFrame(rows).T, found[list(columns.values())]])
tables.plain(beside, caption="Means over the 26 pairs, recorded")

# %% [markdown]
# Not if they were saved as they come: the recorded scores are lower on all three metrics than those of either reading here. The stretching of the authors' program, which the section above
# shows, was not tried on these pairs. Which program made the recorded scores is not said.

# %% [markdown]
# ### DIF-Net: contrast without a truth
#
# Of **DIF-Net** [jung2020difnet], neither code nor weights were found, and only the abstract could be read. So it is rebuilt **as a reading**: what the abstract says is
# kept, the rest is chosen here, and the scores say what the idea does, not how good the authors' network is. The idea is a loss for any number of channels. The structure tensor
# of an image sums the gradients of its channels $I_c$; the fused image $F$ shall have the tensor of both sources, and the mean $P$ of their gray levels:
#
# $$L = \lVert F - P \rVert^2 + \lambda\, \lVert J(F) - J(A, B) \rVert^2, \qquad J(I) = \sum_c \nabla I_c \nabla I_c^\top.$$
#
# A sharp edge has most of its sum from the sharp source, so the loss asks for sharp edges without being told where they are. It asks for too much, however: the tensors of two
# equal sources sum to that of an image with $\sqrt{2}$ times their contrast. In the last row of the table, both sources are the reference: compare its spatial frequency.

# %% tags=["hide-input"]
contrasts = {name: mff.fuse(stack, name).image for name in ("average", "lp")}
contrasts |= {"difnet": fused["difnet"].image, "reference": stack.reference}
same = mff.fuse([stack.reference] * 2, "difnet", device=device).image
contrast_scores = {
    name: mff.evaluate(stack, image, ["qabf", "qg", "psnr", "sf"])
    for name, image in (contrasts | {"difnet, reference twice": same}).items()
}
display(
    tables.plain(
        pd.DataFrame(contrast_scores).T,
        digits=3,
        caption="DIF-Net, shipped weights, beside the average, a pyramid and the truth",
    )
)
figures.comparison(
    contrasts,
    zoom=zoom,
    columns=4,
    alt=(
        "The cup by the average, the Laplacian pyramid and DIF-Net, and the "
        "reference, with two details each."
    ),
    caption="DIF-Net is sharper than the average, and no label told it what is sharp.",
)

# %% [markdown]
# ### p-CNN: one image at a time
#
# **p-CNN** [tang2018pcnn] is a reading as well. The networks with a decision map above compare two images. p-CNN rates one: is the pixel in the middle of these 32 × 32 pixels
# *focused*, *defocused* or *unknown*? Here the fused pixel comes from the image with the largest score
#
# $$s = P(\text{focused}) + \tfrac{1}{2} P(\text{unknown}).$$
#
# So $N$ images need $N$ passes, whatever they show. Its training data are patches that are blurred on one side of a line or a corner; *unknown* are those with the border
# within two pixels of the middle. A network for patches rates a whole image at once if its poolings move by one pixel instead of two, and later kernels read every second or fourth value.

# %% tags=["hide-input"]
from scipy.special import expit

rater = mff.methods.load_network("pixel_cnn", device=device)
rated = {
    which: expit(pixel_cnn.score_image(rater, image))
    for which, image in zip(("near", "far"), to_unit(stack.images), strict=True)
}
figures.comparison(
    {
        "near-focused": near,
        "far-focused": far,
        "pixel_cnn": fused["pixel_cnn"].image,
        "score, near": figures.heat(rated["near"], high=1),
        "score, far": figures.heat(rated["far"], high=1),
        "taken from": figures.heat(fused["pixel_cnn"].decision[0], high=1),
    },
    columns=3,
    alt=(
        "Both sources and the image fused by p-CNN; below, the score of each source "
        "and the source that each pixel is taken from."
    ),
    caption=(
        "Bright: rated as focused. Last picture: bright where the near-focused source "
        "is taken."
    ),
)

# %% [markdown]
# ### LightMFF: correcting a focus measure
#
# **LightMFF** [xie2025lightmff] does not decide from the images alone. A focus measure, that of SESF-Fuse on the pixels themselves, gives an initial map, and a
# network of 15 717 parameters corrects it. Both images are squeezed to 256 × 256 pixels, whatever their shape, so the network sees blur that is smaller than
# it was, and the outline of its map is as coarse as those pixels. Its weights could not be had, so these are trained here.

# %% tags=["hide-input"]
small = [lightmff.squeezed(to_unit(image)) for image in stack.images]
network = mff.methods.load_network("lightmff", device="cpu")
with torch.inference_mode():
    maps = {
        "initial map, 256 × 256": lightmff.initial_map(*small),
        "corrected": torch.sigmoid(network(*small)),
    }
corrected = mff.fuse(stack, "lightmff", device=device)
figures.comparison(
    {name: map_[0, 0].numpy() for name, map_ in maps.items()}
    | {"cleaned, full size": corrected.decision[0], "fused": corrected.image},
    columns=4,
    alt=(
        "The initial map of LightMFF is full of holes; the corrected one is whole, "
        "and enlarged and cleaned it has a smooth outline."
    ),
    caption=(
        "White takes the near-focused source. PSNR "
        f"{mff.evaluate(stack, corrected, ['psnr'])['psnr']:.1f} dB; sesf "
        f"{mff.evaluate(stack, fused['sesf'], ['psnr'])['psnr']:.1f} dB."
    ),
)

# %% [markdown]
# ### GCF: few regions instead of labels
#
# **GCF** [xu2020gcf] learns a decision without labels. Its loss has two terms. The share $m$ of the first image shall be $g$, which is 1 where the first image has the larger
# gradient, and the binary map $M = [m > \tfrac{1}{2}]$ and its opposite shall have few regions:
#
# $$\begin{aligned}
# L &= \overline{(m - g)^2} \\
# &\quad + \lambda \left[\operatorname{count}(M) + 0.8 \operatorname{count}(1 - M)\right], \\
# \operatorname{count}(M) &= \sum_p \left[\tanh\tfrac{d_p}{4} > \theta\right].
# \end{aligned}$$
#
# Here $d_p$ is the number of upper and left neighbours from which pixel $p$ differs: with all four, a region begins. In the authors' code $\theta = 0.9$, but $\tanh 1 = 0.76$ is
# the most that can come, so that the count is always 0. What acts is its gradient. A step has none, so a straight line takes its place backward, and this line punishes every
# border, wherever it lies. With $\theta = 0.7$, an option of the recipe, regions are counted.
#
# A map of one colour would have no border at all. Every convolution, even the last, is normalised by the very image it sees, so that the numbers of each image have the mean and the variance
# that were learned. That keeps both colours in the map, but not the training on its way: the count is a sum over pixels, and the first term a mean, so that borders outweigh gradients. With
# the authors' $\lambda = 0.005$, three short epochs here left every share at one half. The shipped weights are trained with $\lambda = 0.0001$.

# %% tags=["hide-input"]
from mffrepro.losses.regions import larger_gradient

grays = [
    to_tensor(to_gray(image), torch.device("cpu")) for image in to_unit(stack.images)
]
counter = mff.methods.load_network("gcf", device="cpu")
with torch.inference_mode():
    steps = {
        "larger gradient": larger_gradient(*grays),
        "share of the near-focused": counter(*grays),
    }
figures.comparison(
    {name: map_[0, 0].numpy() for name, map_ in steps.items()}
    | {"cut and cleaned": fused["gcf"].decision[0], "fused": fused["gcf"].image},
    columns=4,
    alt=(
        "The larger gradient is a speckled map; the share that GCF computes "
        "has regions, and the cleaned map follows saucer and cup."
    ),
    caption=(
        "White takes the near-focused source. "
        f"{(fused['gcf'].decision[0] > 0.5).mean():.0%} of the pixels come from it."
    ),
)

# %% [markdown]
# The third picture has been cleaned: regions under a sixtieth of the image change sides, first those of the second image, then those of the first. The public code has the layers and
# the losses; the weights could not be had, so these are trained here, with half the maps.
#
# ### MSCNN: three sizes and a watershed
#
# **MSCNN** [du2017mscnn] takes the decision for a segmentation. Of the text only the abstract could be read, so this is a reading too. The patch classifier of CNN-Fuse sees the images at
# their size, at half and at a quarter of it. A wall that is flat to a patch of 16 × 16 pixels may have an edge within four times that width, so the smaller images decide where the whole one cannot.
# Their maps are averaged. What is certain for either image is flooded over the slope of the map, from both sides, until the two meet on its steepest line (a *watershed*).

# %% tags=["hide-input"]
scales = mscnn.ScaleComparer(
    mff.methods.load_network("mscnn", device=device), smallest=0.01, certain=0.8
)
first, second = (scales.extract(image) for image in to_unit(stack.images))
maps = {
    f"size 1/{scale}": scales.single.focus(a, b)
    for scale, a, b in zip(mscnn.SCALES, first, second, strict=False)
}
joined = scales.focus(first, second)
flooded = np.select([joined >= 0.8, joined <= 0.2], [1.0, 0.0], 0.5)
maps |= {"joined": joined, "certain": flooded, "flooded": fused["mscnn"].decision[0]}
figures.comparison(
    {name: figures.heat(map_, high=1) for name, map_ in maps.items()},
    columns=3,
    alt=(
        "Focus maps of MSCNN at three sizes, smoother and surer from size to size, "
        "their mean, its certain parts, and the regions flooded from them."
    ),
    caption="Bright: the near-focused source is sharper; gray: not certain.",
)

# %% [markdown]
# ### A U-Net that paints
#
# tlcolor names a U-Net that fuses luma and was trained by absolute error and structural similarity. That sentence is all there is, so `unet` is a reading of the idea: both lumas go in, four sizes of
# maps see up to an eighth of the image, and the loss compares with the photograph that the artificial pair was made of. An output that copies nothing may be wrong anywhere, and more so where the pair differs from
# those of the training. The table has the three methods of this part beside others on the cup.

# %% tags=["hide-input"]
asked = ["psnr", "ssim", "qabf", "qg"]
newest = ["gcf", "mscnn", "unet", "lightmff", "sesf", "ifcnn"]
display(
    tables.plain(
        pd.DataFrame(
            {name: mff.evaluate(stack, fused[name], asked) for name in newest}
        ).T,
        digits=3,
        caption="On the cup, shipped weights",
    )
)
figures.comparison(
    {name: fused[name].image for name in ("gcf", "mscnn", "unet")}
    | {"reference": stack.reference},
    zoom=zoom,
    columns=4,
    alt="The cup by GCF, MSCNN and the U-Net, and the reference, with details.",
    caption="Two decisions and a painting; two details each.",
)

# %% [markdown]
# ## Reported, reproduced, difference
#
# ### Table 1 of GACN
#
# The 26 pairs need fetching (`mffrepro data fetch gacn26 networks`); the full profile then computes the rows of the networks that take half a second or less for a pair, and
# other rows come from the record. Three
# rows are made with the authors' weights and saved as their programs save (`as_published`): SESF-Fuse and IFCNN should agree with the printed numbers. Dense-Fuse
# should not: the paper ran the TensorFlow weights with the l1 rule, which were never published for PyTorch.

# %% tags=["hide-input"]
labels = [*(m.name for m in family), *published]
fast = [name for name in labels if name.partition(".")[0] in mff.methods.within(0.5)]
on_26 = gacn26.scores([] if run.quick else fast)
exact = {
    name: (name, {"weights": "published", "as_published": True})
    for name in ("sesf", "ifcnn", "densefuse")
    if name in theirs
}
if not run.quick and is_fetched("gacn26") and exact:
    saved = mff.benchmark(exact, mff.load("gacn26"), gacn26.COMPUTED, gray="skimage")
    saved = saved.assign(
        method=saved["method"] + ".published",
        origin="this run, saved as the authors do",
    )
    on_26 = pd.concat(
        [on_26[~on_26["method"].isin(saved["method"])], gacn26.as_printed(saved)]
    )
ours = tables.means(on_26)

# %% tags=["hide-input"]
rows = [name for name in ["gacn.published", *labels] if name in ours.index]
printed = tables.method_names(
    tables.reported("p004_table1"),
    tables.PRINTED_NAMES,
    keep=["gacn.published", *labels],
)
if rows:
    shown = ours.loc[
        rows, [*(name for name in gacn26.METRICS if name in ours), "seconds"]
    ]
    display(
        tables.beside(
            printed,
            shown,
            caption=f"Table 1 and ours, means over {on_26['stack'].nunique()} pairs",
        )
    )
else:
    display(
        tables.plain(
            printed,
            caption="Table 1 as printed; no row of this chapter has been recorded yet",
        )
    )

# %% [markdown]
# ### Figure 5 of GACN: pair by pair
#
# The authors' records hold SESF-Fuse, Dense-Fuse and CNN-Fuse for every pair. Our rows, computed or recorded, are drawn beside them.

# %% tags=["hide-input"]
whose = {
    "cnn_fuse": "cnn, authors",
    "se_sf_dm": "sesf, authors",
    "dense_fuse_1e3_add": "dense, authors",
}
methods = ["sesf", "sesf.published", "ifcnn.published", "densefuse.published"]
figures.pair_curves(
    gacn26.pair_scores(on_26, methods, whose, ["qg", "qncie", "qcb", "fmi_dct"]),
    alt=(
        "Four panels of scores per pair: the decision maps of SESF-Fuse and CNN-Fuse "
        "lie close together, Dense-Fuse well below."
    ),
    caption=(
        "Pairs in the order of their names. The numbers in the legends are means over "
        "the pairs drawn."
    ),
)

# %% [markdown]
# ### Pictures that others published
#
# The benchmark MFIFB [zhang2020mfifb] stores what IFCNN and SESF-Fuse made of 24 pairs without loss. With the authors' weights, IFCNN gives the same image, up to a few
# values that round to the other side. SESF-Fuse does not: its results there are decisions of the same kind with other borders, perhaps from an earlier training. It does give the images that its authors
# store, which tests compare.

# %% tags=["remove-input"]
tables.plain(
    fidelity.image_table([mff.methods.get(name) for name in ("ifcnn", "sesf")]),
    caption="Comparison with published images: the median and the worst of each",
).hide(axis="index")

# %% [markdown]
# ## Many images
#
# IFCNN, DenseFuse, MFF-SSIM and StackMFF-V2 take all images at once, and p-CNN rates each image by itself. SESF-Fuse extracts features once per image and keeps those of the winner (`carry`). All others use serial
# fusion: the first two images, then the result with the third, and so on. A decoder then decodes its own result again and again, and its errors add up:

# %% tags=["hide-input"]
lens = mff.load("embedded", size=run.pick(quick=192, full=384, tiny=128))[
    "motorcycle_lens"
]
many = {
    name: mff.fuse(lens, name, device=device)
    for name in ("sesf", "drpl", "ifcnn", "densefuse", "mff_gan", "stackmff")
}
scores = {
    name: mff.evaluate(lens, result, ["psnr", "sf"]) for name, result in many.items()
}
display(tables.plain(pd.DataFrame(scores).T, caption=f"{len(lens)} images", digits=2))
figures.comparison(
    {
        "reference": lens.reference,
        **{name: result.image for name, result in many.items()},
    },
    columns=3,
    alt=(
        "The motorcycle from several images by six networks, beside the sharp "
        "rendering."
    ),
    caption=f"{len(lens)} images fused into one.",
)

# %% [markdown]
# ## A whole stack at once: StackMFF-V2
#
# The networks above compare two images. **StackMFF-V2** [xie2025stackmff] asks another question: at which frame number $t$ is each pixel the sharpest? A small
# encoder and decoder computes eight features of each frame. A recurrent network passes over the frames in both directions and gives each frame $n$ a score
# $z_n$. The expected frame number
#
# $$\bar t = \sum_{n=1}^{N} n\, \frac{e^{z_n}}{\sum_m e^{z_m}}$$
#
# is a depth map, whose rounded value chooses the frame of each pixel. So nothing is blended, and the result has a depth (`result.depth`).

# %% tags=["hide-output"]
show_source(
    stackmff.Inception, stackmff.Bridge, stackmff.Recurrent, stackmff.StackMFF.expect
)

# %% [markdown]
# All scores lie between −2 and 2, so the softmax is flat and $\bar t$ spans a fraction of 1 to $N$. The authors' program therefore stretches its
# smallest value to 1 and its largest to $N$. Three weaknesses follow, which the table below measures with the true depth of a rendered scene. The first and the last frame are always used, whether anything is sharp in
# them or not. Two pixels decide about the scale of all. And the result depends on the direction of the stack, because the network does. The
# repaired reading, which is our default, averages $\bar t$ over both directions, and places it among the frames by the straight line that fits a focus
# measure best. With `as_published=True`, the published weights give the authors' frame for every pixel of a stack of 36 photographs; a test
# checks this.

# %% tags=["hide-input"]
from mffrepro.benchmarks import handheld
from mffrepro.benchmarks.stack_readings import (
    compare_readings,
    frames_used,
    score_readings,
)
from mffrepro.data.conditions import depth_stacks
from mffrepro.data.handheld import NONE, take_shots

shots = take_shots(NONE, size=run.pick(quick=256, full=640, tiny=192))
weights = "default" if left_out(["stackmff.published"], seconds=60) else "published"
readings = compare_readings(shots, weights=weights, device=device)
true_depth = shots.true_depth(shots.images.shape[1:3])
title = f"{len(shots.images)} frames, {weights} weights; errors of depth in frames"
display(tables.plain(readings.table.reset_index(), caption=title).hide(axis="index"))
measured = handheld.depth_errors(mff.depth(shots.images).depth, true_depth).iloc[0]
print("median error of mff.depth:", round(float(measured["median error"]), 3), "frames")
for reading, frames in frames_used(
    shots.images[0], 3, weights=weights, device=device
).items():
    print(f"three equal frames, {reading}: pixels from", *(f + 1 for f in frames))

# %% tags=["hide-input"]
last = len(shots.images) - 1
figures.comparison(
    {
        "true depth": figures.heat(true_depth, high=last),
        **{
            name: figures.heat(depth, high=last)
            for name, depth in readings.depth.items()
        },
        "error, as published": figures.heat(
            np.abs(readings.depth["as published"] - true_depth), high=2
        ),
        "error, repaired": figures.heat(
            np.abs(readings.depth["repaired"] - true_depth), high=2
        ),
    },
    columns=3,
    alt=(
        "True depth of the motorcycle and that of StackMFF-V2 by both readings, with "
        "the errors, which are largest along outlines."
    ),
    caption=(
        "Depth: dark is the first frame (near), bright the last. Error: dark is 0, "
        "bright two frames or more."
    ),
)

# %% [markdown]
# With the published weights, the depth of this scene is no better for the repair; what it brings here is that the order of the frames does not matter. One scene says
# little. The next table has scenes whose depth was drawn; in some of them, few pixels are sharpest in the first or the last frame, and
# stretching to these two frames then moves everything else.

# %% tags=["hide-input"]
scenes = list(depth_stacks("frames8", size=run.pick(quick=256, full=320, tiny=192)))
by_scene = score_readings(run.some(scenes, 4), weights=weights, device=device).assign(
    mean=lambda table: table.mean(axis=1)
)
by_scene.columns = [name.partition("_")[0] for name in by_scene]
tables.plain(
    by_scene, digits=1, caption=f"PSNR of both readings, 8 frames, {weights} weights"
)

# %% [markdown]
# Our weights learn from photographs of the Berkeley set. Each region of a label map becomes a plane at a depth drawn at random, tilted or upright, and a lens blurs
# near planes over far ones. The authors blur the whole photograph once for each depth, so that a near thing never covers a far one.

# %% tags=["hide-input"]
from mffrepro.data.layered import draw_disparity, take_stack

random = np.random.default_rng(seed)
drawn = mff.data.load_regions("embedded")[2]
disparity = draw_disparity(drawn, random)
made = take_stack(drawn.image, disparity, count=5, step=3.0)
figures.comparison(
    {"depth": figures.heat(made.depth)}
    | {f"frame {n + 1}": made.frames[n] for n in (0, 2, 4)},
    columns=2,
    alt=(
        "The depth that was drawn for a photograph, and three frames of its focal "
        "stack: far, middle and near things are sharp."
    ),
    caption="A scene with drawn depth. Dark: sharpest in the first frame.",
)

# %% [markdown]
# The authors' table of scores, which they took out of their public page later, ranks 15 methods on five sets of stacks. Can it be read?

# %% tags=["hide-input"]
from mffrepro.report.ranks import contradicted

quality = pd.read_csv(tables.reported_folder() / "stackmff_quality.csv")
wrong = contradicted(quality)
print(f"{wrong.sum()} of {len(quality)} printed ranks contradict the printed values")
shown = quality[quality["metric"] == "PSNR"].pivot(
    index="method", columns="dataset", values="value"
)
tables.plain(
    shown.sort_values("Mobile Depth", ascending=False),
    digits=2,
    caption="PSNR as printed; its data sets are not public, so nothing is compared",
)

# %% [markdown]
# Most networks for pairs are far behind in that table, but so are DCT, a classical method, and the first StackMFF, which reads whole stacks. That errors add up where each result is fused
# with the next frame, as in [the section before](#many-images), can be one cause and not the only one. DWT and NSCT have the same numbers on three sets.

# %% [markdown]
# ## MFF-SSIM: optimisation without a network
#
# At each pixel $i$, let $j(i)$ be the source $S^j$ with the largest mean squared Laplacian in the window around it. MFF-SSIM searches for the image $F$ with the largest
# mean structural similarity to that source in the window,
#
# $$\max_F\ \operatorname{mean}_i\ \frac{(2 \mu_F \mu_{j(i)} + C_1)(2 \sigma_{F j(i)} + C_2)}{(\mu_F^2 + \mu_{j(i)}^2 + C_1)(\sigma_F^2 + \sigma_{j(i)}^2 + C_2)},$$
#
# with the means $\mu$, variances $\sigma^2$ and covariance $\sigma_{Fj}$ of the window around $i$, and two constants $C_1$ and $C_2$ against division by zero. It starts at the average of the
# sources and takes steps of Adam:

# %%
unit = to_unit(stack.images)
side = mff_ssim.window_side(*near.shape[:2])
winner = mff_ssim.focus_map(unit, side)
tensors = [
    torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    for image in unit
]
objective = mff_ssim.Objective(tensors, torch.from_numpy(winner), side)
steps = run.pick(quick=30, full=300, tiny=3)
climbed = {
    rate: mff_ssim.climb(objective, sum(tensors) / 2, iterations=steps, rate=rate)[1]
    for rate in (1e-3, 1e-2)
}
figures.curves(
    range(1, steps + 1),
    {f"rate {rate:g}": values for rate, values in climbed.items()},
    xlabel="step",
    ylabel="structural similarity",
    alt="The objective rises with the steps of Adam, faster at the larger rate.",
    caption="The authors' rate is 0.001; ten times that rate needs fewer steps.",
)

# %% [markdown]
# ## ZMFF: networks that are fitted to one pair
#
# ZMFF ([Hu et al., 2023](https://github.com/junjun-jiang/ZMFF)) trains on nothing but the pair that it fuses. Convolutions paint edges and smooth tones after fewer steps
# of training than noise, whatever their random weights are: a *deep image prior* ([Ulyanov et al., 2018](https://doi.org/10.1109/CVPR.2018.00984)). A network of five scales
# sees the lumas $Y_n$ of all $N$ sources and paints the fused luma $F$. For each source, a network of three scales sees noise and paints a mask $M_n$. The first 600 steps of
# Adam minimise
#
# $$\operatorname{mean}\Big|F - \sum_n M_n Y_n\Big| + \frac{20}{N} \sum_n \operatorname{mean}|M_n - S_n|,$$
#
# where $S_n$ is 1 where source $n$ differs most from itself blurred twice, and 0 elsewhere. The last 700 steps maximise the structural similarity of $F$ and
# $\sum_n M_n Y_n$. Nothing asks the masks to add up to 1. The result is what the first network paints.

# %%
show_source(zmff.Hourglass, zmff.Fit)

# %% [markdown]
# A step on a pair of 520 × 520 takes about 700 billion multiply-adds, forward and backward. The published 1300 steps need hours on a CPU. So this cell takes fewer, for a
# detail of 64 × 64 pixels at the outline of the cup:

# %% tags=["hide-input"]
top, left = (round(place * part) for place in (60, 290))
detail = np.s_[top : top + 64, left : left + 64]
lumas = torch.cat([to_tensor(to_gray(image)[detail], "cpu") for image in unit])
sharp = to_gray(to_unit(stack.reference))[detail]
steps = run.pick(quick=(40, 30), full=(200, 200), tiny=(2, 2))
fit = zmff.Fit(lumas, seed=seed)
paintings = [image[0, 0].numpy() for _, image in fit.run(steps)]
with torch.no_grad():
    masks = [mask(fit.noise)[0, 0].numpy() for mask in fit.masks]
shown = {
    "near-focused": lumas[0, 0].numpy(),
    "far-focused": lumas[1, 0].numpy(),
    "reference": sharp,
    "S, near": fit.maps[0, 0].numpy(),
    "mask, near": masks[0],
    "mask, far": masks[1],
    **{f"step {n}": paintings[n - 1] for n in (1, steps[0], sum(steps))},
}
figures.comparison(
    {name: np.repeat(np.repeat(x, 4, 0), 4, 1) for name, x in shown.items()},
    columns=3,
    alt=(
        "A detail of both sources and of the reference, a map of sharp pixels, both "
        "masks, and the painted image, which becomes sharper from step to step."
    ),
    caption=(
        f"Fitted for {steps[0]} steps with the first loss and {steps[1]} with the "
        "second, every pixel enlarged four times."
    ),
)


# %% tags=["hide-input"]
def decibels(image):
    return -10 * np.log10(np.square(image - sharp).mean())


numbers = range(1, len(paintings) + 1, max(1, len(paintings) // 14))
gacn_here = decibels(to_gray(to_unit(with_gacn.image))[detail])
better_source = max(decibels(luma) for luma in lumas[:, 0].numpy())
figures.curves(
    numbers,
    {
        "ZMFF": [decibels(paintings[n - 1]) for n in numbers],
        "GACN": [gacn_here] * len(numbers),
        "the better source": [better_source] * len(numbers),
    },
    xlabel="step",
    ylabel="PSNR, dB",
    alt="The painted image comes nearer to the reference with every few steps.",
    caption=(
        f"After {len(paintings)} steps the painted detail has "
        f"{decibels(paintings[-1]):.1f} dB; a copy of the better source has "
        f"{better_source:.1f} dB."
    ),
)

# %% [markdown]
# All steps were run once, for the smallest pair of MFFW, and recorded:

# %% tags=["hide-input"]
smallest = "mffw_01"
on_smallest = computed_or_recorded(
    ["zmff", "mff_ssim", "gacn", "sesf", "lp"],
    "mffw",
    ["qabf", "qg", "qy", "qcb", "mi", "qncie", "fmi_pixel"],
    compute=[],
)
tables.scores(
    tables.means(on_smallest[on_smallest["stack"] == smallest]),
    digits=3,
    caption=(
        f"{smallest} (200 × 300 pixels), recorded; seconds are those of one core, "
        "beside other work"
    ),
)

# %% [markdown]
# ## Claims and verdicts
#
# The claims about these networks are those of the GACN paper (C4.9, C4.12, C4.13, C4.15, C4.16); [its chapter](07_gacn.ipynb) and [many images](14_many_images.ipynb) test them. So the last question at
# the top is answered by C4.12, and by the table *Best of either kind* for the stacks of this chapter.

# %% [markdown]
# ## Deviations
#
# | | paper or authors' code | here, by default | to get theirs |
# |---|---|---|---|
# | `sesf` | guided filter of three channels, added up; cut off | gray guide in [0, 1]; rounded | `as_published=True` |
# | `ifcnn` | first layer of an ImageNet ResNet-101, perceptual loss | shipped weights learn the first layer, squared error | `weights="published"` |
# | `densefuse` | always adds; its l1 rule divides infinities | both rules work | `as_published=True` |
# | `u2fusion` | a VGG-16 weights the sources; largest value to 255 | gradients weight them; half the maps | preset `paper`; `as_published=True` |
# | `fusiondn` | a VGG-16 and a network that rates quality; statistics of the test image | gradients and entropy; half the maps | `statistics="image"` |
# | `mff_gan` | two updates of the discriminator for one of the generator; JPEG in and out; luma in bytes; stretched | one update; none of the others | `as_published=True`, except JPEG |
# | `pmgi` | statistics of the test image, learned scales unused; luma in bytes; stretched | statistics of the training, for shipped weights | `as_published=True` |
# | `deepfuse` | darkest and brightest pixel to 0 and 255, then one percent clipped at either end | scaled to the mean of the sources | `as_published=True` |
# | `difnet` | only the abstract was available | layers of a program by others; our reading of the training | |
# | `pixel_cnn` | only the abstract was available | our reading of layers, classes and masks; half the maps | |
# | `mscnn` | only the abstract was available | our reading of network, sizes and watershed | |
# | `gcf` | weights not available; the rate falls with every step; weights clipped at 30 | own weights, half the maps; it falls with every epoch; not clipped | preset `paper` |
# | `unet` | one sentence in tlcolor | our reading | |
# | `drpl` | table of layers not available, code without weights | our reading of the layout | |
# | `lightmff` | edges of a constant image are 0/0; result cut off to 8 bits; weights not available | no edges; not cut off | `as_published=True`, except the edges |
# | `stackmff` | frames in the given order; numbers stretched to the first and last frame | both orders; numbers placed by a focus measure | `as_published=True` |
# | `mff_ssim` | 300 steps in the example, 1000 by default | 300; none where the sources agree | `iterations=1000` |
# | `zmff` | two or three sources; chroma of the first; cut off to 8 bits | any number; chroma of all; not cut off | `as_published=True` |

# %% [markdown]
# ## Exercises
#
# ### Check yourself
#
# <details><summary>Why do decoders change pixels even where one source is perfectly sharp?</summary>
#
# They compute every value anew from features. A network with a decision map copies it, so that nothing can be lost.
#
# </details>
#
# <details><summary>Which of the two kinds can be sharper than both sources?</summary>
#
# Decoders only. That raises statistics such as spatial frequency, and is an error if a reference is at hand.
#
# </details>
#
# <details><summary>A network was trained on visible and infrared pairs. What does it do on a focal stack?</summary>
#
# It keeps what it learned to keep, such as the brighter value or the stronger contrast. Nothing in its training told it to look for
# focus.
#
# </details>
#
# ### Try it
#
# **1.** Fuse a photograph with itself by every decoder and by GACN. How many gray levels does each change, and where?
#
# <details><summary>Hint</summary>
#
# `mff.fuse` takes the same image twice. Compare the places with the strongest gradients with the plain half of the image.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# Every decoder changes the image, although nothing had to be decided: by 3 to 17 gray levels at the strongest edges, and by 0.6
# to 5 in the plain half. GACN changes nothing, because it copies pixels. A decoder has to compute each value from features, and
# the features of an edge are the hardest to rebuild. DenseFuse loses least: its training asked for nothing but the
# reconstruction of single photographs.
#
# ```python
# import numpy as np
# import mffrepro as mff
# from mffrepro.images import to_gray, to_unit
#
# photograph = mff.load("embedded", size=128)["coffee_blur3"].reference
# gray = to_gray(to_unit(photograph))
# slope = np.hypot(*np.gradient(gray))
# edges, plain = slope > np.quantile(slope, 0.9), slope < np.quantile(slope, 0.5)
#
# lost = {}
# for name in ("ifcnn", "densefuse", "u2fusion", "fusiondn", "mff_gan", "pmgi", "gacn"):
#     fused = mff.fuse([photograph, photograph], name, device="cpu").image
#     change = np.abs(fused.astype(float) - photograph).mean(-1)
#     lost[name] = change[edges].mean(), change[plain].mean()
#     print(f"{name}: {lost[name][0]:.1f} levels at edges, {lost[name][1]:.1f} in plain")
# assert lost.pop("gacn") == (0, 0)
# assert all(at_edges > 1.5 * in_plain > 0 for at_edges, in_plain in lost.values())
# ```
#
# </details>
#
# **2.** Give IFCNN, DenseFuse, U2Fusion and PMGI the same two images in the other order. Which results do not depend on the
# order, and why?
#
# <details><summary>Hint</summary>
#
# Look where the two images meet: at an operation on features that were computed separately, or in the first convolution?
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# IFCNN and DenseFuse give equal images in both orders. They compute the features of each image by the same weights and join
# them by the maximum or the mean, which have no order. U2Fusion differs by 1.6 gray levels on average and PMGI by 2.9: their
# convolutions read both images from the start, by different weights for the first and the second. The training shows both
# orders, and yet these weights do not become equal.
#
# ```python
# import numpy as np
# import mffrepro as mff
#
# pair = mff.load("embedded", kind="composite", levels=(3,), size=128)["coffee_blur3"]
# near, far = pair.images
# change = {}
# for name in ("ifcnn", "densefuse", "u2fusion", "pmgi"):
#     one, other = (
#         mff.fuse(images, name, device="cpu").image.astype(int)
#         for images in ([near, far], [far, near])
#     )
#     change[name] = np.abs(one - other).mean()
#     print(f"{name}: {change[name]:.2f} gray levels differ on average")
# assert change["ifcnn"] == change["densefuse"] == 0
# assert min(change["u2fusion"], change["pmgi"]) > 0.3
# ```
#
# </details>
#
# **3.** What does the temperature of U2Fusion's loss do? Find the best image under the loss by descent on the pixels, without a
# network, at the recipe's temperature 0.25, at a tenth and at ten times of it. Which image does the result approach?
#
# <details><summary>Hint</summary>
#
# The weights of the sources are `shares` of their `pyramid_energy`, divided by the temperature. The loss is the weighted sum of
# `ssim_loss` and 20 times the mean squared error. Start at the average and take 30 steps of Adam.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# At ten times the temperature both weights are near one half (0.54), and the result is 1.6 gray levels from the average. At a
# tenth the weight of the source with more detail is 1.00, and the result is nearly a copy of it, its blurred parts included.
# The recipe lies between (0.83). No temperature can be right: the loss has one weight for a whole image, and a focal stack
# needs another one at each pixel.
#
# ```python
# import mffrepro as mff
# from mffrepro.images import to_gray, to_unit
# from mffrepro.losses import ssim_loss
# from mffrepro.training.information import pyramid_energy, shares
# import torch  # after mffrepro, which lets idle threads sleep
#
# pair = mff.load("embedded", kind="composite", levels=(5,), size=96)["coffee_blur5"]
# sources = [torch.from_numpy(to_gray(to_unit(one)))[None, None] for one in pair.images]
# average = sum(sources) / 2
#
#
# def best_image(temperature):
#     weights = shares(*(pyramid_energy(one) / temperature for one in sources))
#     fused = average.clone().requires_grad_()
#     descent = torch.optim.Adam([fused], lr=0.01)
#     for _ in range(30):
#         loss = 0
#         for weight, source in zip(weights, sources, strict=True):
#             error = (fused - source).square().mean()
#             loss = loss + (weight * (ssim_loss(fused, source) + 20 * error)).mean()
#         descent.zero_grad()
#         loss.backward()
#         descent.step()
#     return fused.detach(), weights[0].item()
#
#
# distance = {}
# for temperature in (0.025, 0.25, 2.5):
#     fused, weight = best_image(temperature)
#     targets = {"the first": sources[0], "the average": average}
#     apart = {k: 255 * (fused - v).abs().mean().item() for k, v in targets.items()}
#     distance[temperature] = apart
#     print(f"temperature {temperature}: weight of the first {weight:.2f},", end=" ")
#     print(", ".join(f"{value:.1f} levels from {name}" for name, value in apart.items()))
# assert distance[2.5]["the average"] < 0.5 * distance[0.25]["the average"]
# assert distance[0.025]["the first"] < 0.5 * distance[0.25]["the first"]
# ```
#
# </details>
#
# **4.** Some authors' programs stretch the darkest pixel to 0 and the brightest to 255. Do that to GACN's result on the cat
# (`chelsea_blur3`). Which scores fall, and which rise?
#
# <details><summary>Hint</summary>
#
# `mffrepro.models.layers.stretched` does what these programs do. Score the image before and after by PSNR, Q_ABF, MI, EN and
# SF.
#
# </details>
#
# <details><summary>Expected result and solution</summary>
#
# PSNR falls from 47.0 to 20.0 dB, $Q_{ABF}$ from 0.793 to 0.767 and MI from 7.68 to 7.24. Spatial frequency rises by 23 %, and
# entropy rises too, although the stretched image shows nothing that the other does not. Statistics of the fused image alone
# cannot tell contrast that was added from detail that was kept. The effect depends on the photograph: one that already reaches
# from 0 to 255 stays as it is. So a table compares programs fairly only if all of them save their results in the same way.
#
# ```python
# import numpy as np
# import mffrepro as mff
# from mffrepro.images import from_unit, to_unit
# from mffrepro.models.layers import stretched
#
# pair = mff.load("embedded", kind="composite", levels=(3,), size=192)["chelsea_blur3"]
# fused = mff.fuse(pair, "gacn", device="cpu").image
# saved = from_unit(stretched(to_unit(fused)), np.uint8)
# print("values:", fused.min(), fused.max(), "stretched:", saved.min(), saved.max())
#
# asked = ["psnr", "qabf", "mi", "en", "sf"]
# before, after = (mff.evaluate(pair, image, asked) for image in (fused, saved))
# for name in asked:
#     print(f"{name}: {before[name]:.3f}, stretched {after[name]:.3f}")
# assert after["psnr"] < before["psnr"] - 10
# assert after["qabf"] < before["qabf"] and after["mi"] < before["mi"]
# assert after["sf"] > 1.1 * before["sf"] and after["en"] > before["en"]
# ```
#
# </details>

# %% [markdown]
# ## Provenance

# %% tags=["remove-input"]
provenance(run, started, [f"{name}.default" for name in kinds])
