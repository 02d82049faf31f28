import { render, sanitise, sanitiseMaths } from "/static/chat/view/markdown.js";
import { typeset } from "/static/chat/lazy/maths.js";
import { certainMarkdown } from "/static/chat/close-markdown.js";
import { equal, ok } from "./check.js";

function html(fragment) {
  const box = document.createElement("div");
  box.append(fragment);
  return box.innerHTML;
}

/** Attacks on Markdown and HTML sanitisers: schemes, handlers, foreign content, mutation, style, encoded forms. */
const ATTACKS = [
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](java\nscript:alert(1))",
  "[x](&#106;avascript:alert(1))",
  "[x](\u0001javascript:alert(1))",
  "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
  "[x](vbscript:msgbox(1))",
  "[x](blob:https://x/1)",
  "<javascript:alert(1)>",
  "![x](javascript:alert(1))",
  "![x](https://evil.example/pixel.png)",
  '![x](x"onerror="alert(1))',
  "[a]: javascript:alert(1)\n\n[a]",
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg onload=alert(1)>",
  "<svg><script>alert(1)</script></svg>",
  "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
  "<svg><use href='data:image/svg+xml,<svg onload=alert(1)>'/></svg>",
  "<iframe src=javascript:alert(1)>",
  "<iframe srcdoc='<script>alert(1)</script>'>",
  "<object data=javascript:alert(1)>",
  "<embed src=javascript:alert(1)>",
  "<a href=javascript:alert(1)>x</a>",
  "<a href='x' onmouseover=alert(1)>x</a>",
  "<form action=javascript:alert(1)><button>x",
  "<button formaction=javascript:alert(1)>x",
  "<input autofocus onfocus=alert(1)>",
  "<details open ontoggle=alert(1)>",
  "<video><source onerror=alert(1)>",
  "<body onload=alert(1)>",
  "<style>@import 'https://evil.example/x.css'</style>",
  "<p style='background:url(https://evil.example/)'>x</p>",
  "<link rel=stylesheet href=https://evil.example/x.css>",
  "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
  "<base href=https://evil.example/>",
  "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
  "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
  "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
  "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
  "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
  "<template><img src=x onerror=alert(1)></template>",
  "<a id=app name=boot>x</a>",
  "<img name=getElementById>",
  "`<img src=x onerror=alert(1)>`",
  "```\n</code></pre><img src=x onerror=alert(1)>\n```",
  '```x"><img src=x onerror=alert(1)>\nx\n```',
  "$<img src=x onerror=alert(1)>$",
  "$$\\href{javascript:alert(1)}{x}$$",
  "| <img src=x onerror=alert(1)> |\n|---|\n| [x](javascript:alert(1)) |",
  "<sub onclick=alert(1)>x</sub>",
  "<kbd style=position:fixed>x</kbd>",
  "<br onerror=alert(1)>",
];

const FORBIDDEN =
  "script,img,svg,iframe,object,embed,form,button,style,link,meta,base,video,source,template,details,noscript," +
  "body,textarea,select";

function checkHarmless(fragment, attack) {
  const box = document.createElement("div");
  box.append(fragment);
  const copy = new DOMParser().parseFromString(box.innerHTML, "text/html").body;
  for (const root of [box, copy]) {
    ok(!root.querySelector(FORBIDDEN), `${attack} left ${root.innerHTML}`);
    for (const node of root.querySelectorAll("*")) {
      for (const { name, value } of node.attributes) {
        ok(!/^on|^style$|^id$|^name$|^src/i.test(name), `${attack} left ${name}`);
        ok(!/^\s*(javascript|data|vbscript|blob):/i.test(value), `${attack} left ${name}=${value}`);
      }
    }
  }
}

const GROWING = { growing: true, tail: true, definition: () => undefined };

/** HTML of a tail. */
const tail = (source) =>
  html(render(certainMarkdown(source), GROWING))
    .trim()
    .replace(/ dir="\w+"/g, "");

export const tests = {
  "no attack survives rendering": () => ATTACKS.forEach((attack) => checkHarmless(render(attack), attack)),
  "no attack survives the sanitiser alone": () => ATTACKS.forEach((attack) => checkHarmless(sanitise(attack), attack)),
  "no attack survives the sanitiser of maths": () =>
    ATTACKS.forEach((attack) => checkHarmless(sanitiseMaths(attack), attack)),
  "raw HTML is shown as it was written": () =>
    ok(html(render("a <div class='x'>b</div>")).includes("&lt;div class='x'&gt;")),
  "plain marks pass": () => ok(html(render("H<sub>2</sub>O<br>x")).includes("H<sub>2</sub>O<br>x")),
  "links open outside and keep quiet": () => {
    const link = render("[x](https://example.org/?a=1&b=2)").querySelector("a");
    equal([link.href, link.target, link.rel], ["https://example.org/?a=1&b=2", "_blank", "noopener noreferrer"]);
  },
  "images are links": () => {
    const fragment = render("![a chart](https://example.org/x.png)");
    equal([fragment.querySelector("img"), fragment.querySelector("a.image-link").textContent], [null, "a chart"]);
  },
  "tables, task lists and numbers keep what they mean": () => {
    const fragment = render("| a | b |\n|---|--:|\n| 1 | 2 |\n\n- [x] done\n- [ ] open\n\n3. three");
    equal(fragment.querySelector("th:last-child").getAttribute("align"), "right");
    equal(
      [...fragment.querySelectorAll("input")].map((one) => [one.type, one.checked, one.disabled]),
      [
        ["checkbox", true, true],
        ["checkbox", false, true],
      ],
    );
    equal(fragment.querySelector("ol").getAttribute("start"), "3");
  },
  "each block runs the way of its words, code and formulas from left to right": () => {
    const fragment = render(
      "`x = 1` שלום\n\n# مرحبا\n\n- $a$ אחת\n- two\n\n1. one\n\n2. שתיים\n\n" +
        "> `q` ציטוט\n\n| א | b |\n|---|---|\n| `c` ד | e |\n\n    code",
    );
    const box = document.createElement("div");
    box.append(fragment);
    document.body.append(box);
    const ways = (selector) => [...box.querySelectorAll(selector)].map((one) => getComputedStyle(one).direction);
    equal(ways("p"), ["rtl", "ltr", "rtl", "rtl"]);
    equal(ways("h1, ul, ul > li, ol, ol > li"), ["rtl", "rtl", "rtl", "ltr", "ltr", "ltr", "rtl"]);
    equal(ways("blockquote, table, th, td"), ["rtl", "rtl", "rtl", "ltr", "rtl", "ltr"]);
    equal(new Set(ways("code, pre, .maths")), new Set(["ltr"]));
    box.remove();
  },
  "open marks are closed while streaming": () => {
    equal(tail("some **bold"), "<p>some <strong>bold</strong></p>");
    equal(tail("some **bold*"), "<p>some <strong>bold</strong></p>");
    equal(tail("some *it"), "<p>some <em>it</em></p>");
    equal(tail("a `co"), "<p>a <code>co</code></p>");
    equal(tail("see [the docs](https://exa"), "<p>see the docs</p>");
    equal(tail("see [the do"), "<p>see the do</p>");
    equal(tail("and **"), "<p>and </p>");
    equal(tail("| a | b |\n|---"), "");
    equal(
      tail("done **well** and `fine` at 2 * 3."),
      "<p>done <strong>well</strong> and <code>fine</code> at 2 * 3.</p>",
    );
    equal(tail("- a list\n- of *things*"), "<ul>\n<li>a list</li>\n<li>of <em>things</em></li>\n</ul>");
  },
  "bold ends beside Chinese text": () => {
    const bold = (source) => [...render(source).querySelectorAll("strong")].map((one) => one.textContent);
    equal(bold("**加粗文字。**后面"), ["加粗文字。"]);
    equal(bold("**注意：**这是…他说**“你好”**然后"), ["注意：", "“你好”"]);
    equal(bold("她说**`a`：**好"), ["a："]);
    equal(bold("**用 `a ** b`：**好，**用 `a**b`"), ["用 a ** b："]);
    equal(bold("`**注意：**这` 和 2 ** 3 ** 四"), []);
    equal(bold("**one** two **three *four* five**"), ["one", "three four five"]);
  },
  "code keeps every character": () => {
    const code = 'if (a < b && c > d) { "x" }\n\t// <b>';
    equal(
      render(`> \`\`\`js\n> ${code.replace("\n", "\n> ")}\n> \`\`\``).querySelector("code").textContent,
      `${code}\n`,
    );
  },
  "maths is found and money is not": () => {
    const found = (source) => [...render(source).querySelectorAll(".maths")].map((one) => one.textContent);
    equal(found("$a_1$ and \\(b\\) and $$c$$ and \\[d\\]"), ["a_1", "b", "c", "d"]);
    equal(found("$5 and $10, or $ 5 $"), []);
    equal(found("`$a$` and \\$b\\$"), []);
    equal(found("$a < b$"), ["a < b"]);
  },
  "maths becomes MathML that keeps within the policy": async () => {
    const box = document.createElement("div");
    box.append(
      render("$\\frac{1}{2}$ and $\\color{red}{x}$ and $\\href{javascript:alert(1)}{y}$ and $\\notacommand$"),
    );
    document.body.append(box);
    typeset([...box.querySelectorAll(".maths")], sanitiseMaths);
    for (let tries = 0; !box.querySelector("mfrac"); tries += 1) {
      ok(tries < 200, "KaTeX did not come");
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    ok(!box.querySelector("[style], [href], script"), box.innerHTML);
    const cells = (tex) => {
      const formula = document.createElement("p");
      formula.append(render(`$${tex}$`));
      typeset([...formula.querySelectorAll(".maths")], sanitiseMaths);
      return [...formula.querySelectorAll("mtd")].map((one) => one.getAttribute("class"));
    };
    equal(cells("\\begin{cases} 1 & a \\\\ 20 & b \\end{cases}"), Array(4).fill("column-left"));
    equal(cells("\\begin{aligned} a & = b \\end{aligned}"), ["column-right", "column-left"]);
    equal(box.querySelectorAll(".maths-unread").length >= 1, true);
  },
};
