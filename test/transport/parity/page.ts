import type { Exception, Scenario } from './row.js';

const cell = (text: string): string => text.replaceAll('|', '\\|');

const exceptionsOf = ({ rows }: Scenario): Exception[] => rows.filter((row) => row.kind === 'exception');

/** docs/parity.md, made of the rows that the suite runs. */
export function renderPage(scenarios: readonly Scenario[]): string {
  const rows = scenarios.flatMap((scenario) => scenario.rows);
  const exceptions = rows.filter(({ kind }) => kind === 'exception').length;
  return [
    "# Parity with Nest's TCP transport",
    '',
    'What an application sees over `UdsServer` and `UdsClient` is what it sees over `ServerTCP` and `ClientTCP` of Nest 12,',
    'but for the exceptions below. Each line is a row of `test/transport/parity/`: the same application is run over both',
    'transports, and what it saw is compared. This page is made from those rows (`npm run docs:parity`), and a test holds it.',
    '',
    `**${rows.length} rows: ${rows.length - exceptions} equal, ${exceptions} deliberate exceptions.**`,
    '',
    '## Exceptions',
    ...scenarios.flatMap(renderExceptions),
    '',
    '## Equal',
    ...scenarios.flatMap(renderEqual),
    '',
  ].join('\n');
}

function renderExceptions(scenario: Scenario): string[] {
  const exceptions = exceptionsOf(scenario);
  if (exceptions.length === 0) return [];
  const alike = new Map<string, string[]>();
  for (const { says, tcp, uds, because } of exceptions) {
    const key = [tcp.says, uds.says, because].map(cell).join(' | ');
    alike.set(key, [...(alike.get(key) ?? []), cell(says)]);
  }
  const lines = [...alike].map(([key, what]) => `| ${what.join('; ')} | ${key} |`);
  return [
    '',
    `### ${scenario.title}`,
    '',
    '| what | Nest TCP | nest-uds | why |',
    '|---|---|---|---|',
    ...lines,
  ];
}

function renderEqual({ title, rows }: Scenario): string[] {
  const equal = rows.filter(({ kind }) => kind === 'equal');
  return equal.length === 0 ? [] : ['', `### ${title}`, '', ...equal.map(({ says }) => `- ${says}`)];
}
