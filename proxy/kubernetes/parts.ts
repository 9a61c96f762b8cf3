import type { IncomingMessage } from 'node:http'
import type { SessionHost } from '../relay/session-host.ts'
import type { ClientOrigin } from '../session.ts'
import type { TargetParts } from './target-agent.ts'

/** By which a client's address is found. */
export type ClientHeaders = Pick<IncomingMessage, 'headers' | 'socket'>

export interface KubernetesParts extends TargetParts {
  readonly host: SessionHost
  /** Of the resources behind it. */
  readonly kind: string
  /** Epoch milliseconds. */
  readonly now: () => number
  originOf(request: ClientHeaders): ClientOrigin
  /** For the log: what was not the client's fault. */
  onError(error: unknown, sessionId: string): void
}

/** A request under way, as its session sees it. */
export interface OpenRequest {
  /** Reads each side while the other, and the recording, can take more. */
  flow(): void
  /** @param text for the client */
  cut(text: string): void
}
