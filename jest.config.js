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

/** @type {import('jest').Config} */
export default {
  testMatch: ['<rootDir>/test/**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/faults/'],
  testTimeout: 20_000,
  maxWorkers: 2,
  // each file that loads Nest leaks some 20 MB in ESM mode: a worker starts afresh before that hurts
  workerIdleMemoryLimit: '512MB',

  // fails a file that leaves something behind
  testEnvironment: './test/support/leaks.ts',
  globalTeardown: './test/support/end-run.ts',
  reporters: ['default', './test/support/parity-reporter.js'],

  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest', swc] },
  moduleNameMapper: {
    '^nest-uds$': '<rootDir>/src/index.ts',
    '^nest-uds/echo$': '<rootDir>/src/echo/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  // dist has a copy of every module's name
  modulePathIgnorePatterns: ['<rootDir>/dist/'],

  coverageProvider: 'v8',
  coverageReporters: ['text-summary'],
  // entry files of at most 20 lines, and the command line, which is tested as the program that people run, run in child
  // processes alone, where Jest counts nothing
  collectCoverageFrom: ['src/**/*.ts', '!src/main.ts', '!src/demo/main.ts', '!src/cli/**'],
  coverageThreshold: { global: { lines: 90 } },
};
