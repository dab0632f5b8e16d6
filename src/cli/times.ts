import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** How long each echo took, in nanoseconds. */
export class Times {
  count = 0;
  min = Infinity;
  max = 0;
  #sum = 0;
  /** It has room for any number of times, and four digits of each; so what can be exact is kept beside it. */
  readonly #histogram: RecordableHistogram = createHistogram({ figures: 4 });

  add(ns: number): void {
    this.count += 1;
    this.#sum += ns;
    this.min = Math.min(this.min, ns);
    this.max = Math.max(this.max, ns);
    this.#histogram.record(Math.max(1, ns));
  }

  get mean(): number {
    return this.#sum / this.count;
  }

  /** No more than the longest: the histogram gives the upper end of the step in which a time lies. */
  percentile(percent: number): number {
    return Math.min(this.max, Math.max(this.min, this.#histogram.percentile(percent)));
  }
}
