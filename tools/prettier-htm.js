/**
 * A Prettier plugin: lays out htm's html`` templates, which Prettier itself leaves as they stand.
 *
 * A template is read into elements, texts and expressions, and printed as Prettier prints JSX: attributes on one line
 * or each on its own, children inside or each on its own. Whitespace is added or taken away only where htm drops it:
 * at the edge of a text, with a line break in it. A blank within a line is content and stays; so the layout changes
 * nothing that is drawn. As with Prettier's objects, an element whose first child stands on a new line stays open.
 */

import { doc } from "prettier";
import * as estree from "prettier/plugins/estree";
import * as babel from "prettier/plugins/babel";

const { group, hardline, indent, join, line, softline, lineSuffixBoundary, breakParent } = doc.builders;

const base = estree.printers.estree;

const isHtml = (node) => node?.tag?.type === "Identifier" && node.tag.name === "html" && Boolean(node.quasi);

// --- reading ------------------------------------------------------------------------------------------------------

const slot = (index) => ({ kind: "slot", index });

/** Walks over the template's characters; an expression counts as one, given as `{kind: "slot", index}`. */
class Reader {
  constructor(quasis) {
    this.units = quasis.flatMap(({ value }, index) => [...(index ? [slot(index - 1)] : []), ...value.raw]);
    this.at = 0;
  }

  get next() {
    return this.units[this.at];
  }

  looksAt(text) {
    return [...text].every((character, offset) => this.units[this.at + offset] === character);
  }

  skip(text) {
    if (!this.looksAt(text)) throw new Error(`htm: expected ${text} at unit ${this.at}`);
    this.at += text.length;
  }

  /** Units up to one for which `ends` holds; neighbouring characters joined. */
  until(ends) {
    const parts = [];
    for (; this.at < this.units.length && !ends(this.next); this.at += 1) {
      if (typeof this.next === "string" && typeof parts.at(-1) === "string") parts[parts.length - 1] += this.next;
      else parts.push(this.next);
    }
    return parts;
  }

  blanks() {
    const skipped = this.until((unit) => typeof unit !== "string" || /\S/.test(unit));
    return skipped[0] ?? "";
  }
}

const endsName = (unit) => typeof unit === "string" && /[\s=/>]/.test(unit);

function readAttribute(reader) {
  if (reader.looksAt("...")) {
    reader.skip("...");
    return { name: ["..."], value: [reader.units[reader.at++]] };
  }
  const name = reader.until(endsName);
  if (reader.next !== "=") return { name, value: null };
  reader.skip("=");
  if (reader.next !== '"' && reader.next !== "'") return { name: [...name, "="], value: reader.until(endsName) };
  const quote = reader.units[reader.at++];
  const value = reader.until((unit) => unit === quote);
  reader.skip(quote);
  return { name: [...name, "="], value: [quote, ...value, quote] };
}

function readElement(reader) {
  reader.skip("<");
  const element = { kind: "element", tag: reader.until(endsName), attributes: [], children: null, opened: false };
  for (reader.blanks(); reader.next !== ">" && reader.next !== "/"; reader.blanks()) {
    element.attributes.push(readAttribute(reader));
  }
  if (reader.next === "/") {
    reader.skip("/>");
    return element;
  }
  reader.skip(">");
  element.children = readChildren(reader);
  element.opened = /^\s*\n/.test(element.children.leading);
  reader.skip("</");
  element.end = reader.until((unit) => unit === ">");
  reader.skip(">");
  return element;
}

/** Children with the whitespace before each: "" (none), "\n" (dropped by htm) or " " (content). */
function readChildren(reader) {
  const children = [];
  children.leading = "";
  let gap = "";
  const add = (child) => {
    if (!children.length) children.leading = gap;
    children.push({ child, gap });
    gap = "";
  };
  while (reader.at < reader.units.length && !reader.looksAt("</")) {
    if (typeof reader.next !== "string") {
      add(reader.units[reader.at++]);
    } else if (reader.next === "<") {
      add(readElement(reader));
    } else {
      const [text] = reader.until((unit) => typeof unit !== "string" || unit === "<");
      if (!text.trim()) {
        gap = text;
        continue;
      }
      gap = /^\s*/.exec(text)[0];
      add({ kind: "text", text: text.trim() });
      gap = /\s*$/.exec(text)[0];
    }
  }
  children.trailing = gap;
  return children;
}

// --- printing -----------------------------------------------------------------------------------------------------

const HUGGED = new Set([
  "ArrowFunctionExpression",
  "CallExpression",
  "OptionalCallExpression",
  "ObjectExpression",
  "ArrayExpression",
  "TemplateLiteral",
  "TaggedTemplateExpression",
  "ConditionalExpression",
  "JSXElement",
]);

/** `${…}`; of `condition && html`…`` the template begins on the condition's line. */
function printSlot(path, print, index) {
  const expression = path.node.expressions[index];
  const printed = () => path.call(print, "expressions", index);
  if (expression.type === "LogicalExpression" && isHtml(expression.right)) {
    const left = path.call(print, "expressions", index, "left");
    const right = path.call(print, "expressions", index, "right");
    return group(["${", left, ` ${expression.operator} `, right, lineSuffixBoundary, "}"]);
  }
  if (HUGGED.has(expression.type)) return group(["${", printed(), lineSuffixBoundary, "}"]);
  return group(["${", indent([softline, printed()]), softline, lineSuffixBoundary, "}"]);
}

const printParts = (path, print, parts) =>
  parts.map((part) => (typeof part === "string" ? part : printSlot(path, print, part.index)));

function printAttribute(path, print, { name, value }) {
  return [...printParts(path, print, name), ...printParts(path, print, value ?? [])];
}

function printChild(path, print, child) {
  if (child.kind === "slot") return printSlot(path, print, child.index);
  if (child.kind === "text") return child.text;
  return printElement(path, print, child);
}

const isBlank = (gap) => gap !== "" && !gap.includes("\n");

/** What stands on one line: a text keeps to its neighbours unless the source parts them, and no blank is broken. */
function printChildren(path, print, children) {
  const rows = [];
  for (const [index, { child, gap }] of children.entries()) {
    const before = children[index - 1]?.child;
    const tight = gap === "" && (child.kind === "text" || before?.kind === "text");
    const printed = printChild(path, print, child);
    if (index && (isBlank(gap) || tight)) rows.at(-1).push(isBlank(gap) ? gap : "", printed);
    else rows.push([!index && isBlank(gap) ? gap : "", printed]);
  }
  if (isBlank(children.trailing)) rows.at(-1)?.push(children.trailing);
  return rows;
}

function printElement(path, print, element) {
  const { tag, attributes, children, opened, end } = element;
  const attributeDocs = attributes.map((one) => [line, printAttribute(path, print, one)]);
  const open = ["<", ...printParts(path, print, tag), indent(attributeDocs)];
  if (!children) return group([...open, attributes.length ? " />" : " />"]);
  const close = ["</", ...printParts(path, print, end), ">"];
  const rows = printChildren(path, print, children);
  if (!rows.length) return [group([...open, ">"]), ...close];
  const blankEdge = isBlank(children.leading) || isBlank(children.trailing);
  if (blankEdge) return [group([...open, ">"]), ...rows.flat(), ...close];
  const inside = indent([softline, join(softline, rows)]);
  return group([group([...open, ">"]), inside, softline, ...close, opened ? breakParent : ""]);
}

function printTemplate(path, print) {
  const reader = new Reader(path.node.quasis);
  const children = readChildren(reader);
  if (reader.at < reader.units.length) throw new Error("htm: an element is closed that was not opened");
  const rows = printChildren(path, print, children);
  if (rows.length === 1 || isBlank(children.leading) || isBlank(children.trailing)) {
    return ["`", join(hardline, rows), "`"];
  }
  return group(["`", indent([softline, join(softline, rows)]), softline, "`", breakParent]);
}

// --- the plugin ---------------------------------------------------------------------------------------------------

/** An arrow that gives a template keeps it on its line: Prettier does so for JSX, so its body is called that. */
function asJsx(node) {
  if (!node || typeof node !== "object") return;
  if (Array.isArray(node)) {
    node.forEach(asJsx);
    return;
  }
  for (const [key, child] of Object.entries(node)) if (key !== "loc" && key !== "tokens") asJsx(child);
  if (node.type === "ArrowFunctionExpression" && isHtml(node.body)) node.body.type = "JSXElement";
}

const parse = async (...all) => {
  const ast = await babel.parsers.babel.parse(...all);
  asJsx(ast.program);
  return ast;
};

export const parsers = { babel: { ...babel.parsers.babel, parse } };

const getVisitorKeys = (node, keys) => (isHtml(node) ? ["tag", "quasi"] : base.getVisitorKeys(node, keys));

export const printers = {
  estree: {
    ...base,
    getVisitorKeys,
    print(path, options, print, args) {
      const { node, parent } = path;
      if (isHtml(node)) return [print("tag"), print("quasi")];
      if (node.type === "TemplateLiteral" && isHtml(parent)) return printTemplate(path, print);
      return base.print(path, options, print, args);
    },
  },
};
