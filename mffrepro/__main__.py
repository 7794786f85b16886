"""``python -m mffrepro``, which is also what ``accelerate launch -m mffrepro`` starts."""

from mffrepro.cli import program

if __name__ == "__main__":
    program()
