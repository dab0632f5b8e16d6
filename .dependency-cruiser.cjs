/**
 * Imports run one way: main -> sidecar -> echo -> transport -> net -> protocol, cli -> net -> protocol,
 * index -> transport. A folder may import itself and those named here, nothing else of src.
 */
const MAY_IMPORT = {
  protocol: [],
  net: ['protocol'],
  transport: ['net', 'protocol'],
  echo: ['transport', 'net', 'protocol'],
  sidecar: ['echo', 'transport', 'net', 'protocol'],
  cli: ['net', 'protocol'],
  demo: ['echo', 'transport'],
};
const FOLDERS = Object.keys(MAY_IMPORT);

const direction = FOLDERS.map((folder) => ({
  name: `direction-${folder}`,
  comment: `src/${folder} may import ${MAY_IMPORT[folder].join(', ') || 'nothing else of src'}`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: `^src/(${[folder, ...MAY_IMPORT[folder]].join('|')})/` },
}));

const forbidden = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    ...direction,
    forbidden(
      'direction-main',
      'src/main.ts starts the sidecar',
      { path: '^src/main\\.ts$' },
      { path: '^src/', pathNot: '^src/(sidecar|echo|transport|net|protocol)/' },
    ),
    forbidden(
      'direction-index',
      "src/index.ts is the transport's public API and the error classes, nothing else",
      { path: '^src/index\\.ts$' },
      { path: '^src/', pathNot: '^src/(transport/|protocol/errors\\.ts$)' },
    ),
    forbidden(
      'unknown-folder',
      'a new folder of src needs its place in MAY_IMPORT',
      { path: '^src/', pathNot: `^src/((${FOLDERS.join('|')})/|(index|main)\\.ts$)` },
      {},
    ),
    forbidden(
      'protocol-is-pure',
      'src/protocol knows bytes and values: of everything outside of it node:buffer alone',
      { path: '^src/protocol/' },
      { pathNot: '^(src/protocol/|(node:)?buffer$)' },
    ),
    forbidden(
      'net-knows-no-nest',
      'src/net and src/cli serve people without Nest too, and start fast',
      { path: '^src/(net|cli)/' },
      { path: '(^|node_modules/)(@nestjs/|rxjs|reflect-metadata)' },
    ),
    forbidden(
      'no-circles',
      'a circle has no order to be read in',
      { path: '^(src|test)/' },
      { circular: true },
    ),
    forbidden(
      'no-orphans',
      'nothing imports this file, and it imports nothing',
      { orphan: true, path: '^src/', pathNot: '^src/((cli|demo)/)?(index|main)\\.ts$' },
      {},
    ),
    forbidden('resolvable', 'the import leads nowhere', { path: '^(src|test)/' }, { couldNotResolve: true }),
    forbidden(
      'no-dev-dependency-in-src',
      'a consumer has dependencies and peers alone; the command line is bundled with what it needs',
      { path: '^src/', pathNot: '^src/cli/' },
      {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm', 'npm-peer', 'type-only'],
      },
    ),
    forbidden(
      'src-without-tests',
      'src ships, test does not',
      { path: '^src/' },
      { path: '^(test|bench|scripts)/' },
    ),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    // imports of types count: a direction is one for the reader too
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
