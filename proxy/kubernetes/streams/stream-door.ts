import type { IncomingMessage } from 'node:http'
import type { Identity } from '../../doorman.ts'
import { printable } from '../../printable.ts'
import { openPermit } from '../../relay/open-permit.ts'
import { BrokerError, type ClientOrigin } from '../../session.ts'
import type { RequestAttributes } from '../../wire/kubernetes/attributes.ts'
import { toRefusal } from '../answer-refusal.ts'
import type { ApiSession } from '../api-session.ts'
import { senderOf } from '../entries.ts'
import { type UpgradeHeaders, upgradeHeaders } from '../headers.ts'
import type { KubernetesParts } from '../parts.ts'
import { judge } from '../policy.ts'
import { Fallbacks } from './fallbacks.ts'
import { StreamSession } from './stream-session.ts'
import { protocolsOf, readStreamWork, type StreamWork } from './stream-work.ts'
import type { UpgradeClient } from './upgrade-client.ts'

/** Who asks, by the session of their requests. */
export interface KnownSender {
  readonly session: ApiSession
  readonly identity: Identity
  /** Of token, address and resource. */
  readonly key: string
  readonly origin: ClientOrigin
}

/** Of what the audit log has of it. */
const longestTool = 128

interface Allowed {
  readonly work: StreamWork
  readonly upgrade: UpgradeHeaders
}

/** Where upgrades come in: each is judged as a request is, and opens a session of its own. */
export class StreamDoor {
  readonly #parts: KubernetesParts
  readonly #protocol: string
  readonly #fallbacks = new Fallbacks()

  constructor(parts: KubernetesParts, protocol: string) {
    this.#parts = parts
    this.#protocol = protocol
    parts.host.onDrain(() => this.#fallbacks.clear())
  }

  /** Until the client has left. @throws BrokerError the client is to be refused with */
  async serve(
    sender: KnownSender,
    request: IncomingMessage,
    attributes: RequestAttributes,
    client: UpgradeClient,
  ): Promise<void> {
    const { method, url, headers } = request
    const key = JSON.stringify([sender.key, url, headers['kubectl-session'] ?? ''])
    const isSpdy = method === 'POST'
    const before = isSpdy ? this.#fallbacks.take(key) : undefined
    if (before instanceof BrokerError) throw before
    try {
      const { work, upgrade } = this.#admit(sender.session, request, attributes)
      const stream = before ?? (await this.#open(sender, request, work))
      const ask = { client, method: isSpdy ? 'POST' : 'GET', upgrade, address: sender.origin.address } as const
      if (await stream.serve(ask)) this.#fallbacks.keep(key, stream)
    } catch (thrown) {
      before?.giveUp()
      const error = toRefusal(thrown)
      if (!isSpdy) this.#fallbacks.keep(key, error)
      throw error
    }
  }

  /** What is refused here is on record among the requests. @throws BrokerError, WireError */
  #admit(session: ApiSession, request: IncomingMessage, attributes: RequestAttributes): Allowed {
    try {
      const verdict = judge(session.rules.rules, session.permit.level, attributes)
      if (!verdict.isAllowed) throw new BrokerError('GRANT_DENIED', verdict.why)
      const work = readStreamWork(attributes)
      const upgrade = upgradeHeaders(request.rawHeaders, protocolsOf(work))
      const due = upgrade.asked.upgrade === 'websocket' ? 'GET' : 'POST'
      if (request.method !== due)
        throw new BrokerError('PROTOCOL_ERROR', `an upgrade to ${upgrade.asked.upgrade} is asked for by ${due}`)
      return { work, upgrade }
    } catch (thrown) {
      const error = toRefusal(thrown)
      session.entries.request({ id: session.nextId(), attributes, ...senderOf(request) }, error.message)
      throw error
    }
  }

  async #open(
    { session, identity, origin }: KnownSender,
    request: IncomingMessage,
    work: StreamWork,
  ): Promise<StreamSession> {
    const { resourceId, level } = session.permit
    const { command, userAgent } = senderOf(request)
    const tool = printable(command || userAgent).slice(0, longestTool)
    const known = { identity, resourceId, level, client: origin, ...(tool === '' ? {} : { tool }) }
    return new StreamSession(this.#parts, await openPermit(this.#parts.host, this.#protocol, known), work)
  }
}
