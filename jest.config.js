const swc = {
  swcrc: false,
  jsc: {
    target: 'es2022',
    keepClassNames: true,
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: true },
  },
  module: { type: 'es6' },
};

/** What is the same for every file. */
const project = {
  // fails a file that leaves something behind
  testEnvironment: './test/support/leaks.ts',
  globalTeardown: './test/support/end-run.ts',

  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest', swc] },
  moduleNameMapper: {
    '^nest-uds$': '<rootDir>/src/index.ts',
    '^nest-uds/echo$': '<rootDir>/src/echo/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  // dist has a copy of every module's name
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
};

/** The rows of the table of faults: one after the other, since they measure what a machine under load would blur. */
export const faults = {
  ...project,
  roots: ['<rootDir>/test/faults'],
  testMatch: ['**/*.spec.ts'],
  runner: './test/faults/support/serial-runner.js',
};

/** @type {import('jest').Config} */
export default {
  projects: [
    {
      ...project,
      testMatch: ['<rootDir>/test/**/*.spec.ts'],
      testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/faults/'],
    },
    // the short rows; `npm run test:soak` has the long ones
    { ...faults, testPathIgnorePatterns: ['/node_modules/', '\\.soak\\.spec\\.ts$'] },
  ],
  // Jest knows no limit of a project: a row of the faults has its own, in fault.ts
  testTimeout: 20_000,
  maxWorkers: 2,
  // each file that loads Nest leaks some 20 MB in ESM mode: a worker starts afresh before that hurts
  workerIdleMemoryLimit: '512MB',
  reporters: [
    'default',
    './test/support/parity-reporter.js',
    './test/support/edits-reporter.js',
    ['./test/faults/support/fault-reporter.js', { rows: 'short' }],
  ],

  coverageProvider: 'v8',
  coverageReporters: ['text-summary'],
  // entry files of at most 20 lines, and the command line, which is tested as the program that people run, run in child
  // processes alone, where Jest counts nothing
  collectCoverageFrom: ['src/**/*.ts', '!src/main.ts', '!src/demo/main.ts', '!src/cli/**'],
  coverageThreshold: { global: { lines: 90 } },
};
