"""What the comparisons with published images share."""

import pytest
from outputs import read


@pytest.fixture(scope="session")
def published(goldens):
    """Reads a stored image by its name."""
    return lambda name: read(goldens / "baselines" / f"{name}.png")
