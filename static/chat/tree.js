/**
 * The message tree of one conversation. Pure: every function returns a new tree and changes none.
 *
 * A message follows its parent; editing a question or answering again makes a sibling. What a person reads is one
 * path from the root to a leaf, given by the chosen child of every parent (the newest one unless chosen otherwise).
 */

/** Key of the children without a parent. */
export const ROOT = "";

const parentOf = (message) => message.parent ?? ROOT;

export const emptyTree = { nodes: {}, children: {}, chosen: {} };

/** A tree of messages listed oldest first, showing the path that ends in `leaf`. */
export function treeOf(messages, leaf = null) {
  const nodes = {};
  const children = {};
  for (const message of messages) {
    nodes[message.id] = message;
    (children[parentOf(message)] ??= []).push(message.id);
  }
  const tree = { nodes, children, chosen: {} };
  return leaf && nodes[leaf] ? choose(tree, leaf) : tree;
}

/** Whether any message has another version. */
export const isBranched = (tree) => Object.values(tree.children).some((siblings) => siblings.length > 1);

/** The tree with one more message, which becomes the chosen one among its siblings. */
export function add(tree, message) {
  if (tree.nodes[message.id]) return tree;
  const parent = parentOf(message);
  return {
    nodes: { ...tree.nodes, [message.id]: message },
    children: { ...tree.children, [parent]: [...(tree.children[parent] ?? []), message.id] },
    chosen: { ...tree.chosen, [parent]: message.id },
  };
}

/** The tree with some fields of a message replaced. The message keeps its place. */
export function update(tree, id, fields) {
  if (!tree.nodes[id]) return tree;
  return { ...tree, nodes: { ...tree.nodes, [id]: { ...tree.nodes[id], ...fields } } };
}

/** The tree where a message goes by another id, as when the server has given one to an optimistic message. */
export function rename(tree, from, to) {
  const message = tree.nodes[from];
  if (!message || from === to) return tree;
  if (tree.nodes[to]) return remove(tree, from);
  const swap = (id) => (id === from ? to : id);
  const nodes = {};
  for (const [id, node] of Object.entries(tree.nodes)) {
    nodes[swap(id)] = id === from ? { ...node, id: to } : node.parent === from ? { ...node, parent: to } : node;
  }
  const children = {};
  for (const [parent, ids] of Object.entries(tree.children)) children[swap(parent)] = ids.map(swap);
  const chosen = {};
  for (const [parent, id] of Object.entries(tree.chosen)) chosen[swap(parent)] = swap(id);
  return { nodes, children, chosen };
}

/** The tree without a message and everything that follows it. */
export function remove(tree, id) {
  const message = tree.nodes[id];
  if (!message) return tree;
  const nodes = { ...tree.nodes };
  const children = { ...tree.children };
  const chosen = { ...tree.chosen };
  const doomed = [id];
  for (const next of doomed) {
    doomed.push(...(children[next] ?? []));
    delete nodes[next];
    delete children[next];
    delete chosen[next];
  }
  const parent = parentOf(message);
  children[parent] = children[parent].filter((child) => child !== id);
  if (chosen[parent] === id) delete chosen[parent];
  return { nodes, children, chosen };
}

/** The child that is shown under a parent, or undefined. */
function shownChild(tree, parent) {
  const ids = tree.children[parent];
  if (!ids?.length) return undefined;
  const chosen = tree.chosen[parent];
  return chosen && tree.nodes[chosen] ? chosen : ids[ids.length - 1];
}

/** The messages on the shown path, from the first question to the leaf. */
export function branch(tree) {
  const path = [];
  for (let id = shownChild(tree, ROOT); id; id = shownChild(tree, id)) path.push(tree.nodes[id]);
  return path;
}

/** The last message of the shown path, or null in an empty conversation. */
export function leafOf(tree) {
  return branch(tree).at(-1) ?? null;
}

/** The tree that shows a message: it and all before it are chosen; what follows it stays as it was. */
export function choose(tree, id) {
  const chosen = { ...tree.chosen };
  for (let node = tree.nodes[id]; node; node = tree.nodes[node.parent]) chosen[parentOf(node)] = node.id;
  return { ...tree, chosen };
}

/** Where a message stands among its siblings: `{index, count, previous, next}`, index from 0. */
export function siblings(tree, id) {
  const ids = tree.children[parentOf(tree.nodes[id])];
  const index = ids.indexOf(id);
  return { index, count: ids.length, previous: ids[index - 1] ?? null, next: ids[index + 1] ?? null };
}

/**
 * What the server holds, with what only this page knows kept: the shown path, and messages for which
 * `keep(message)` says that the server may not have them yet.
 */
export function merge(local, server, keep) {
  let tree = { ...server, chosen: { ...server.chosen } };
  for (const message of Object.values(local.nodes)) {
    if (tree.nodes[message.id] && message.key)
      tree.nodes[message.id] = { ...tree.nodes[message.id], key: message.key };
  }
  for (const message of Object.values(local.nodes)) {
    const attached = parentOf(message) === ROOT || tree.nodes[message.parent];
    if (!tree.nodes[message.id] && attached && keep(message)) tree = add(tree, message);
  }
  for (const [parent, id] of Object.entries(local.chosen)) if (tree.nodes[id]) tree.chosen[parent] = id;
  return tree;
}
