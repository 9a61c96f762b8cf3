import { isIP } from 'node:net'
import { type Static, Type } from 'typebox'
import { withoutMapping } from '../../../proxy/ports/source-address.ts'
import { isForbidden } from '../../../proxy/reach/forbidden-addresses.ts'
import type { Problem } from '../../catalog/kind.ts'

/** A port as the instance reaches it. The host is a name in lower case, or an address in its usual form. */
export interface ForwardTarget {
  readonly host: string
  readonly port: number
}

const longestHost = 253
const mostTargets = 64

/** The member of levels. */
export const forwardMembers = {
  forward: Type.Optional(
    Type.Array(Type.String({ minLength: 3, maxLength: longestHost + 8 }), {
      minItems: 1,
      maxItems: mostTargets,
      errorMessage: `expected a list of 1–${mostTargets} targets, HOST:PORT`,
      description:
        'Ports that `sallyport forward` leads to through the instance, HOST:PORT as it reaches them; an IPv6 address in brackets. Names are resolved at the instance. Link-local addresses, among them those of metadata services, are never reached. By default none',
      examples: [['localhost:8080', 'reports.internal:443']],
    }),
  ),
}

type ForwardFile = Static<(typeof forwardMembers)['forward']>

export function readForward(texts: ForwardFile = []): { targets: ForwardTarget[]; problems: Problem[] } {
  const targets: ForwardTarget[] = []
  const problems: Problem[] = []
  for (const [i, text] of texts.entries()) {
    const target = readTarget(text)
    if (typeof target === 'string') problems.push({ path: `forward[${i}]`, message: target })
    else targets.push(target)
  }
  return { targets, problems }
}

/** @returns what is wrong with it, as a text */
function readTarget(text: string): ForwardTarget | string {
  const [, address, name = '', digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (!(port >= 1 && port <= 65_535)) return 'expected HOST:PORT, with a port 1–65535'
  const host = readHost(address ?? name)
  if (host === undefined || (address !== undefined && isIP(host) === 0))
    return 'expected the name of a host, an IPv4 address, or an IPv6 address in brackets'
  if (isNeverReached(host)) return 'link-local addresses and metadata services are never reached'
  return { host, port }
}

/** @returns its usual form; undefined: it is neither a name nor an address, or a name that some resolvers take for an address */
export function readHost(text: string): string | undefined {
  if (isIP(text) !== 0) return text.includes('%') ? undefined : withoutMapping(text)
  const labels = text.toLowerCase().replace(/\.$/, '').split('.')
  const isName = labels.every((label) => /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/.test(label))
  const isNumber = /^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')
  return isName && !isNumber && text.length <= longestHost ? labels.join('.') : undefined
}

/** Names may still lead there: they are resolved at the instance, whose agent refuses most of these too. */
export function isNeverReached(host: string): boolean {
  return isForbidden(host) || /^instance-data(?:\.|$)/.test(host)
}

/** As people write it. */
export function forwardText({ host, port }: ForwardTarget): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
}
