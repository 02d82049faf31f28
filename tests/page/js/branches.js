import { Branches } from "/static/chat/drafts.js";
import { equal } from "./check.js";

function storage() {
  const held = new Map();
  return { getItem: (key) => held.get(key) ?? null, setItem: (key, value) => held.set(key, value) };
}

export const tests = {
  "a choice outlives the page": () => {
    const place = storage();
    new Branches(place).set("a", "leaf");
    equal(new Branches(place).get("a"), "leaf");
  },
  "something newer forgets it": () => {
    const place = storage();
    const branches = new Branches(place);
    branches.set("a", "leaf");
    branches.set("a", null);
    equal(new Branches(place).get("a"), null);
  },
  "the oldest choices go first": () => {
    const branches = new Branches(storage());
    for (let n = 0; n < 300; n += 1) branches.set(`c${n}`, "leaf");
    equal([branches.get("c0"), branches.get("c299")], [null, "leaf"]);
  },
  "storage that refuses costs nothing but memory": () => {
    const refuse = () => {
      throw new Error("full");
    };
    const branches = new Branches({ getItem: refuse, setItem: refuse });
    branches.set("a", "leaf");
    equal(branches.get("a"), "leaf");
  },
};
