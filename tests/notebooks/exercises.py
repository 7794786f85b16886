"""Read the exercises of a chapter: question, hint, expected result and solution."""

import re
from dataclasses import dataclass

FOLD = re.compile(r"<details><summary>(.+?)</summary>\n\n(.+?)\n\n</details>", re.DOTALL)
CODE = re.compile(r"```python\n(.+?)```", re.DOTALL)
NUMBER = re.compile(r"^\*\*(\d+)\.\*\* ", re.MULTILINE)
HINT, SOLUTION = "Hint", "Expected result and solution"


@dataclass(frozen=True)
class Exercise:
    """Hold one exercise.

    Args:
        number: As printed.
        question: Markdown.
        folds: Title -> markdown of what is folded below the question.
    """

    number: int
    question: str
    folds: dict[str, str]

    @property
    def solution(self) -> str:
        """Code of the solution."""
        (code,) = CODE.findall(self.folds[SOLUTION])
        return code


def read(prose: str) -> list[Exercise]:
    """List the exercises that follow the heading *Try it*."""
    _, heading, rest = prose.partition("\n### Try it\n")
    parts = NUMBER.split(re.split(r"\n## ", rest)[0]) if heading else [""]
    found = []
    for number, body in zip(parts[1::2], parts[2::2], strict=True):
        found.append(Exercise(int(number), FOLD.sub("", body).strip(), dict(FOLD.findall(body))))
    return found
