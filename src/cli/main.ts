#!/usr/bin/env node
import { ExitCode } from './exit-code.js';
import { runCommand } from './program.js';

process.exitCode = await runCommand(process.argv.slice(2));
// At once, also where output waits for a reader that takes none.
if (process.exitCode === ExitCode.INTERRUPTED) process.exit();
