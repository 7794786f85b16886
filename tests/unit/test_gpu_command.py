"""``make gpu`` without a GPU: its steps in their order, its report, and what it says where there is none."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("gpu_command", ROOT / "tests" / "gpu" / "run.py")
command = importlib.util.module_from_spec(spec)
sys.modules["gpu_command"] = command
spec.loader.exec_module(command)


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command.main([]) == 2
    assert "needs a CUDA device" in capsys.readouterr().err


def test_all_steps_run_even_if_one_fails(monkeypatch, tmp_path):
    ran = []
    monkeypatch.setattr(command, "run", lambda step: (ran.append(step.name), (int(step.name == "tests"), 61.0))[1])
    monkeypatch.setattr(command, "ceilings", lambda device: ["", f"ceilings of {device}"])
    report = tmp_path / "report.md"
    assert command.main(["--device", "cpu", "--report", str(report)]) == 1
    assert ran == ["tests", "book", "study"]
    text = report.read_text()
    assert re.findall(r"^\| (\w+) \| (\d+) \| (\d) \|$", text, re.MULTILINE) == [
        ("tests", "61", "1"),
        ("book", "61", "0"),
        ("study", "61", "0"),
    ]
    assert text.endswith("ceilings of cpu\n")


def test_commands_are_known_to_the_package():
    from typer.testing import CliRunner

    from mffrepro.cli import app

    for step in command.steps("cuda", "a GPU")[1:]:
        arguments = list(step.command[3:])
        options = {one for one in arguments if one.startswith("--")}
        known = CliRunner().invoke(app, [*[one for one in arguments if one in ("book", "train", "study")], "--help"]).output
        assert options
        assert all(option in known for option in options), known


@pytest.mark.slow
def test_ceilings_are_measured_on_a_cpu_too(monkeypatch):
    monkeypatch.setattr(command, "NETWORKS", ("sesf",))
    lines = command.ceilings("cpu")
    share = re.search(r"\| sesf \| [\d.]+ \| [\d.]+ \| (\d+)% \|", "\n".join(lines))
    assert 0 < int(share[1]) <= 100
