import type { KnownClient, ProtocolParts } from '../relay/protocol.ts'
import { toBrokerError } from '../relay/words.ts'
import { BrokerError, type SessionPermit } from '../session.ts'
import { ClientLeft } from '../streams/client-line.ts'
import type { ShellClient } from './client.ts'
import type { ClientSocket } from './client-socket.ts'
import { readResume } from './first-message.ts'

const usualResumeMs = 60_000

/** The terminals of this front whose clients may come back. Who may is for the doorman to say. */
export class TerminalResumes {
  readonly #parts: ProtocolParts
  readonly #protocol: string
  readonly #clients = new Map<string, ShellClient>()

  constructor(parts: ProtocolParts, protocol: string) {
    this.#parts = parts
    this.#protocol = protocol
  }

  /** Without a key the client is one that does not come back. Never rejects. */
  async offer(client: ShellClient, { sessionId, signal }: SessionPermit): Promise<void> {
    const { host, onError } = this.#parts
    this.#clients.set(sessionId, client)
    try {
      client.offer({ key: await host.doorman.resumeKey(sessionId), forMs: this.#forMs })
    } catch (error) {
      if (!signal.aborted) onError(error, sessionId)
    }
  }

  forget({ sessionId }: SessionPermit): void {
    this.#clients.delete(sessionId)
  }

  /** A client that is back. Never rejects. */
  async serve(socket: ClientSocket, { identity, client }: KnownClient): Promise<void> {
    const { host, onError } = this.#parts
    try {
      const { key, received } = await socket.first('key of a session', readResume)
      const carrier = { protocol: this.#protocol }
      const { sessionId, key: next } = await host.doorman.resume({ key, identity, client, carrier })
      const isBack = this.#clients.get(sessionId)?.goOn(socket, received, { key: next, forMs: this.#forMs })
      if (!isBack) throw new BrokerError('RESUME_REFUSED', 'it has ended')
    } catch (error) {
      if (error instanceof ClientLeft) return
      if (!(error instanceof BrokerError)) onError(error, '')
      socket.refuse(toBrokerError(error))
    }
  }

  get #forMs(): number {
    return this.#parts.resumeMs ?? usualResumeMs
  }
}
