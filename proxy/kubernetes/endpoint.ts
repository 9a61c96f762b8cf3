import { hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import type { Identity } from '../doorman.ts'
import type { EarlyConnection, TakenConnection } from '../ports/early-connection.ts'
import { BrokerError, type ClientOrigin, toErrorFacts } from '../session.ts'
import { type RequestAttributes, readAttributes } from '../wire/kubernetes/attributes.ts'
import { refuse, toRefusal } from './answer-refusal.ts'
import { ApiSession } from './api-session.ts'
import { Exchange } from './exchange.ts'
import { bearerToken } from './headers.ts'
import type { KubernetesParts } from './parts.ts'
import { readPlace } from './place.ts'
import { judge } from './policy.ts'
import { ReadConnection, type ReadParts } from './reads/read-connection.ts'
import { StreamDoor } from './streams/stream-door.ts'
import { UpgradeClient } from './streams/upgrade-client.ts'

const protocol = 'kubernetes'
const drainText = 'the broker is shutting down; connect again'

/** Where clients of Kubernetes come in: each of their requests bears a connect token. */
export class KubernetesEndpoint {
  readonly #parts: KubernetesParts
  /** By the digest of a token, the address it came from and the resource. */
  readonly #sessions = new Map<string, Promise<Opened>>()
  readonly #streams: StreamDoor
  readonly #reads: ReadParts

  constructor(parts: KubernetesParts) {
    this.#parts = parts
    this.#streams = new StreamDoor(parts, protocol)
    this.#reads = {
      kind: parts.kind,
      now: parts.now,
      originOf: (request) => parts.originOf(request),
      senderOf: (token, resourceId, client) => this.#senderOf(token, resourceId, client),
      toRefusal: (thrown, client) => this.#toRefusal(thrown, client),
    }
    parts.host.onDrain(() => void this.#retire())
  }

  /** @param signedIn called once the client is known. Never rejects */
  async http(request: IncomingMessage, response: ServerResponse, signedIn: () => void): Promise<void> {
    const origin = this.#parts.originOf(request)
    try {
      const { resourceId, rest } = readPlace(this.#parts.kind, request.url ?? '')
      const { session } = await this.#senderOf(bearerToken(request.rawHeaders), resourceId, origin)
      signedIn()
      const attributes = readAttributes(request.method ?? '', rest)
      const verdict = judge(session.rules.rules, session.permit.level, attributes)
      const exchange = new Exchange(session, attributes, { request, response, address: origin.address })
      await exchange.run(verdict.isAllowed ? undefined : verdict.why)
    } catch (thrown) {
      refuse(response, this.#toRefusal(thrown, origin))
    }
  }

  /** A connection whose first request only reads, perhaps. */
  connection(early: EarlyConnection): TakenConnection {
    return new ReadConnection(this.#reads, early)
  }

  /**
   * A request that asks to leave HTTP. Resolves once its client has left, or was refused. Never rejects
   * @param head what came behind it @param signedIn called once the client is known
   */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, signedIn: () => void): Promise<void> {
    const origin = this.#parts.originOf(request)
    const client = new UpgradeClient(socket, head)
    let attributes: RequestAttributes | null = null
    try {
      const { resourceId, rest } = readPlace(this.#parts.kind, request.url ?? '')
      const sender = await this.#senderOf(bearerToken(request.rawHeaders), resourceId, origin)
      signedIn()
      attributes = readAttributes(request.method ?? '', rest)
      await this.#streams.serve({ ...sender, origin }, request, attributes, client)
    } catch (thrown) {
      client.refuse(this.#toRefusal(thrown, origin), attributes)
    }
  }

  #toRefusal(thrown: unknown, origin: ClientOrigin): BrokerError {
    const error = toRefusal(thrown)
    if (error.code === 'INTERNAL') this.#parts.onError(error, '')
    if (error.code === 'TOKEN_INVALID') this.#parts.host.doorman.unidentifiedClientFailed(error.code, origin)
    return error
  }

  /** Sessions without requests do not hold up the end of the daemon. */
  async #retire(): Promise<void> {
    for (const opening of [...this.#sessions.values()])
      await opening.then(
        ({ session }) => session.retire(drainText),
        () => undefined,
      )
  }

  async #senderOf(token: string, resourceId: string, client: ClientOrigin): Promise<Opened & { readonly key: string }> {
    const key = hash('sha256', `${token} ${client.address} ${resourceId}`, 'base64')
    const known = this.#sessions.get(key)
    if (known) {
      const opened = await known
      if (opened.expiresAt <= this.#parts.now()) throw new BrokerError('TOKEN_INVALID')
      if (!opened.session.isOver) return { ...opened, key }
    }
    const opening = this.#open(token, resourceId, client, () => {
      if (this.#sessions.get(key) === opening) this.#sessions.delete(key)
    })
    this.#sessions.set(key, opening)
    try {
      return { ...(await opening), key }
    } catch (error) {
      if (this.#sessions.get(key) === opening) this.#sessions.delete(key)
      throw error
    }
  }

  async #open(token: string, resourceId: string, client: ClientOrigin, onOver: () => void): Promise<Opened> {
    const { host, kind } = this.#parts
    const since = performance.now()
    const identity = await host.doorman.identify({ by: 'token', token }, client)
    host.doorman.phase(kind, 'identify', (performance.now() - since) / 1000)
    const { bound, expiresAt = Number.POSITIVE_INFINITY } = identity
    if (bound && bound.resourceId !== resourceId) {
      const error = new BrokerError('GRANT_DENIED', 'the token is for another resource than this address')
      host.doorman.refused({ identity, resourceId, client }, toErrorFacts(error))
      throw error
    }
    const permit = await host.open({
      identity,
      resourceId,
      client,
      carrier: { protocol },
      ...(bound === undefined ? {} : { level: bound.level }),
    })
    const session = new ApiSession(this.#parts, permit, onOver)
    await session.begin()
    return { session, identity, expiresAt }
  }
}

interface Opened {
  readonly session: ApiSession
  readonly identity: Identity
  /** Of the token, epoch milliseconds. */
  readonly expiresAt: number
}
