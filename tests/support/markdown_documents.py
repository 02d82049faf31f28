"""Answers in Markdown as models write them, by a seed: every kind of mark, well formed, cut off and stray."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

WORDS = [
    "value",
    "index",
    "cache",
    "request",
    "token",
    "queue",
    "model",
    "answer",
    "number",
    "window",
    "page",
]
CHINESE = ["注意", "结果", "温度", "数据", "模型", "请求", "这是一个例子", "然后", "队列"]
MARKS = [
    "*",
    "**",
    "_",
    "~",
    "~~",
    "`",
    "$",
    "[",
    "]",
    "(",
    "\\",
    "<",
    "|",
    "#",
    "2 * 3",
    "a_b_c",
    "5*3",
    "x[0]",
    "C#",
    "&",
]


ODD = ["3~5天", "1~2 days", "H<sub>2</sub>O", "<br>", "<https://example.com>", "\\*no\\*", "a@example.com"]


class MarkdownWriter:
    """One document of a seed. References and definitions are remembered, so that most find each other."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.labels: list[str] = []
        self.notes: list[str] = []

    def document(self) -> str:
        blocks = [self.block() for _ in range(self.random.randint(2, 7))]
        blocks += [self.definition(label) for label in self.labels if self.random.random() < 0.8]
        blocks += [f"[^{label}]: {self.line()}" for label in self.notes if self.random.random() < 0.8]
        if self.random.random() < 0.2:
            blocks.insert(
                self.random.randrange(len(blocks)), self.definition(f"extra {self.random.randint(1, 9)}")
            )
        return "\n\n".join(blocks)[: self.random.choice([None, None, None, -1, -3, -9])]

    def pick(self, choices: Sequence[T]) -> T:
        return self.random.choice(choices)

    def words(self, most: int = 4) -> str:
        if self.random.random() < 0.3:
            return "".join(self.random.choices(CHINESE, k=self.random.randint(1, 3)))
        return " ".join(self.random.choices(WORDS, k=self.random.randint(1, most)))

    def emphasis(self) -> str:
        mark = self.pick(["*", "**", "***", "_", "__", "~~"])
        inner = self.pick([self.words, self.words, self.code, lambda: f"{self.words()}：", self.emphasis])()
        return f"{mark}{inner}{mark}"

    def code(self) -> str:
        return self.pick(["`x = 1`", "`a * b`", "``a ` b``", "`snake_case`", "`$HOME`", "`[x]`"])

    def money(self) -> str:
        return self.pick(["$5", "5$", "US$", "A$20", "$5-$10/month", "$1.50", "$2k", "10$ or 15$", "$5到10$"])

    def formula(self) -> str:
        return self.pick(["$x$", "$a_1 + b^2$", "\\(a*b\\)", "$$x = y$$", "\\[z_1\\]", "$\\frac{1}{2}$"])

    def address(self) -> str:
        end = self.pick(["", "，", "。", "）", ".", " "])
        return self.pick(["https://example.com/a", "https://example.com/a_b", "www.example.com"]) + end

    def link(self) -> str:
        return self.pick(
            [
                f"[{self.words()}](https://example.com/x_y)",
                f'[{self.words()}](<a b> "title")',
                "![chart](https://x.org/p.png)",
                "![](https://x.org/p.png)",
            ]
        )

    def reference(self) -> str:
        label = self.pick(["1", "2", "site", "the manual"])
        self.labels += [label] * (label not in self.labels)
        return self.pick([f"[{self.words()}][{label}]", f"[{label}]", f"[{label}][]"])

    def footnote(self) -> str:
        label = self.pick(["1", "2", "note"])
        self.notes += [label] * (label not in self.notes)
        return f"[^{label}]"

    def definition(self, label: str) -> str:
        return f"[{label}]: https://example.org/{label.replace(' ', '-')}" + self.pick(["", ' "A title"'])

    def inline(self) -> str:
        kinds: list[Callable[[], str]] = [
            self.words, self.words, self.words, self.emphasis, self.emphasis, self.code, self.money,
            self.formula, self.address, self.link, self.reference, self.footnote, lambda: self.pick(MARKS),
            lambda: self.pick(ODD),
        ]  # fmt: skip
        return self.pick(kinds)()

    def line(self) -> str:
        parts = [self.inline() for _ in range(self.random.randint(1, 6))]
        return "".join(part + self.pick([" ", " ", " ", "", "，"]) for part in parts).strip() or "x"

    def paragraph(self) -> str:
        return "\n".join(self.line() for _ in range(self.random.choice([1, 1, 2])))

    def heading(self) -> str:
        return self.pick([f"{'#' * self.random.randint(1, 4)} {self.line()}", f"{self.words()}\n==="])

    def items(self, depth: int = 0) -> str:
        numbered = self.random.random() < 0.4
        first = self.random.choice([1, 1, 3])
        mark = self.pick(["-", "*", "+"])
        lines = []
        for index in range(self.random.randint(1, 4)):
            marker = f"{self.pick([first + index, first])}." if numbered else mark
            task = self.pick(["", "", "", "[ ] ", "[x] "])
            pad = " " * (len(marker) + 1)
            lines.append(f"{marker} {task}{self.line()}")
            roll = self.random.random()
            if roll < 0.15 and depth < 2:
                lines += [f"{pad}{line}" for line in self.items(depth + 1).split("\n")]
            elif roll < 0.3:
                lines += [
                    "",
                    *(
                        f"{pad}{line}".rstrip()
                        for line in self.pick([self.display, self.fence])().split("\n")
                    ),
                    "",
                ]
        return "\n".join(lines).rstrip()

    def quote(self) -> str:
        inner = self.pick([self.paragraph, self.display, self.items])()
        return "\n".join(f"> {line}".rstrip() for line in inner.split("\n"))

    def table(self) -> str:
        rows = [
            f"| {self.words()} | {self.line().replace('|', ' ')} |" for _ in range(self.random.randint(0, 3))
        ]
        return "\n".join(["| name | value |", self.pick(["|---|--:|", "| --- | :-: |"]), *rows])

    def fence(self) -> str:
        return self.pick(["```python\nx = [1] * 2\n\n# **no**\n```", "~~~\n*a* $b$\n~~~", "```\n| a |\n```"])

    def display(self) -> str:
        return self.pick(
            [
                "$$\na + b\n=\nc\n$$",
                "\\[\nx_1 * y\n\\]",
                "\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}",
                "$$x^2$$",
            ]
        )

    def details(self) -> str:
        inner = "\n\n".join(self.pick([self.paragraph, self.items, self.fence])() for _ in range(2))
        return self.pick(
            [
                f"<details>\n<summary>{self.words()}</summary>\n\n{inner}\n\n</details>",
                f"<details open>\n<summary>{self.line()}</summary>\n\n{inner}\n</details>{self.words()}",
                f"<details><summary>{self.emphasis()}{self.words()}</summary>{self.line()}</details>{self.line()}",
            ]
        )

    def block(self) -> str:
        kinds = [
            self.paragraph, self.paragraph, self.paragraph, self.heading, self.items, self.items,
            self.quote, self.table, self.fence, self.display, self.details, lambda: "---",
        ]  # fmt: skip
        return self.pick(kinds)()


def markdown_document(seed: int) -> str:
    """The document of this seed."""
    return MarkdownWriter(seed).document()
