"""Do on a GPU all that needs one, and write down what came of it (``make gpu``).

    python tests/gpu/run.py [--report gpu-report.md] [--device cuda] [--only STEP]

The steps: the tests marked ``gpu``, the full build of the book, and the study of transfer at the size of the papers, which goes
on where it was stopped. A step that fails does not keep the next from running; the exit status is 1 if any failed. The report
lists times, the ceilings of the machine, and which share of them each network reaches.
"""

import argparse
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Networks whose speed the report lists.
NETWORKS = ("gacn", "tlcnn", "cnn_fuse", "sesf", "ifcnn")


@dataclass(frozen=True)
class Step:
    """Hold a command and what it is for."""

    name: str
    command: tuple[str, ...]


def steps(device: str, machine: str) -> list[Step]:
    """List the steps in their order."""
    python = sys.executable
    study = ("-m", "mffrepro", "train", "study", "transfer", "--seeds", "5", "--size", "paper", "--machine", machine)
    return [
        Step("tests", (python, "-m", "pytest", "-q", "-m", "gpu")),
        Step("book", (python, "-m", "mffrepro", "book", "--profile", "full")),
        Step("study", (python, *study, "--device", device, "--precision", "bf16")),
    ]


def run(step: Step) -> tuple[int, float]:
    """Run a step in the checkout; return its exit status and its seconds."""
    started = time.monotonic()
    status = subprocess.run(step.command, cwd=ROOT, check=False).returncode
    return status, time.monotonic() - started


def ceilings(device: str) -> list[str]:
    """Measure the machine and its networks; return lines of the report."""
    from mffrepro.benchmarks.speed import measure_machine, measure_speed
    from mffrepro.data import load

    machine = measure_machine(device)
    stack = load("embedded", kind="composite", levels=(3,), size=512)[0]
    table = measure_speed(NETWORKS, stack, machine, device=device)
    rates = f"{machine.operations / 1e12:.2f} · 10¹² operations and {machine.bytes / 1e9:.0f} GB per second"
    lines = ["", "## Ceilings", "", f"A large matrix product and a large copy reach {rates}.", ""]
    lines += ["| network | milliseconds | least by the ceilings | reached |", "|---|---:|---:|---:|"]
    for name, row in table.iterrows():
        lines.append(f"| {name} | {1e3 * row['seconds']:.1f} | {1e3 * row['least']:.1f} | {row['reached']:.0%} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the steps and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--report", type=Path, default=Path("gpu-report.md"))
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--only", choices=("tests", "book", "study", "ceilings"))
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT))
    import torch

    from mffrepro.runtime import device_name

    if options.device == "cuda" and not torch.cuda.is_available():
        print("make gpu needs a CUDA device, and there is none here; --device cpu tries the steps without one", file=sys.stderr)
        return 2
    machine = device_name("cpu" if options.device == "cpu" else "auto")
    lines = [
        f"# {machine}",
        "",
        f"Python {platform.python_version()}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}",
        "",
    ]
    lines += ["| step | seconds | exit status |", "|---|---:|---:|"]
    failed = False
    for step in steps(options.device, machine):
        if options.only in (None, step.name):
            status, seconds = run(step)
            failed |= status != 0
            lines.append(f"| {step.name} | {seconds:.0f} | {status} |")
            options.report.write_text("\n".join(lines) + "\n")  # what is done is not lost if a later step is stopped
    if options.only in (None, "ceilings"):
        lines += ceilings(options.device)
    options.report.write_text("\n".join(lines) + "\n")
    print(options.report)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
