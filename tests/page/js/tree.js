import {
  add,
  branch,
  choose,
  emptyTree,
  leafOf,
  merge,
  remove,
  rename,
  siblings,
  treeOf,
  update,
} from "/static/chat/tree.js";
import { chance, equal, ok } from "./check.js";

const message = (id, parent = null) => ({ id, parent, role: "user", content: id });
const ids = (tree) => branch(tree).map((one) => one.id);
const rows = [
  message("q1"),
  message("a1", "q1"),
  message("a2", "q1"),
  message("q2", "a1"),
  message("b1", "q2"),
  message("q1b"),
  message("c1", "q1b"),
];

export const tests = {
  "the newest branch is shown": () => equal(ids(treeOf(rows)), ["q1b", "c1"]),
  "a leaf chooses its whole path": () => equal(ids(treeOf(rows, "b1")), ["q1", "a1", "q2", "b1"]),
  "walking to a sibling and back shows the same path": () => {
    const there = choose(treeOf(rows, "b1"), "a2");
    equal(ids(there), ["q1", "a2"]);
    equal(ids(choose(there, "a1")), ["q1", "a1", "q2", "b1"]);
  },
  "siblings know their places": () => {
    const tree = treeOf(rows);
    equal(siblings(tree, "a2"), { index: 1, count: 2, previous: "a1", next: null });
    equal(siblings(tree, "q1"), { index: 0, count: 2, previous: null, next: "q1b" });
  },
  "an added message is shown and its siblings are kept": () => {
    const tree = add(treeOf(rows, "b1"), message("a3", "q1"));
    equal(ids(tree), ["q1", "a3"]);
    equal(siblings(tree, "a3").count, 3);
  },
  "adding twice adds once": () => equal(add(treeOf(rows), message("c1", "q1b")), treeOf(rows)),
  "a renamed message keeps its place and its children": () => {
    const tree = rename(treeOf(rows, "b1"), "a1", "server");
    equal(ids(tree), ["q1", "server", "q2", "b1"]);
    equal(siblings(tree, "server").index, 0);
  },
  "renaming to one that is there removes the copy": () =>
    equal(siblings(rename(treeOf(rows), "a1", "a2"), "a2").count, 1),
  "a removed message takes what follows it along": () => {
    const tree = remove(treeOf(rows, "b1"), "a1");
    equal(ids(tree), ["q1", "a2"]);
    equal(Object.keys(tree.nodes).sort(), ["a2", "c1", "q1", "q1b"]);
  },
  "nothing changes the tree that it was given": () => {
    const tree = treeOf(rows, "b1");
    const before = JSON.stringify(tree);
    [
      add(tree, message("x", "q1")),
      remove(tree, "q1"),
      rename(tree, "q1", "y"),
      choose(tree, "c1"),
      update(tree, "q1", { content: "z" }),
    ];
    equal(JSON.stringify(tree), before);
  },
  "merging keeps the shown path and unsent messages, and drops what the server dropped": () => {
    const local = add(choose(treeOf(rows), "a2"), message("local:1", "a2"));
    const server = treeOf(rows.filter((row) => row.id !== "c1" && row.id !== "q1b"));
    const merged = merge(local, server, (one) => one.id.startsWith("local:"));
    equal(ids(merged), ["q1", "a2", "local:1"]);
    ok(!merged.nodes.c1);
  },
  "random growth keeps every message on exactly one place": () => {
    const random = chance(7);
    let tree = emptyTree;
    const known = [null];
    for (let step = 0; step < 400; step += 1) {
      const id = `m${step}`;
      tree = add(tree, message(id, known[Math.floor(random() * known.length)]));
      known.push(id);
      if (random() < 0.3) tree = choose(tree, known[1 + Math.floor(random() * (known.length - 1))]);
      const path = ids(tree);
      ok(new Set(path).size === path.length, "a message twice on the path");
      ok(!tree.children[leafOf(tree).id]?.length, "the path ends before a leaf");
    }
    equal(Object.values(tree.children).flat().length, 400);
  },
};
