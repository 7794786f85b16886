"""``python -m mffrepro``, which is also what ``accelerate launch -m mffrepro`` starts."""

import sys

from mffrepro.cli import main

if __name__ == "__main__":
    sys.exit(main())
