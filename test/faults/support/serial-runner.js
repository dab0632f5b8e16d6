import TestRunner from 'jest-runner';

/** Jest's own runner, in one process, also beside projects whose files run in several: Jest begins with one when the other is done. */
export default class SerialRunner extends TestRunner {
  isSerial = true;
}
