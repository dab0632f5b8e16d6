import { changes } from './changes.js';
import type { Exception, FiledScenario, Scenario } from './row.js';

/** So many rows of one kind are named in a table; more are listed below it. */
const MAX_NAMED = 3;

const cell = (text: string): string => text.replaceAll('|', '\\|');

const exceptionsOf = ({ rows }: Scenario): Exception[] => rows.filter((row) => row.kind === 'exception');

/** What GitHub makes of a heading. */
const anchor = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

/** docs/parity.md, made of the rows that the suite runs. */
export function renderPage(scenarios: readonly FiledScenario[]): string {
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
    '## What changes for you',
    '',
    ...renderChanges(scenarios),
    '',
    '## Exceptions',
    ...scenarios.flatMap(renderExceptions),
    '',
    '## Equal',
    ...scenarios.flatMap(renderEqual),
    '',
  ].join('\n');
}

/** @throws where a change names a scenario without exceptions: there is no heading to link to */
function renderChanges(scenarios: readonly Scenario[]): string[] {
  const headings = new Set(
    scenarios.filter((scenario) => exceptionsOf(scenario).length > 0).map(({ title }) => title),
  );
  return changes.map(({ says, scenarios: titles }) => {
    const missing = titles.filter((title) => !headings.has(title));
    if (missing.length > 0) throw new Error(`No heading of the page: ${missing.join('; ')}`);
    return `- ${says} See ${titles.map((title) => `[${title}](#${anchor(title)})`).join(', ')}.`;
  });
}

/** Exceptions that differ in nothing but what they are about. */
interface Alike {
  readonly columns: string;
  readonly about: string[];
}

function alikeOf(exceptions: readonly Exception[]): Alike[] {
  const all = new Map<string, Alike>();
  for (const { says, tcp, uds, because } of exceptions) {
    const columns = [tcp.says, uds.says, because].map(cell).join(' | ');
    const alike = all.get(columns) ?? { columns, about: [] };
    all.set(columns, alike);
    alike.about.push(says);
  }
  return [...all.values()];
}

function renderExceptions(scenario: FiledScenario): string[] {
  const rows = alikeOf(exceptionsOf(scenario));
  if (rows.length === 0) return [];
  return [
    '',
    `### [${scenario.title}](../${scenario.file})`,
    '',
    '| what | Nest TCP | nest-uds | why |',
    '|---|---|---|---|',
    ...rows.map(renderRow),
    ...rows.flatMap(renderRest),
  ];
}

function renderRow({ columns, about }: Alike): string {
  const [first = '', ...rest] = about.map(cell);
  const named =
    about.length > MAX_NAMED ? `${first}, and ${rest.length} more like it` : [first, ...rest].join('; ');
  return `| ${named} | ${columns} |`;
}

function renderRest({ about: [first, ...rest] }: Alike): string[] {
  if (rest.length < MAX_NAMED) return [];
  return ['', `Like “${first}”:`, '', ...rest.map((says) => `- ${says}`)];
}

/** Markdown is not read inside of a summary. */
const asHtml = (title: string): string => title.replaceAll(/`([^`]+)`/g, '<code>$1</code>');

function renderEqual({ title, rows }: Scenario): string[] {
  const equal = rows.filter(({ kind }) => kind === 'equal');
  if (equal.length === 0) return [];
  const count = equal.length === 1 ? '1 row' : `${equal.length} rows`;
  return [
    '',
    `<details><summary>${asHtml(title)} (${count})</summary>`,
    '',
    ...equal.map(({ says }) => `- ${says}`),
    '',
    '</details>',
  ];
}
