/** Colours for code: highlight.js and its grammars, each fetched when first needed, applied when the page is idle. */

const VENDOR = "../../vendor/highlight";

/** Names that people and models write, and the grammar that fits. */
const ALIASES = {
  "c++": "cpp",
  cc: "cpp",
  h: "c",
  hpp: "cpp",
  "c#": "csharp",
  cs: "csharp",
  docker: "dockerfile",
  golang: "go",
  gql: "graphql",
  toml: "ini",
  conf: "ini",
  js: "javascript",
  jsx: "javascript",
  mjs: "javascript",
  jsonc: "json",
  json5: "json",
  kt: "kotlin",
  tex: "latex",
  make: "makefile",
  md: "markdown",
  objc: "objectivec",
  pl: "perl",
  text: "plaintext",
  txt: "plaintext",
  ps1: "powershell",
  py: "python",
  python3: "python",
  rb: "ruby",
  rs: "rust",
  sh: "bash",
  zsh: "bash",
  console: "shell",
  "shell-session": "shell",
  ts: "typescript",
  tsx: "typescript",
  html: "xml",
  svg: "xml",
  vue: "xml",
  xhtml: "xml",
  yml: "yaml",
  sqlite: "sql",
  postgresql: "sql",
  mysql: "sql",
};

const GRAMMARS = new Set(
  (
    "bash c cpp csharp css diff dockerfile go graphql ini java javascript json kotlin latex less lua makefile " +
    "markdown nginx objectivec perl php plaintext powershell python r ruby rust scala scss shell sql swift " +
    "typescript vbnet xml yaml"
  ).split(" "),
);

/** Longer code stays plain: colouring it would hold the page for longer than people should feel. */
const MOST_CHARS = 30_000;

const loaded = new Map();

/** The grammar for a fence's info string, or null. */
export function grammarOf(info) {
  const name = info
    .trim()
    .split(/[\s{,:]/, 1)[0]
    .toLowerCase();
  const grammar = ALIASES[name] ?? name;
  return GRAMMARS.has(grammar) ? grammar : null;
}

function load(grammar) {
  if (!loaded.has(grammar)) {
    const both = Promise.all([import(`${VENDOR}/core.js`), import(`${VENDOR}/languages/${grammar}.js`)]);
    loaded.set(
      grammar,
      both.then(([core, language]) => {
        core.default.registerLanguage(grammar, language.default);
        return core.default;
      }),
    );
  }
  return loaded.get(grammar);
}

const idle = globalThis.requestIdleCallback ?? ((action) => setTimeout(action, 50));

/** Colour the code in an element. Its text does not change; without a known grammar nothing happens. */
export function highlight(element, info, sanitise) {
  const grammar = grammarOf(info);
  const source = element.textContent;
  if (!grammar || grammar === "plaintext" || source.length > MOST_CHARS) return;
  const colour = (library) =>
    idle(() => {
      if (element.textContent !== source) return;
      element.replaceChildren(sanitise(library.highlight(source, { language: grammar, ignoreIllegals: true }).value));
    });
  load(grammar).then(colour, () => {});
}
