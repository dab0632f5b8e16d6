/**
 * What a test leaves behind can keep Jest's own process open after its results are out. leaks.ts has failed
 * the file by then; this ends the run in place of hanging. Without leftovers the timer never fires.
 */
export default function endRun(): void {
  setTimeout(() => {
    process.stderr.write('Something left behind by a test keeps the process open; ending it.\n');
    process.exit(1);
  }, 3_000).unref();
}
