import type { Hmac } from 'node:crypto'
import { parse } from 'yaml'
import { keptBytes } from '../recording/captured.ts'
import type { Digests } from '../recording/digests.ts'
import { mark } from '../recording/redact.ts'
import type { ResourceRequest } from '../wire/kubernetes/attributes.ts'

/** What a recording has of a request's body. */
export type RecordedBody =
  /** JSON, also of a body in YAML. @param hmac of what was sent, where values are masked */
  | { readonly body: string; readonly hmac?: string }
  /** Its content cannot be shown: it is too long, protobuf, or not what its type says. */
  | { readonly opaque: string; readonly bytes: number; readonly hmac: string }

type Of = Pick<ResourceRequest, 'group' | 'resource'>

/** Gathers a body as it passes: 64 KiB at most, and a digest of all. */
export class BodyCapture {
  readonly #contentType: string
  readonly #of: Of
  readonly #hmac: Hmac
  #parts: Buffer[] = []
  #bytes = 0

  /** @param contentType of the header; empty: none */
  constructor(contentType: string, of: Of, digests: Digests) {
    this.#contentType = contentType.replace(/;.*/s, '').trim().toLowerCase()
    this.#of = of
    this.#hmac = digests.begin()
  }

  push(chunk: Buffer): void {
    this.#hmac.update(chunk)
    this.#bytes += chunk.length
    if (this.#bytes <= keptBytes) this.#parts.push(Buffer.from(chunk))
    else this.#parts = []
  }

  /** Null: there was no body. To be called once. */
  end(): RecordedBody | null {
    if (this.#bytes === 0) return null
    const hmac = this.#hmac.digest('hex')
    const shown = this.#bytes <= keptBytes ? this.#show(Buffer.concat(this.#parts)) : null
    this.#parts = []
    if (shown === null) return { opaque: this.#contentType, bytes: this.#bytes, hmac }
    return { body: shown.json, ...(shown.isMasked ? { hmac } : {}) }
  }

  #show(bytes: Buffer): { json: string; isMasked: boolean } | null {
    try {
      const value = readBody(bytes.toString(), this.#contentType)
      const masked = mask(value, isSecret(this.#of))
      const json = JSON.stringify(masked)
      return { json, isMasked: json !== JSON.stringify(value) }
    } catch {
      return null // also where it is nested deeper than the stack
    }
  }
}

/** @throws Error when it is not what its type says */
function readBody(text: string, contentType: string): unknown {
  if (contentType === 'application/json' || contentType.endsWith('+json')) return JSON.parse(text)
  if (!/^application\/(?:apply-patch\+|x-)?yaml$/.test(contentType)) throw new Error('unknown')
  // kubectl writes JSON under this type.
  if (text.trimStart().startsWith('{')) return JSON.parse(text)
  if (text.length > longestYaml) throw new Error('too long')
  return parse(text, yamlOptions)
}

/** Its reader takes up to 10 µs for each character. */
const longestYaml = 16 * 1024
/** No alias; no search for names that come twice, which takes the square of their number; no warning, which would quote the body. */
const yamlOptions = { maxAliasCount: 0, uniqueKeys: false, prettyErrors: false, logLevel: 'error' } as const

/** By the path of the request: patches do not say what they are for. */
function isSecret({ group, resource }: Of): boolean {
  return (group === '' && resource === 'secrets') || (group === 'authentication.k8s.io' && resource === 'tokenreviews')
}

const secretMembers = ['data', 'stringdata', 'token', 'value']
/** kubectl keeps the whole object there. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** A copy in which values of Secrets are masked; names of their members stay. @param isWithin it is of a Secret */
function mask(value: unknown, isWithin: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => mask(item, isWithin))
  // Of a Secret, only what has names can be told apart.
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value)
  const isOne = isWithin || members.some(([name, kind]) => /^kind$/i.test(name) && /^secret$/i.test(String(kind)))
  return Object.fromEntries(
    members.map(([name, member]) => {
      const isHidden = isOne && (secretMembers.includes(name.toLowerCase()) || name === lastApplied)
      return [name, isHidden ? hide(member) : mask(member, isOne)]
    }),
  )
}

function hide(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return mark
  return Object.fromEntries(Object.keys(value).map((name) => [name, mark]))
}
