/** What the person's plan holds (boot.features). What it leaves out is not offered; the server refuses it too. */

const held = new Set();

export const hold = (features) => features.forEach((name) => held.add(name));

export const mayUse = (feature) => held.has(feature);
