#!/usr/bin/env node
import { ExitCode } from './exit-code.js';
import { runCommand } from './program.js';

// No await at the top: the program is bundled as CommonJS, which Node starts faster.
void runCommand(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
  // At once, also where output waits for a reader that takes none.
  if (code === ExitCode.INTERRUPTED) process.exit();
});
