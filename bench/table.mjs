// The results for a terminal.

const number = (value, digits = 0) =>
  value === null || !Number.isFinite(value)
    ? '-'
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

const COLUMNS = [
  ['calls/s', ({ callsPerSecond }) => number(callsPerSecond)],
  ['p50 us', ({ p50Us }) => number(p50Us, 1)],
  ['p99 us', ({ p99Us }) => number(p99Us, 1)],
  ['CPU us, server', ({ serverCpuUsPerCall }) => number(serverCpuUsPerCall, 2)],
  ['CPU us, client', ({ clientCpuUsPerCall }) => number(clientCpuUsPerCall, 2)],
  ['RSS MiB', ({ serverRssMiB }) => number(serverRssMiB)],
];
const IDLE_COLUMNS = [
  ['calls/s beside', ({ callsPerSecond }) => number(callsPerSecond)],
  ['of the rate', ({ besideIdle }) => number(besideIdle, 3)],
  ['KiB each', ({ bytesPerConnection }) => number(bytesPerConnection / 1024, 1)],
];
const START_COLUMNS = [['ready ms', ({ p50Us }) => number(p50Us / 1000, 1)]];
const STREAM_COLUMNS = [['items/s', COLUMNS[0][1]], ...COLUMNS.slice(3)];

const columnsOf = (kind) =>
  ({ idle: IDLE_COLUMNS, start: START_COLUMNS, stream: STREAM_COLUMNS })[kind] ?? COLUMNS;

function lines(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  '),
  );
}

/** Title, head and a row a peer. */
function caseTable({ id, kind, payload, inFlight, connections, peers }) {
  const columns = columnsOf(kind);
  const rows = peers.map((peer) => [
    peer.name,
    ...columns.map(([, read]) => (peer.failed === null ? read(peer) : '')),
  ]);
  const table = lines([['', ...columns.map(([title]) => title)], ...rows]);
  const title =
    kind === 'echo'
      ? `${payload}, ${inFlight} in flight, ${connections} connection${connections === 1 ? '' : 's'}`
      : id;
  const failures = peers.map(({ failed }) => (failed === null ? '' : `  failed: ${failed}`));
  return [
    `\n${title}`,
    table[0],
    ...table
      .slice(1)
      .map((line, index) => `${failures[index] === '' ? line : peers[index].name}${failures[index]}`),
  ];
}

const aim = ({ least, most }) => {
  if (least !== undefined) return `at least ${least}`;
  return most === undefined ? '' : `at most ${most}`;
};

const verdict = ({ least, most, isReached }) => {
  if (least === undefined && most === undefined) return '';
  return isReached ? 'reached' : 'NOT reached';
};

export function tableOf({ machine, node, rounds, cases }, figures) {
  const rows = figures.map((figure) => [
    figure.says,
    figure.value.toFixed(2),
    `(${figure.from.toFixed(2)} to ${figure.to.toFixed(2)})`,
    aim(figure),
    verdict(figure),
  ]);
  return [
    `${machine}, Node ${node}, medians of ${rounds} rounds`,
    ...cases.flatMap(caseTable),
    ...(rows.length > 0
      ? ['\nRatios: medians over the rounds, from the least to the greatest', ...lines(rows)]
      : []),
  ].join('\n');
}
