import config from './jest.config.js';

/** Faults: `npm run test:faults`. One worker, since the rows measure what a machine under load would blur. */
/** @type {import('jest').Config} */
export default {
  ...config,
  testMatch: ['<rootDir>/test/faults/**/*.spec.ts'],
  // jest.config.js leaves these files out
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 180_000,
  maxWorkers: 1,
  reporters: ['default', './test/faults/support/fault-reporter.js'],
};
