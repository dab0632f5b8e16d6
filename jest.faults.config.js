import { faults } from './jest.config.js';

/** The whole table of faults: `npm run test:faults`. */
/** @type {import('jest').Config} */
export default {
  ...faults,
  maxWorkers: 1,
  reporters: [
    'default',
    './test/support/edits-reporter.js',
    ['./test/faults/support/fault-reporter.js', { rows: 'all' }],
  ],
};
