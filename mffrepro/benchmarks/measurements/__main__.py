"""Make a measurement and record it.

Example: ``python -m mffrepro.benchmarks.measurements gacn_maps --machine "1 CPU core"``.
"""

from typing import Annotated

import typer

from mffrepro.benchmarks.measurements import MEASUREMENTS, measure


def main(
    name: Annotated[str, typer.Argument(help=", ".join(MEASUREMENTS))],
    machine: Annotated[str, typer.Option(help="The machine in words, for the table.")],
) -> None:
    """Measure on all pairs and record the table."""
    print(measure(name, machine))


if __name__ == "__main__":
    typer.run(main)
