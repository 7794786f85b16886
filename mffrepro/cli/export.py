"""``mffrepro export``: a network as a file for other programs."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    method: Annotated[str, typer.Argument(help="Network and weights, such as gacn, gacn.published or focal.")],
    output: Annotated[Path, typer.Argument(help="Where to write: .onnx.")],
) -> int:
    """Write a network as ONNX: gray images in, the shares of the sources out.

    Example: mffrepro export gacn gacn.onnx
    """
    from mffrepro.export import export_onnx

    path = export_onnx(method, output)
    print(f"{method}: {path.stat().st_size / 2**20:.2f} MiB -> {path}")
    return 0
