"""Draw the network of tlcnn and tlcolor, with the shapes of one forward pass."""

from collections.abc import Sequence

import torch

from mffrepro.models.transfer import TransferNet
from mffrepro.models.vgg import STAGES, VGG19, conv_keys
from mffrepro.report.diagram import flow, trace_shapes
from mffrepro.report.style import PALETTE, Shown

SIDE = 224  # of the papers' training images


def network_flow(network: TransferNet, *, caption: str = "") -> Shown:
    """Draw the source network, the encoders and the decoders.

    The encoders take over the convolutions of the source network.

    Args:
        network: Any width.
        caption: Caption.
    """
    shapes = _shapes(network)
    source = [("photograph", "any class")]
    source += [(f"stage {i + 1}\n{count} convs", f"VGG {full}") for i, (full, count) in enumerate(STAGES)]
    encoders = [("photograph", f"3 × {SIDE}²")]
    encoders += [(f"encoder {i + 1}", shapes[f"encoders.{i}.pool"]) for i in range(len(network.encoders))]
    decoders = [("encoder 5", shapes["encoders.4.pool"])]
    decoders += [(f"decoder {i + 1}", shapes[f"decoders.{i}"]) for i in range(len(network.decoders))]
    decoders += [("map", shapes["decoders.4.head"])]
    rows = [
        ("source task: what does the photograph show?", [*source, ("classifier", "3 layers")], PALETTE[0]),
        ("target task: the same convolutions and five new ones in each encoder", encoders, PALETTE[1]),
        (
            "five decoders; each also gives a map that enters the loss",
            decoders,
            PALETTE[2],
        ),
    ]
    return flow(
        rows,
        alt="Three rows of boxes: stages and classifier of a VGG-19, five encoders down to 7 pixels, five decoders back up.",
        caption=caption,
    )


def layer_flow(network: TransferNet, encoders: Sequence[int], *, caption: str = "") -> Shown:
    """Draw the layers of some encoders and the first layers of decoder 1.

    Args:
        network: Any width.
        encoders: Numbers from 1.
        caption: Caption.
    """
    shapes = _shapes(network)
    rows = []
    for number in encoders:
        parts = network.encoders[number - 1]
        boxes = [(f"VGG {i + 1}", shapes[f"encoders.{number - 1}.vgg.{i}"]) for i in range(len(parts.vgg))]
        last = len(parts.added) - 1
        boxes += [
            (f"new {i + 1}" + "\nstride 2" * (i == last), shapes[f"encoders.{number - 1}.added.{i}"])
            for i in range(len(parts.added))
        ]
        rows.append((f"encoder {number}: convolution, batch normalisation, Mish", boxes, PALETTE[1]))
    boxes = [("encoder 5", shapes["encoders.4.pool"]), ("up", shapes["decoders.0.up"])]
    boxes += [(f"conv {i + 1}" + "\nafter skip" * (i == 0), shapes[f"decoders.0.convs.{i}"]) for i in range(6)]
    return flow(
        [*rows, ("decoder 1, its first layers: transposed convolution, skip, convolutions", boxes, PALETTE[2])],
        alt="Rows of boxes with shapes: the layers of the encoders named on the left, and the first layers of decoder 1.",
        caption=caption,
    )


def vgg_flow(network: VGG19, *, caption: str = "") -> Shown:
    """Draw the five stages of a VGG-19, its poolings and its classifier.

    Args:
        network: Any width.
        caption: Caption.
    """
    pooling = "average\npooling" if network.options["pool"] == "avg" else "maximum\npooling"
    boxes, side = [("photograph", f"3 × {SIDE}²")], SIDE
    for keys in conv_keys():
        maps = network.features[keys[-1].removeprefix("features.")].out_channels
        boxes += [(f"{len(keys)} × conv,\nBN, ReLU", f"{maps} × {side}²"), (pooling, f"{maps} × {side // 2}²")]
        side //= 2
    layers = [(f"fully\nconnected {i}", str(layer.out_features)) for i, layer in enumerate(network.classifier, 1)]
    return flow(
        [
            ("stages 1 to 3", boxes[:7], PALETTE[0]),
            ("stages 4 and 5, classifier", [*boxes[7:], *layers], PALETTE[0]),
        ],
        alt="Two rows of boxes with shapes: five stages of convolutions and poolings, and three fully connected layers.",
        caption=caption,
    )


def _shapes(network: TransferNet) -> dict[str, str]:
    blank = torch.zeros(1, 3, SIDE, SIDE, device=next(network.parameters()).device)
    return {name: f"{shape[1]} × {shape[2]}²" for name, shape in trace_shapes(network, (blank,)).items()}
