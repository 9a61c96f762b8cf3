/** Asks a cluster, by a fresh token of a level's role, as whom it knows the role and what that may do: the API's reviews of oneself. */
import { request } from 'node:http'
import { TargetAgent } from '../../../proxy/kubernetes/target-agent.ts'
import { Trust } from '../../../proxy/reach/trust.ts'
import { BrokerError, type Lease } from '../../../proxy/session.ts'
import { startClientTls } from '../../../proxy/streams/client-tls.ts'
import type { Preflight } from '../../sessions/preflights.ts'

export interface ResourceAttributes {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource?: string
  /** Empty: all of them. */
  readonly namespace: string
  readonly name?: string
}

/** What the cluster says of the role. */
export interface SignIn {
  /** False: it refuses the token. */
  readonly isMapped: boolean
  /** Null: it does not say, as before Kubernetes 1.28. */
  readonly username: string | null
}

const longestAnswer = 65_536
const reviews = {
  self: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
  access: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
} as const

/** One connection of a preflight to its cluster. Each question is on record before it is sent. */
export class ClusterReviews {
  readonly #preflight: Preflight
  readonly #lease: Lease
  readonly #agent: TargetAgent

  constructor(preflight: Preflight, lease: Lease) {
    this.#preflight = preflight
    this.#lease = lease
    this.#agent = new TargetAgent(() => this.#connect())
  }

  /** @throws BrokerError TARGET_UNREACHABLE, TARGET_UNTRUSTED, TARGET_LOST */
  async signIn(): Promise<SignIn> {
    const { status, answer } = await this.#post(reviews.self, 'SelfSubjectReview', {})
    if (status === 401) return { isMapped: false, username: null }
    if (status >= 429) throw new BrokerError('TARGET_UNREACHABLE', `it answered with ${status}`)
    const { userInfo } = (answer.status ?? {}) as { userInfo?: { username?: unknown } }
    return { isMapped: true, username: typeof userInfo?.username === 'string' ? userInfo.username : null }
  }

  /** Null: it does not say. @throws BrokerError likewise */
  async isAllowed(attributes: ResourceAttributes): Promise<boolean | null> {
    const spec = { resourceAttributes: attributes }
    const { answer } = await this.#post(reviews.access, 'SelfSubjectAccessReview', { spec })
    const { allowed } = (answer.status ?? {}) as { allowed?: unknown }
    return typeof allowed === 'boolean' ? allowed : null
  }

  close(): void {
    this.#agent.destroy()
  }

  async #post(path: string, kind: string, members: object) {
    const body = JSON.stringify({ kind, apiVersion: path.split('/').slice(2, 4).join('/'), ...members })
    const [answer] = await this.#preflight.ask(`POST ${path} ${body}`, async () => [await this.#send(path, body)])
    if (!answer) throw new BrokerError('INTERNAL', 'a cluster was not asked')
    return answer
  }

  async #send(path: string, body: string): Promise<{ status: number; answer: Readonly<Record<string, unknown>> }> {
    const headers = {
      host: this.#preflight.permit.engine?.serverName ?? '',
      authorization: `Bearer ${this.#lease.secret}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'sallyport',
    }
    const { signal } = this.#preflight
    return await new Promise((resolve, reject) => {
      const sent = request({ method: 'POST', path, headers, agent: this.#agent, signal }, (response) => {
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > longestAnswer) response.destroy(new BrokerError('TARGET_LOST', 'its answer is too long'))
          else chunks.push(chunk)
        })
        response.on('error', reject)
        response.on('end', () => resolve({ status: response.statusCode ?? 0, answer: readObject(chunks) }))
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }

  async #connect() {
    const { engine } = this.#preflight.permit
    const roots = this.#lease.ca ?? engine?.ca ?? null
    if (!engine || roots === null)
      throw new BrokerError('TARGET_UNTRUSTED', 'nothing is known of its certificate authority')
    const { stream } = await this.#preflight.open()
    const secureContext = new Trust().contextFor(roots)
    return await startClientTls(stream, {
      serverName: engine.serverName,
      secureContext,
      signal: this.#preflight.signal,
    })
  }
}

/** Whatever else it is says nothing. */
function readObject(chunks: readonly Buffer[]): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
