import type { IncomingMessage } from 'node:http'
import { isPlain, quoted } from '../recording/entry-text.ts'
import type { EntryWriter } from '../recording/entry-writer.ts'
import type { RequestAttributes } from '../wire/kubernetes/attributes.ts'
import type { RecordedBody } from './recorded-body.ts'

/** Longest text of a path that is kept. */
const longestPath = 4096
/** Besides the texts of an entry, which JSON may double. */
const entryBytes = 512

export interface RequestFacts {
  readonly id: number
  readonly attributes: RequestAttributes
  readonly userAgent: string
  /** `kubectl get`, by the client's own word. */
  readonly command: string
}

/** What a client says of itself. */
export function senderOf({ headers }: IncomingMessage): Pick<RequestFacts, 'userAgent' | 'command'> {
  return { userAgent: headers['user-agent'] ?? '', command: String(headers['kubectl-command'] ?? '') }
}

export interface ResponseFacts {
  readonly id: number
  /** Null: there was none. */
  readonly status: number | null
  readonly ms: number
  readonly bytesUp: number
  readonly bytesDown: number
  /** By which the audit log of the cluster has the same request. */
  readonly auditId?: string
  /** Why it was cut. */
  readonly cut?: string
}

/** The entries of requests to a cluster: one before each is forwarded, one when its answer has ended. */
export class RequestEntries {
  readonly #writer: EntryWriter
  readonly #now: () => number

  constructor(writer: EntryWriter, now: () => number) {
    this.#writer = writer
    this.#now = now
  }

  /** @param refused why it is not forwarded @throws BrokerError RECORDING_FAILED, LIMIT_REACHED: it must not be */
  request({ id, attributes, userAgent, command }: RequestFacts, refused?: string): void {
    const { path, query, verb } = attributes
    const whole = query === '' ? path : `${path}?${query}`
    const text = whole.slice(0, longestPath)
    const sender = `"userAgent":${quoted(userAgent.slice(0, 256))},"command":${quoted(command.slice(0, 128))}`
    const why = refused === undefined ? '' : `,"refused":${quoted(refused)}`
    const size = text.length < whole.length ? `,"pathBytes":${whole.length}` : ''
    this.#addText(
      `"request","id":${id},"verb":${quoted(verb)},${objectsOf(attributes)}"path":${quoted(text)},${sender}${why}${size}`,
      2 * (text.length + 256 + 128) + (refused?.length ?? 0),
    )
  }

  response({ id, status, ms, bytesUp, bytesDown, auditId, cut }: ResponseFacts): void {
    const counted = `"id":${id},"status":${status},"ms":${ms},"bytesUp":${bytesUp},"bytesDown":${bytesDown}`
    const audited = auditId === undefined ? '' : `,"auditId":${quoted(auditId)}`
    const why = cut === undefined ? '' : `,"cut":${quoted(cut)}`
    this.#addText(`"response",${counted}${audited}${why}`, cut?.length ?? 0)
  }

  /** Of a request that changes something; before the cluster has all of it. */
  body(id: number, recorded: RecordedBody): void {
    this.#add('body', { id, ...recorded }, 'body' in recorded ? Buffer.byteLength(recorded.body) : 256)
  }

  notice(text: string): void {
    this.#add('notice', { text }, text.length)
  }

  #add(type: string, members: object, bytes: number): void {
    this.#writer.add({ at: this.#now(), type, ...members }, entryBytes + 2 * bytes)
  }

  /** Written out: there are two for each request, and JSON.stringify takes several times as long. @param said type and members */
  #addText(said: string, bytes: number): void {
    this.#writer.addText(`{"at":${this.#now()},"type":${said}}`, entryBytes + 2 * bytes, isPlain(said))
  }
}

function objectsOf(attributes: RequestAttributes): string {
  if (!attributes.isResource) return ''
  const { group, resource, subresource, namespace, name } = attributes
  const kind = `"group":${quoted(group)},"resource":${quoted(resource)},"subresource":${quoted(subresource)}`
  return `${kind},"namespace":${quoted(namespace)},"name":${quoted(name)},`
}
