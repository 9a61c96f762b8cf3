import { performance } from 'node:perf_hooks'
import type { WebSocket } from 'ws'
import type { Wire } from '../reach/reach.ts'
import { EntryWriter } from '../recording/entry-writer.ts'
import { onFileIfStrict } from '../relay/on-file.ts'
import { admit } from '../relay/open-permit.ts'
import type { KnownClient, ProtocolParts, StreamProtocol } from '../relay/protocol.ts'
import { toBrokerError } from '../relay/words.ts'
import { BrokerError, type EndNotice, type EndReason, type SessionOutcome, type SessionPermit } from '../session.ts'
import { TcpClient } from './client.ts'
import { TcpEntries } from './entries.ts'
import { TcpRelay } from './relay.ts'
import type { TcpRules } from './rules.ts'
import { SshKey } from './ssh-key.ts'

const protocol = 'tcp'

/** Streams of bytes through instances, over Session Manager. They have no port: their clients come by websocket. */
export function createTcp(parts: ProtocolParts): StreamProtocol {
  return { name: protocol, serveSocket: (socket, known) => serveSocket(parts, socket, known) }
}

async function serveSocket(
  parts: ProtocolParts,
  socket: WebSocket,
  known: KnownClient,
): Promise<EndReason | undefined> {
  const client = new TcpClient(socket)
  const permit = await admit(parts, protocol, known, (error) => client.refuse(error))
  if (!permit) return undefined
  const outcome = await new TcpSession(parts, client, permit).run()
  await parts.host.end(permit, outcome)
  return outcome.reason
}

/** One stream, from its permit to its end. */
class TcpSession {
  readonly #parts: ProtocolParts
  readonly #client: TcpClient
  readonly #permit: SessionPermit
  readonly #writer: EntryWriter
  readonly #entries: TcpEntries
  #relay: TcpRelay | undefined

  constructor(parts: ProtocolParts, client: TcpClient, permit: SessionPermit) {
    this.#parts = parts
    this.#client = client
    this.#permit = permit
    this.#writer = new EntryWriter(permit.recorder, () => this.#relay?.flow())
    this.#entries = new TcpEntries(this.#writer, parts.now)
  }

  /** Never rejects. */
  async run(): Promise<SessionOutcome> {
    let wire: Wire | undefined
    let key: SshKey | undefined
    try {
      const opening = AbortSignal.any([this.#permit.signal, this.#client.left])
      opening.throwIfAborted()
      const rules = rulesOf(this.#permit)
      await this.#begin(rules)
      if (rules.ssh) key = this.#putKeyIn()
      const hostKeys = await key?.ready(opening)
      wire = await this.#reach(opening)
      await this.#parts.host.started(this.#permit, rules.detail)
      this.#client.tell({ ready: hostKeys && rules.ssh ? { user: rules.ssh.user, hostKeys } : {} })
      return await this.#relayed(rules, wire)
    } catch (thrown) {
      return this.#failedToOpen(thrown)
    } finally {
      wire?.reset()
      if (key) await this.#takeKeyOut(key)
    }
  }

  #putKeyIn(): SshKey {
    const { host } = this.#parts
    return new SshKey({
      ticket: () => host.doorman.channelTicket(this.#permit.sessionId),
      shows: (text) => this.#entries.command(text),
    })
  }

  /** Also where it may not have been put in. AWS is told of the end of the command in any case. */
  async #takeKeyOut(key: SshKey): Promise<void> {
    const { sessionId } = this.#permit
    const { host, onError } = this.#parts
    if (!(await key.remove())) onError(new Error('the removal of an SSH key was not confirmed; it expires'), sessionId)
    await host.doorman.endChannel(sessionId).catch((error: unknown) => onError(error, sessionId))
  }

  /** Where it leads is on record before anything is asked of AWS; where a level says `strict`, on file. */
  async #begin({ detail }: TcpRules): Promise<void> {
    this.#entries.begin(detail)
    await onFileIfStrict(this.#permit)
  }

  async #reach(opening: AbortSignal): Promise<Wire> {
    const { reach, host } = this.#parts
    const since = performance.now()
    const wire = await reach.open(this.#permit, opening)
    host.doorman.phase(this.#permit.kind, 'upstream', (performance.now() - since) / 1000)
    return wire
  }

  async #relayed(rules: TcpRules, { stream }: Wire): Promise<SessionOutcome> {
    const { host, now } = this.#parts
    const permit = this.#permit
    this.#relay = new TcpRelay({
      client: this.#client,
      stream,
      permit,
      rules,
      writer: this.#writer,
      entries: this.#entries,
      counts: host.reports.of(permit.kind),
      now,
      watchEnd: (onMoved) => host.watchEnd(permit, onMoved),
    })
    return await this.#relay.run()
  }

  #failedToOpen(thrown: unknown): SessionOutcome {
    const nothing = { bytesUp: 0, bytesDown: 0 }
    const { signal } = this.#permit
    if (signal.aborted) {
      const { reason, text } = signal.reason as EndNotice
      this.#client.tell({ notice: text })
      this.#client.cut(reason)
      return { ...nothing, reason, stoppedAt: this.#parts.now() }
    }
    if (this.#client.left.aborted) return { ...nothing, reason: 'client-closed' }
    const error = toBrokerError(thrown)
    this.#client.refuse(error)
    return { ...nothing, reason: 'open-failed', error }
  }
}

/** @throws BrokerError INTERNAL for a session of anything else */
function rulesOf({ engine }: SessionPermit): TcpRules {
  if (!engine?.via) throw new BrokerError('INTERNAL', 'there is no instance to lead through')
  return engine.rules as TcpRules
}
