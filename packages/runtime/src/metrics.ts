import { Counter, collectDefaultMetrics, Gauge, Histogram, type Metric, Registry } from 'prom-client'
import type { OnBackgroundError } from './background.ts'

export type { Counter, Gauge, Histogram } from 'prom-client'

export interface MetricOptions<L extends string = string> {
  /** In the style of Prometheus: `headrace_<part>_<what>_<unit>`, counters end in `_total`. */
  readonly name: string
  readonly help: string
  readonly labels?: readonly L[]
}

export interface GaugeOptions<L extends string = string> extends MetricOptions<L> {
  /** Sets the gauge when the metrics are read; for values that cost something to know. While it fails there are none. */
  readonly collect?: (gauge: Gauge<L>) => void | Promise<void>
}

export interface HistogramOptions<L extends string = string> extends MetricOptions<L> {
  /** Upper bounds; in seconds by convention. */
  readonly buckets: readonly number[]
}

/** A metric whose numbers are kept elsewhere, for places too busy to look up a metric by its labels each time. */
export interface CustomMetric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** The samples at this moment; `name` where a sample has another than the metric's, such as `…_bucket`. */
  read(): readonly MetricSample[]
}

export interface MetricSample {
  readonly name?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

/** The metrics of one process. Asking for a name again gives the same metric. */
export interface Metrics {
  counter<const L extends string = never>(options: MetricOptions<L>): Counter<L>
  gauge<const L extends string = never>(options: GaugeOptions<L>): Gauge<L>
  histogram<const L extends string = never>(options: HistogramOptions<L>): Histogram<L>
  /** Adds samples that are kept elsewhere. Several may share one name: their samples stand together. */
  custom(metric: CustomMetric): void
  /** Everything in the text format of Prometheus. */
  metricsText(): Promise<string>
  readonly contentType: string
}

export interface MetricsOptions {
  /** Also memory, CPU and event loop delay of the process. */
  readonly process?: boolean
  /** Told of each gauge that could not be read, by its name. */
  readonly onError?: OnBackgroundError
}

/** A registry of its own, so that tests and several servers in one process do not meet. */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const registry = new Registry()
  if (options.process === true) collectDefaultMetrics({ register: registry })
  const once = <M>(name: string, make: () => M): M => {
    // The registry is untyped by name; a name stands for one kind of metric throughout the code base.
    return (registry.getSingleMetric(name) as M | undefined) ?? make()
  }
  const sources = new Map<string, CustomMetric[]>()
  return {
    custom(metric) {
      const known = sources.get(metric.name)
      if (known !== undefined) return void known.push(metric)
      const shared = [metric]
      sources.set(metric.name, shared)
      registry.registerMetric(customMetric(shared, metric))
    },
    counter: (wanted) => once(wanted.name, () => new Counter({ ...common(wanted), registers: [registry] })),
    gauge: (wanted) => once(wanted.name, () => newGauge(wanted, registry, options.onError)),
    histogram: (wanted) =>
      once(
        wanted.name,
        () => new Histogram({ ...common(wanted), buckets: [...wanted.buckets], registers: [registry] }),
      ),
    metricsText: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

function common<L extends string>(options: MetricOptions<L>) {
  return { name: options.name, help: options.help, labelNames: [...(options.labels ?? [])] }
}

function newGauge<L extends string>(
  options: GaugeOptions<L>,
  registry: Registry,
  onError: OnBackgroundError | undefined,
): Gauge<L> {
  const { name, labels = [], collect } = options
  if (collect === undefined) return new Gauge({ ...common(options), registers: [registry] })
  // One that cannot be read must not keep the others from being written, nor say again what was true before.
  const collectOrLeaveOut = async () => {
    try {
      await collect(gauge)
    } catch (error) {
      gauge.reset()
      // Without labels a reset is a zero.
      if (labels.length === 0) gauge.remove()
      onError?.(error, name)
    }
  }
  const gauge: Gauge<L> = new Gauge({ ...common(options), registers: [registry], collect: collectOrLeaveOut })
  return gauge
}

function customMetric(sources: readonly CustomMetric[], first: CustomMetric): Metric {
  const { name, help, type } = first
  const samples = () => sources.flatMap((source) => source.read())
  const values = () => samples().map((sample) => ({ ...sample, metricName: sample.name ?? name }))
  // A registry asks of its metrics no more than a name and `get`; the type names the four classes only.
  return { name, get: () => ({ name, help, type, values: values(), aggregator: 'sum' }) } as unknown as Metric
}
