/**
 * Bar charts as SVG, legible on light and on dark ground.
 *
 * @module
 */

/** A chart. */
export interface Chart {
  readonly title: string;
  /** What the numbers are, such as `calls/s`. */
  readonly unit: string;
  readonly groups: readonly Group[];
}

/** Bars that have one scale. */
export interface Group {
  readonly title: string;
  readonly bars: readonly Bar[];
}

/** One bar. */
export interface Bar {
  readonly title: string;
  readonly value: number;
  /** The half of the measurements around the middle. */
  readonly low: number;
  readonly high: number;
  /** What the number says in words. */
  readonly text: string;
  readonly look: Look;
}

/** What a bar stands for: this library, others, or what is no gRPC. */
export type Look = "ours" | "other" | "bare";

const WIDTH = 800;
const LABELS = 284;
const VALUES = 96;
const BAR = 15;
const ROW = 22;
const HEAD = 44;
const GROUP_HEAD = 28;
const GROUP_GAP = 12;

const STYLE = `
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.group { font-weight: 600; }
.unit, .other { fill: #59636e; }
rect.ours { fill: #0969da; }
rect.other { fill: #afb8c1; }
rect.bare { fill: #d8a657; }
text.ours { font-weight: 600; fill: #1f2328; }
.axis { stroke: #8c959f; }
.spread { stroke: #1f2328; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text, text.ours { fill: #e6edf3; }
  .unit, .other { fill: #9198a1; }
  rect.ours { fill: #4493f8; }
  rect.other { fill: #57606a; }
  rect.bare { fill: #9a7630; }
  .axis { stroke: #656c76; }
  .spread { stroke: #e6edf3; }
}`;

/** Draws a chart. */
export function drawChart({ title, unit, groups }: Chart): string {
  const parts: string[] = [];
  let y = HEAD;
  for (const group of groups) {
    parts.push(drawGroup(group, y));
    y += GROUP_HEAD + group.bars.length * ROW + GROUP_GAP;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-label="${
    escape(`${title}, ${unit}`)
  }">
<style>${STYLE}
</style>
<text class="title" x="0" y="18">${
    escape(title)
  } <tspan class="unit" font-weight="400">${escape(unit)}</tspan></text>
${parts.join("\n")}
</svg>
`;
}

function drawGroup({ title, bars }: Group, top: number): string {
  const most = Math.max(
    ...bars.map(({ value, high }) => Math.max(value, high)),
  );
  const scale = (WIDTH - LABELS - VALUES) / (most || 1);
  const lines = [
    `<text class="group" x="0" y="${top + 8}">${escape(title)}</text>`,
  ];
  const first = top + GROUP_HEAD - 8;
  for (const [i, bar] of bars.entries()) {
    lines.push(drawBar(bar, first + i * ROW, scale));
  }
  const end = first + bars.length * ROW;
  lines.push(
    `<line class="axis" x1="${LABELS}" x2="${LABELS}" y1="${
      first - 2
    }" y2="${end}"/>`,
  );
  return lines.join("\n");
}

function drawBar(bar: Bar, y: number, scale: number): string {
  const { title, value, low, high, text, look } = bar;
  const middle = y + BAR / 2;
  const at = (value: number) => round(LABELS + value * scale);
  const end = Math.max(at(value), at(high));
  return [
    `<text class="${look}" x="${LABELS - 8}" y="${
      middle + 4.5
    }" text-anchor="end">${escape(title)}</text>`,
    `<rect class="${look}" x="${LABELS}" y="${y}" width="${
      round(Math.max(1, value * scale))
    }" height="${BAR}" rx="2"/>`,
    ...(at(high) - at(low) < 3 ? [] : [
      `<line class="spread" x1="${at(low)}" x2="${
        at(high)
      }" y1="${middle}" y2="${middle}"/>`,
    ]),
    `<text class="${look}" x="${end + 7}" y="${middle + 4.5}">${
      escape(text)
    }</text>`,
  ].join("\n");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (it) => `&#${it.charCodeAt(0)};`);
}
