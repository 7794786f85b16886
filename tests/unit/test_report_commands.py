"""Commands in a chapter run as a reader would run them, and an error is no picture of success."""

import numpy as np
import pytest

from mffrepro.errors import OptionError
from mffrepro.images import write_image
from mffrepro.report.commands import run_command


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for n in range(2):
        write_image(tmp_path / f"{n}.png", rng.integers(0, 256, (40, 40), dtype=np.uint8))
    return tmp_path


def test_a_command_is_shown_with_what_it_prints(folder):
    line = "mffrepro fuse 0.png 1.png -m average -o fused.png"
    first, *rest = run_command(line, folder).splitlines()
    assert first == f"$ {line}"
    assert rest[-1].startswith("average: 2 images of 40x40")
    assert (folder / "fused.png").exists()


def test_an_error_is_raised_unless_it_is_expected(folder):
    with pytest.raises(OptionError, match="exit code 2: mffrepro: no method 'avrage'"):
        run_command("mffrepro fuse 0.png 1.png -m avrage -o fused.png", folder)
    assert "no method 'avrage'" in run_command("mffrepro fuse 0.png 1.png -m avrage -o fused.png", folder, code=2)


def test_other_programs_are_not_run(folder):
    with pytest.raises(OptionError, match="begins with mffrepro"):
        run_command("rm 0.png", folder)
