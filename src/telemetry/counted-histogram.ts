import type { Metric, MetricObjectWithValues, MetricValueWithName } from 'prom-client'

/** A histogram of durations that are counted elsewhere and added in bulk. */
export class CountedHistogram<Label extends string> {
  readonly name: string
  readonly help: string
  readonly type = 'histogram'
  readonly labelNames: readonly [Label]
  readonly #buckets: readonly number[]
  readonly #series = new Map<string, { counts: number[]; sum: number }>()

  constructor(options: { name: string; help: string; label: Label; buckets: readonly number[] }) {
    this.name = options.name
    this.help = options.help
    this.labelNames = [options.label]
    this.#buckets = options.buckets
  }

  /** @param counts one for each bucket, and one for everything beyond the last */
  add(value: string, counts: readonly number[], sum: number): void {
    let series = this.#series.get(value)
    if (!series) {
      series = { counts: Array<number>(this.#buckets.length + 1).fill(0), sum: 0 }
      this.#series.set(value, series)
    }
    for (let i = 0; i < series.counts.length; i++) series.counts[i] = (series.counts[i] ?? 0) + (counts[i] ?? 0)
    series.sum += sum
  }

  /** For the registry of prom-client. */
  async get(): Promise<Omit<MetricObjectWithValues<MetricValueWithName<Label | 'le'>>, 'collect'>> {
    const values = [...this.#series].flatMap(([value, series]) => this.#valuesOf(value, series))
    return { name: this.name, help: this.help, type: 'histogram' as never, aggregator: 'sum', values }
  }

  reset(): void {
    this.#series.clear()
  }

  #valuesOf(value: string, { counts, sum }: { counts: readonly number[]; sum: number }) {
    const labels = { [this.labelNames[0]]: value } as Record<Label, string>
    let total = 0
    const buckets = counts.map((count, i) => {
      total += count
      const le = this.#buckets[i] ?? '+Inf'
      return { metricName: `${this.name}_bucket`, labels: { ...labels, le }, value: total }
    })
    return [
      ...buckets,
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: total },
    ] as MetricValueWithName<Label | 'le'>[]
  }
}

/** As the registry takes it: prom-client's own type names its classes, of which it calls only `get` and `reset`. */
export function asMetric<Label extends string>(histogram: CountedHistogram<Label>): Metric<Label> {
  return histogram as unknown as Metric<Label>
}
