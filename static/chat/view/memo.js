/** A component that renders again only when a property changed; properties that are flat objects compare by content. */

import { Component } from "preact";
import { html } from "../html.js";

const same = (a, b) => a === b || (isFlat(a) && isFlat(b) && equal(a, b, Object.is));
const isFlat = (value) => value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;

function equal(a, b, compare) {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => compare(a[key], b[key]));
}

export function memo(View) {
  return class Memo extends Component {
    shouldComponentUpdate(next) {
      return !equal(this.props, next, same);
    }

    render(properties) {
      return html`<${View} ...${properties} />`;
    }
  };
}
