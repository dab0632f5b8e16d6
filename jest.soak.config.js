import { faults } from './jest.config.js';

/** The long rows of the table of faults, which `npm test` leaves out: `npm run test:soak`. */
/** @type {import('jest').Config} */
export default {
  ...faults,
  testMatch: ['**/*.soak.spec.ts'],
  maxWorkers: 1,
  reporters: [
    'default',
    './test/support/edits-reporter.js',
    ['./test/faults/support/fault-reporter.js', { rows: 'long' }],
  ],
};
