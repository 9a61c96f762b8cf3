import type { MetricObject } from 'prom-client'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { table } from './markdown.ts'

/** What the values of a label are. */
const labels: Readonly<Record<string, string>> = {
  severity:
    '`high`: sessions fail, cannot be ended, or could do more than they should; `medium`: something is not seen; `low`: a check cannot be made',
  about: 'what was checked: `permission`, `trust`, `target`, `rule`, `broker`',
  scope: 'What is read of AWS in one pass: `organization`',
  queue: '`events`; `dead-letters`: what could not be followed',
  kind: 'kind of the resource, e.g. `rds-postgres`',
  outcome:
    'the outcome: the end reason of a session, the status of a request, what became of a message, `succeeded`, `failed` …',
  front: 'number of the process that carries sessions (`server.workers`)',
  quantile: '`p50`, `p99`, `max`',
  phase: '`identify`, `authorize`, `aws`, `upstream`',
  direction: '`up` (client to target), `down`',
  reason: 'why a session was ended, e.g. `grant-revoked`',
  code: 'error code, see [errors.md](errors.md)',
  type: 'type of the audit event, e.g. `session.started`',
  service: 'AWS service, e.g. `sts`',
  operation: 'AWS operation, e.g. `AssumeRole`',
  method: 'HTTP method',
  route: 'route pattern, never the URL itself',
  status: 'HTTP status',
  state:
    '`live`; `silent`: no heartbeat for 15 s; `rules-differ`: of the live ones, those whose rules are not those of this daemon',
}

const introduction = `# Metrics

Prometheus text at \`/metrics\` of \`server.metrics_listen\`, a listener of its own without sign-in. No label holds a person or
the name of a resource. Times are in seconds; a histogram is \`NAME_bucket\`, \`NAME_sum\`, \`NAME_count\`.
`

const rest = `
In addition, prom-client's metrics of every Node.js process: \`process_*\` (CPU, memory, open files) and \`nodejs_*\` (event loop
delay, heap, garbage collection).
`

export function renderMetrics(): string {
  const ours = createMetrics()
    .registry.getMetricsAsArray()
    .filter(({ name }) => name.startsWith('sallyport_'))
  const rows = ours.map((metric) => [
    `\`${metric.name}\``,
    String(metric.type),
    labelsOf(metric)
      .map((label) => `\`${label}\``)
      .join(', '),
    metric.help,
  ])
  const used = new Set(ours.flatMap(labelsOf))
  const meanings = [...used].map((label) => [`\`${label}\``, meaningOf(label)])
  return `${introduction}\n${table(['Metric', 'Type', 'Labels', 'Meaning'], rows)}\n${table(['Label', 'Values'], meanings)}${rest}`
}

function labelsOf(metric: MetricObject): string[] {
  return 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : []
}

function meaningOf(label: string): string {
  const meaning = labels[label]
  if (!meaning) throw new Error(`test/docs/metrics-page.ts must say what the values of the label "${label}" are`)
  return meaning
}
