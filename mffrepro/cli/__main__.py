"""``python -m mffrepro.cli``, and ``accelerate launch -m mffrepro.cli train ...`` on several GPUs."""

import sys

from mffrepro.cli import main

sys.exit(main())
