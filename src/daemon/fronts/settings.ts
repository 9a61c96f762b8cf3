import type { Place } from '../../../proxy/place.ts'
import type { ConnectionLimits } from '../../../proxy/ports/connections.ts'
import type { Config, ListenerConfig } from '../../config/config.ts'

/** A port whose socket control has bound, and the front has inherited. */
export interface InheritedPort extends ListenerConfig {
  readonly fd: number
  readonly protocol: string
}

/** The same of the HTTP side. */
export interface InheritedHttp extends Pick<Config['server'], 'listen' | 'proxyProtocol' | 'tls'> {
  readonly fd: number
  /** Unix socket of control, and what it knows its fronts by. */
  readonly control: { readonly path: string; readonly secret: string }
}

/** All that a front is told at its start: no key, no store, no credential. Plain data. */
export interface FrontSettings {
  readonly place: Place
  /** Engines to start. */
  readonly protocols: readonly string[]
  readonly ports: readonly InheritedPort[]
  readonly http: InheritedHttp
  readonly trustedProxies: readonly string[]
  /** The share of this front. */
  readonly connections: ConnectionLimits
  readonly recordings: Config['recordings']
  /** How long a front goes on without a sign of life of control. */
  readonly graceMs: number
  /** No session opens any more. */
  readonly isDraining: boolean
}

/** Sent by a front once a second. */
export interface FrontReport {
  /** Bytes that were recorded since the last report, by principal. */
  readonly recorded: readonly (readonly [string, number])[]
  /** Recorded bytes that are not on disk yet. */
  readonly lagBytes: number
  /** Seconds. */
  readonly loopDelay: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly residentBytes: number
  /** Seconds of CPU since its start. */
  readonly cpuSeconds: number
}

/** How often either side shows that it lives. */
export const beatMs = 1000
