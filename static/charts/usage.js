/**
 * Tokens over time, as bars: what was read, and on top of it what was written. The table beside it says the same in
 * figures, so that the chart is hidden from screen readers. Colours are the page's own, in both themes.
 */

import uPlot from "uplot";

const HEIGHT = 220;
const DAY_S = 86_400;
const LABEL_PX = 90;
const { lang } = document.documentElement;
const locale = lang === "en" ? "en-GB" : lang; // as the tables write days
const compact = new Intl.NumberFormat(locale, { notation: "compact" });
const dark = matchMedia("(prefers-color-scheme: dark)");

function colours(place) {
  // Through a real property: a canvas knows neither light-dark() nor var().
  const probe = place.appendChild(document.createElement("i"));
  const of = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    ink: of("--chart-ink"),
    line: of("--chart-line"),
    read: of("--chart-read"),
    written: of("--chart-written"),
  };
  probe.remove();
  return found;
}

/** Half of the space between two bars, so that the first and the last are whole; half a day around a single one. */
const halfStep = (at) => (at.length > 1 ? Math.min(...at.slice(1).map((one, n) => one - at[n])) / 2 : DAY_S / 2);

/** Whole days, as many as have room for their names. */
function daysIn(plot, _axis, least, most) {
  const first = Math.ceil(least / DAY_S) * DAY_S;
  const room = Math.max(1, Math.floor(plot.width / LABEL_PX));
  const step = Math.ceil((most - first) / DAY_S / room) * DAY_S || DAY_S;
  const found = [];
  for (let at = first; at <= most; at += step) found.push(at);
  return found;
}

function options(place, width, at) {
  const { ink, line, read, written } = colours(place);
  const half = halfStep(at);
  const bars = uPlot.paths.bars({ size: [0.7, 48] });
  const whole = { stroke: written, fill: written, paths: bars, points: { show: false } };
  const part = { stroke: read, fill: read, paths: bars, points: { show: false } };
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  return {
    width,
    height: HEIGHT,
    tzDate: (second) => uPlot.tzDate(new Date(second * 1000), "UTC"),
    cursor: { show: false },
    legend: { show: false },
    scales: {
      x: { range: () => [at[0] - half, at.at(-1) + half] },
      y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.05)] },
    },
    axes: [
      { ...axis, grid: { show: false }, splits: daysIn, values: (_plot, days) => days.map(dayOf) },
      { ...axis, size: 60, values: (_plot, tokens) => tokens.map((one) => compact.format(one)) },
    ],
    series: [{}, { label: place.dataset.written, ...whole }, { label: place.dataset.read, ...part }],
  };
}

const day = new Intl.DateTimeFormat(locale, { timeZone: "UTC", month: "short", day: "numeric" });
const dayOf = (at) => day.format(new Date(at * 1000));

function key(name, text) {
  const entry = document.createElement("span");
  entry.className = `key ${name}`;
  entry.textContent = text;
  return entry;
}

function draw(place) {
  const { at, read, written } = JSON.parse(document.getElementById(place.dataset.chart).textContent);
  const both = read.map((tokens, n) => tokens + written[n]);
  let plot = null;
  const show = () => {
    plot?.destroy();
    plot = new uPlot(options(place, place.clientWidth, at), [at, both, read], place);
  };
  place.append(key("read", place.dataset.read), key("written", place.dataset.written));
  show();
  dark.addEventListener("change", show);
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
}

document.querySelectorAll("[data-chart]").forEach(draw);
