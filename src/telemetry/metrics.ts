import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { statementBuckets } from '../../proxy/doorman.ts'
import { asMetric, CountedHistogram } from './counted-histogram.ts'

const openBuckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
const eventBuckets = [1, 2, 5, 10, 30, 60, 300, 900, 3600]
const cutBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5]

/**
 * Every metric of the daemon, in one table. No label holds a person or a resource name.
 * The registry belongs to the caller; nothing is global.
 */
export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 25 })
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `sallyport_${name}`, help, labelNames, registers })
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge({ name: `sallyport_${name}`, help, labelNames, registers })
  const histogram = <L extends string>(name: string, help: string, labelNames: readonly L[], buckets: number[]) =>
    new Histogram({ name: `sallyport_${name}`, help, labelNames, buckets, registers })
  const statementSeconds = new CountedHistogram({
    name: 'sallyport_statement_seconds',
    help: 'Time from forwarding a statement to its completion',
    label: 'kind',
    buckets: statementBuckets,
  })
  registry.registerMetric(asMetric(statementSeconds))
  return {
    registry,
    sessionsActive: gauge('sessions_active', 'Open sessions', ['kind']),
    sessionsTotal: counter('sessions_total', 'Sessions that have ended, by reason', ['kind', 'outcome']),
    sessionOpenSeconds: histogram(
      'session_open_seconds',
      'Time spent opening a session, by phase',
      ['kind', 'phase'],
      openBuckets,
    ),
    relayBytesTotal: counter('relay_bytes_total', 'Bytes relayed', ['kind', 'direction']),
    statementSeconds,
    cutSeconds: histogram(
      'cut_seconds',
      'Time from the decision to end a session until nothing more is relayed',
      ['reason'],
      cutBuckets,
    ),
    grantsActive: gauge(
      'grants_active',
      'Live grants of the installation, at every daemon of a store: take the largest, not the sum',
      ['kind'],
    ),
    requestsTotal: counter('requests_total', 'Access requests, by outcome', ['outcome']),
    loginsTotal: counter('logins_total', 'Sign-ins, by outcome', ['outcome']),
    unidentifiedClientsTotal: counter(
      'unidentified_clients_total',
      'Connections that failed before the client was identified, by error code',
      ['code'],
    ),
    auditEventsTotal: counter('audit_events_total', 'Audit events written', ['type']),
    auditAppendSeconds: histogram('audit_append_seconds', 'Time until an audit event is durable', [], openBuckets),
    auditAnchorAgeSeconds: gauge('audit_anchor_age_seconds', 'Age of the newest anchored checkpoint', []),
    recordingLagBytes: gauge('recording_lag_bytes', 'Recorded bytes not yet written to disk', []),
    frontResidentBytes: gauge('front_resident_bytes', 'Memory of the processes that carry sessions', ['front']),
    frontCpuSeconds: gauge('front_cpu_seconds', 'CPU that they have used since their start', ['front']),
    frontRecordingLagBytes: gauge(
      'front_recording_lag_bytes',
      'Recorded bytes that they have not yet written to disk',
      ['front'],
    ),
    frontLoopDelaySeconds: gauge('front_loop_delay_seconds', 'How late their event loops were in the last second', [
      'front',
      'quantile',
    ]),
    awsCallsTotal: counter('aws_calls_total', 'Calls to AWS', ['service', 'operation', 'outcome']),
    inventoryAgeSeconds: gauge(
      'inventory_age_seconds',
      'Time since the last reading that saw all of a scope; of many units of the one furthest back. Shown by the daemon that leads',
      ['scope'],
    ),
    inventoryFailuresTotal: counter('inventory_failures_total', 'Passes over AWS that counted for nothing', ['scope']),
    validationsFailing: gauge(
      'validations_failing',
      'Checks that failed when they were last made, as the store has them',
      ['severity', 'about'],
    ),
    inventoryMessagesTotal: counter(
      'inventory_messages_total',
      'Messages of the queue of events, by what became of them',
      ['outcome'],
    ),
    inventoryEventSeconds: histogram(
      'inventory_event_seconds',
      'Time from a change in AWS, as its event says, until what has changed was read again',
      [],
      eventBuckets,
    ),
    inventoryQueueMessages: gauge(
      'inventory_queue_messages',
      'About so many messages wait in the queue of events and in that of its dead letters',
      ['queue'],
    ),
    pushes: gauge(
      'pushes',
      'Memberships that AWS holds, or should hold, for grants, by state. Shown by the daemon that leads',
      ['state'],
    ),
    pushOverdueSeconds: gauge(
      'push_overdue_seconds',
      'For how long AWS has held what no grant wants any more and the broker is to remove: the longest. Shown by the daemon that leads',
      [],
    ),
    rulesDigestMismatch: gauge('rules_digest_mismatch', '1 when the rules in the file differ from the active ones', []),
    daemons: gauge('daemons', 'Daemons on the store as this one sees them, by state', ['state']),
    isLeader: gauge('is_leader', '1 while this daemon does what the installation does once', []),
    clockSkewSeconds: gauge('clock_skew_seconds', 'How far the clock of the store is ahead of that of the daemon', []),
    httpSeconds: histogram(
      'http_request_seconds',
      'Time to answer an HTTP request',
      ['method', 'route', 'status'],
      openBuckets,
    ),
  }
}

export type Metrics = ReturnType<typeof createMetrics>
