"""Kinds of Markdown with what is right of each: the text, and what a reader sees of it.

What is seen is written as in tests/page/test_markdown_agreement.py: `{formula}`, `[words](address)`,
`<code block>`, `|cell`, `>quote`; blanks do not count.
"""

from __future__ import annotations

KINDS = {
    "one tilde is no strike-through": (
        "需要3~5天，或者6~8天。湿度40~60%。 It takes 1~2 days or ~3~ days, ~~not~~ four.",
        "需要3~5天，或者6~8天。湿度40~60%。 It takes 1~2 days or ~3~ days, ~~not~~ four.",
    ),
    "a bare address ends at Chinese punctuation": (
        "请访问https://example.com/docs，然后点击。见（https://example.com/a）和“www.example.com/b”。写给a@example.com。",
        (
            "请访问[https://example.com/docs](https://example.com/docs)，然后点击。见（[https://example.com/a](https://example.com/a)"
            "）和“[www.example.com/b](http://www.example.com/b)”。写给[a@example.com](mailto:a@example.com)"
            "。"
        ),
    ),
    "a bare address ends before the sentence does": (
        (
            "See (https://example.com/a_(b)), **https://example.com/c** or https://example.com. "
            "Not xhttps://example.com"
        ),
        (
            "See([https://example.com/a_(b)](https://example.com/a_(b))), **[https://example.com/c](https://example.com/c)"
            "** or[https://example.com](https://example.com). Not xhttps://example.com"
        ),
    ),
    "references lead over the whole answer": (
        (
            "See the [manual][1] and the [site].\n\nMore text.\n\n[1]: https://example.org/manual "
            '"Manual"\n[Site]: <https://example.org/>'
        ),
        ("See the[manual](https://example.org/manual) and the[site](https://example.org/). More text."),
    ),
    "a definition that nothing uses is text": (
        "One [a].\n\n[a]: https://example.org/a\n\n[b]: https://example.org/b\n\n[a]: https://example.org/c",
        "One[a](https://example.org/a). [b]:[https://example.org/b](https://example.org/b)[a]:[https://example.org/c](https://example.org/c)",
    ),
    "a footnote stands where it is defined, an unused one is text": (
        (
            "Known[^1] and unknown[^2].\n\n- item[^n]\n\n[^1]: First **note**\n    goes on.\n[^n]: "
            "Named\n[^3]: Unused"
        ),
        "Known1 and unknown[^2]. - item n 1 First **note** goes on. n Named[^3]: Unused",
    ),
    "amounts are text": (
        (
            "It costs 5$, 10$ or 15$ each. A$20 versus NZ$30. From $5-$10/month. Paid **$4**, then "
            "**$1.50** (MR). The $2k cohort and the $25-50k tier. Between $5 and 10$. 从$5到10$。Set "
            "$HOME and also $PATH."
        ),
        (
            "It costs 5$, 10$ or 15$ each. A$20 versus NZ$30. From $5-$10/month. Paid **$4**, then "
            "**$1.50**(MR). The $2k cohort and the $25-50k tier. Between $5 and 10$. 从$5到10$。Set "
            "$HOME and also $PATH."
        ),
    ),
    "formulas are formulas beside Chinese and marks": (
        "当$x=1$时，($y$) and *$z_1$*, $$a_2$$ and \\(b\\), $2x$, but \\$c\\$.",
        "当{x=1}时，({y}) and *{z_1}*,{a_2}and{b},{2x}, but $c$.",
    ),
    "display maths stands in items and quotes": (
        ("1. Start\n\n   $$\n   a + b\n   =\n   c\n   $$\n\n2. Next\n\n> \\[\n> d\n> =\n> e\n> \\]\n> more"),
        "1. Start{a + b = c}2. Next >{d = e}more",
    ),
    "environments are maths by themselves": (
        (
            "\\begin{align}\na &= b \\\\\n\nc &= d\n\\end{align}\n\n- \\begin{cases} x \\end{cases}\n\nand "
            "\\begin{document}"
        ),
        "{\\begin{align}a &= b \\\\ c &= d \\end{align}}-{\\begin{cases}x \\end{cases}}and \\begin{document}",
    ),
    "a fold holds all blocks up to its end": (
        (
            "<details>\n<summary>More <b>of</b> it</summary>\n\nText\n\n```\n</details>\n```\n\n- "
            "a\n\n</details>\n\nAfter"
        ),
        "More **of** it Text<</details> >- a After",
    ),
    "footnotes may name themselves and each other": (
        "One[^1].\n\n[^1]: See[^1] and[^2].\n[^2]: See[^1].\n[^3]: Alone[^3].",
        "One1. 1 See1 and2. 2 See1. 3 Alone3.",
    ),
    "a summary is words": (
        "<details>\n<summary> # 1. **a** `b` </summary>\n\nc\n</details>",
        "# 1. **a** `b` c",
    ),
    "a fold may stand in one line, and the text goes on behind it": (
        "<details><summary>折**叠**</summary>内容*斜*</details>后文\n续行\n\n"
        "<details>a</details><details open>b</details>",
        "折**叠** 内容*斜* 后文 续行 a b",
    ),
    "links have words without brackets, or none": (
        "[a [b] c](https://x.org/d), ![](https://x.org/p.png) and [](https://x.org/e).",
        "[a [b] c](https://x.org/d),[https://x.org/p.png](https://x.org/p.png) and[](https://x.org/e).",
    ),
    "emphasis ends beside text without blanks": (
        (
            "这是*强调。*的，**注意：**这，***都是。***对，_斜体_字，**“引”**后，"
            "a*b*c, snake_case_name, 2 * 3 * 4."
        ),
        "这是*强调。*的，**注意：**这，***都是。***对，*斜体*字，**“引”**后，a*b*c, snake_case_name, 2*3*4.",
    ),
    "tags are text but for plain ones": (
        "<div class='x'>a</div> H<sub>2</sub>O, press <kbd>K</kbd>\n<p>*b*</p>",
        "<div class='x'>a</div>H2O, press K<p>*b*</p>",
    ),
    "tasks and tables": (
        "- [x] done\n- [ ] open\n\n| a | b\\|c |\n|---|--:|\n| 1 | `2` |",
        "- ☑ done - ☐ open|a|b|c|1|`2`",
    ),
}
