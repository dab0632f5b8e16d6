// Charts of the results, as SVG without a script in it.
import { parse, View } from 'vega';
import { compile } from 'vega-lite';

const OURS = '#1b7f5c';
const OTHERS = '#9aa5b1';
const LIMITS = '#d9dee4';
const INK = '#1f2933';

const CONFIG = {
  background: 'transparent',
  font: 'system-ui, sans-serif',
  view: { stroke: null },
  axis: {
    labelColor: INK,
    titleColor: INK,
    domain: false,
    ticks: false,
    gridColor: '#e4e7eb',
    labelFontSize: 12,
    labelLimit: 260,
  },
  text: { color: INK, fontSize: 12 },
};

/** What is no alternative, but says how far one could get. */
const IS_LIMIT = /floor|ceiling|machine|bare/;

const colorOf = (name) =>
  name.startsWith('nest-uds') || name === 'sidecar' || name === 'cli'
    ? OURS
    : IS_LIMIT.test(name)
      ? LIMITS
      : OTHERS;

async function draw(spec) {
  const view = new View(parse(compile({ ...spec, config: CONFIG }).spec), { renderer: 'none' });
  return await view.toSVG();
}

/** A bar a peer, the quartiles of its rounds as a line on it. */
export async function barsOf(peers, read, title, format) {
  const values = peers
    .filter(({ failed }) => failed === null)
    .map((peer) => ({ name: peer.name, ...read(peer), color: colorOf(peer.name) }))
    .filter(({ value }) => Number.isFinite(value));
  if (values.length === 0) return '';
  const y = { field: 'name', type: 'nominal', sort: null, title: null, axis: { minExtent: 190 } };
  return await draw({
    data: { values },
    width: 480,
    height: { step: 26 },
    encoding: { y },
    layer: [
      {
        mark: { type: 'bar', height: 17, cornerRadiusEnd: 2 },
        encoding: {
          x: { field: 'value', type: 'quantitative', title, axis: { format, tickCount: 4 } },
          color: { field: 'color', type: 'nominal', scale: null },
        },
      },
      {
        mark: { type: 'rule', color: INK, opacity: 0.55 },
        encoding: { x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } },
      },
      {
        mark: { type: 'text', align: 'left', dx: 5 },
        encoding: {
          x: { field: 'high', type: 'quantitative' },
          text: { field: 'value', type: 'quantitative', format },
        },
      },
    ],
  });
}
