// The page of a run: a chart and a table a case, with nothing to load.
import { writeFile } from 'node:fs/promises';
import { barsOf } from './charts.mjs';
import { quartiles } from './statistics.mjs';
import { tableOf } from './table.mjs';

const STYLE = `
  :root { color: #1f2933; background: #fff; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 60rem; margin: 3rem auto; padding: 0 1.5rem }
  h1 { font-size: 1.75rem; margin-bottom: 0 }
  h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem }
  .machine, .note { color: #52606d }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100% }
  th, td { padding: .25rem .75rem .25rem 0; text-align: right; border-bottom: 1px solid #e4e7eb; white-space: nowrap }
  th:first-child, td:first-child { text-align: left; white-space: normal }
  th { font-weight: 600 }
  .reached { color: #1b7f5c } .missed { color: #b44d12; font-weight: 600 }
  .failed { color: #b44d12 }
  .cases { display: grid; grid-template-columns: 1fr; gap: .5rem }
  svg { max-width: 100%; height: auto }
  pre { overflow-x: auto; font-size: .8rem; line-height: 1.35; background: #f5f7fa; padding: 1rem; border-radius: 6px }
`;

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const text = (value) => String(value).replace(/[&<>"]/g, (character) => escapes[character]);

const ofRounds =
  (key, scale = 1) =>
  (peer) => {
    const [low, high] = quartiles(peer.rounds.map((round) => round[key] * scale));
    return { value: peer[key] * scale, low, high };
  };

/** What is drawn of a case: how it reads, and on which scale. */
function drawn({ kind, inFlight, payloadBytes }) {
  if (kind === 'start') return [ofRounds('p50Us', 1e-3), 'ms until ready', ',.0f'];
  if (kind === 'idle')
    return [ofRounds('bytesPerConnection', 1 / 1024), 'KiB of the server an idle connection', ',.1f'];
  if (kind === 'stream') return [ofRounds('callsPerSecond'), 'items a second', ',.3~s'];
  if (inFlight === 1) return [ofRounds('p50Us'), 'microseconds a call (p50)', ',.0f'];
  if (payloadBytes >= 1_048_576) return [ofRounds('callsPerSecond'), 'calls a second', ',.0f'];
  return [ofRounds('callsPerSecond'), 'calls a second', ',.3~s'];
}

function titleOf({ id, kind, payload, inFlight, connections }) {
  if (kind === 'stream') return 'A stream of small items';
  if (kind === 'idle') return '10,000 idle connections';
  if (kind === 'start') return id === 'start-cli' ? 'Start of the command line' : 'Start of the sidecar';
  return `${payload}, ${inFlight} in flight${connections > 1 ? `, ${connections} connections` : ''}`;
}

/** A bar that would make all others short is told in words. */
function outlierOf(peers) {
  const rates = peers
    .filter(({ failed }) => failed === null)
    .sort((a, b) => b.callsPerSecond - a.callsPerSecond);
  const [first, second] = rates;
  return second !== undefined && first.callsPerSecond > 3 * second.callsPerSecond ? first : undefined;
}

async function sectionOf(each) {
  const failures = each.peers
    .filter(({ failed }) => failed !== null)
    .map(({ name, failed }) => `<p class="failed">${text(name)}: failed: ${text(failed)}</p>`);
  const outlier = each.kind === 'echo' && each.inFlight > 1 ? outlierOf(each.peers) : undefined;
  const peers = each.peers.filter((peer) => peer !== outlier);
  const aside =
    outlier === undefined
      ? ''
      : `<p class="note">Not drawn: ${text(outlier.name)}, ${Math.round(outlier.callsPerSecond).toLocaleString('en')} calls a second.</p>`;
  return `<section><h2>${text(titleOf(each))}</h2>${await barsOf(peers, ...drawn(each))}${aside}${failures.join('')}</section>`;
}

const aim = ({ least, most }) => (least !== undefined ? `≥ ${least}` : most !== undefined ? `≤ ${most}` : '');

function figureRow(figure) {
  const { says, value, from, to, least, most, isReached } = figure;
  const isAsked = least !== undefined || most !== undefined;
  const state = !isAsked
    ? ''
    : isReached
      ? '<span class="reached">reached</span>'
      : '<span class="missed">not reached</span>';
  return `<tr><td>${text(says)}</td><td>${value.toFixed(2)}</td><td>${from.toFixed(2)} to ${to.toFixed(2)}</td><td>${aim(figure)}</td><td>${state}</td></tr>`;
}

export async function writeReport(file, results, figures) {
  const sections = [];
  for (const each of results.cases) sections.push(await sectionOf(each));
  const { machine, node, date, rounds } = results;
  await writeFile(
    file,
    `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>nest-uds, side by side</title>
<style>${STYLE}</style>
<h1>nest-uds, side by side</h1>
<p class="machine">${text(machine)}, Node ${text(node)}, ${text(date.slice(0, 10))}. Server and client in processes of their own, all peers of a case in turn, medians of ${rounds} rounds; the lines on the bars hold the middle half of the rounds.</p>
<h2>Ratios</h2>
<table><tr><th></th><th>median</th><th>rounds</th><th>goal</th><th></th></tr>${figures.map(figureRow).join('\n')}</table>
<p class="note">A ratio is taken round by round: absolute figures move with the machine, ratios hold.</p>
<div class="cases">${sections.join('\n')}</div>
<h2>All figures</h2>
<pre>${text(tableOf(results, figures))}</pre>
</html>
`,
  );
}
