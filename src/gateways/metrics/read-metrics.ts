import { Counter, Gauge, type Registry } from 'prom-client';

/** By the values of a label: few, and the same ones whoever connects. */
type Readings = Readonly<Record<string, number>>;
type Series = readonly (readonly [Readonly<Record<string, string>>, number])[];

/**
 * Metrics whose numbers are kept elsewhere, and read when somebody asks: those who count go on with plain numbers, and the frame path knows of
 * none of this.
 */
export class ReadMetrics<Source> {
  readonly #registry: Registry;
  readonly #source: () => Source;

  /** `source`: what all readings of one scrape are taken from. */
  constructor(registry: Registry, source: () => Source) {
    this.#registry = registry;
    this.#source = source;
  }

  /** What only grows, since the start. */
  counter(name: string, help: string, read: (source: Source) => number): void {
    this.#counter(name, help, [], () => [[{}, read(this.#source())]]);
  }

  counterBy(label: string, name: string, help: string, read: (source: Source) => Readings): void {
    this.#counter(name, help, [label], () => seriesBy(label, read(this.#source())));
  }

  /** What goes up and down. */
  gauge(name: string, help: string, read: (source: Source) => number): void {
    this.#gauge(name, help, [], () => [[{}, read(this.#source())]]);
  }

  gaugeBy(label: string, name: string, help: string, read: (source: Source) => Readings): void {
    this.#gauge(name, help, [label], () => seriesBy(label, read(this.#source())));
  }

  /**
   * The highest number stands, should one go down: a frame may turn out not to have been delivered after it was counted (`FrameTally.takeBack`), and
   * Prometheus takes less than before for a restart, and adds all of it once more.
   */
  #counter(name: string, help: string, labelNames: string[], series: () => Series): void {
    const highest = new Map<string, number>();
    new Counter({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        // The library's counters know no `set`.
        this.reset();
        for (const [labels, value] of series()) {
          const key = Object.values(labels).join();
          const most = Math.max(value, highest.get(key) ?? 0);
          highest.set(key, most);
          this.inc(labels, most);
        }
      },
    });
  }

  #gauge(name: string, help: string, labelNames: string[], series: () => Series): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        for (const [labels, value] of series()) this.set(labels, value);
      },
    });
  }
}

function seriesBy(label: string, readings: Readings): Series {
  return Object.entries(readings).map(([value, number]) => [{ [label]: value }, number]);
}
