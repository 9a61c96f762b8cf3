import { type Kinds, kindNamed } from './kind.ts'
import type { Resource, ResourceFile } from './resource.ts'

/** Parts of an id after the kind. */
const forms = {
  regional: { parts: 3, text: 'ACCOUNT/REGION/NAME' },
  account: { parts: 2, text: 'ACCOUNT/NAME' },
  'account-id': { parts: 1, text: 'ACCOUNT' },
  global: { parts: 1, text: 'ID' },
} as const

export interface ParsedId {
  readonly kind: string
  readonly account: string | null
  readonly region: string | null
  readonly name: string
}

/** @returns the parts of a full id, or what is wrong with it; ids of an unknown kind may have any form */
export function parseResourceId(kinds: Kinds, id: string): ParsedId | { readonly problem: string } {
  const [name = '', ...parts] = id.split('/')
  const kind = kindNamed(kinds, name)
  const wanted = kind && forms[kind.id]
  if (wanted && parts.length !== wanted.parts) return { problem: `expected ${name}/${wanted.text}, got "${id}"` }
  if (parts.length < 1 || parts.length > 3 || parts.some((part) => part === ''))
    return { problem: `expected KIND/…/NAME, got "${id}"` }
  const account = parts.length > 1 || kind?.id === 'account-id' ? (parts[0] ?? null) : null
  const region = parts.length === 3 ? (parts[1] ?? null) : null
  if (account !== null && !/^[0-9]{12}$/.test(account))
    return { problem: `expected an account of 12 digits, got "${account}"` }
  if (region !== null && !/^[a-z]{2}(-[a-z]+)+-[0-9]$/.test(region))
    return { problem: `expected a region such as eu-west-1, got "${region}"` }
  return { kind: name, account, region, name: parts.at(-1) ?? '' }
}

/** A catalog entry made by hand. The caller has checked the id. */
export function toResource(file: ResourceFile, id: ParsedId): Resource {
  const { id: fullId, partition, tags, ...attributes } = file
  return {
    id: fullId,
    kind: id.kind,
    partition: partition ?? 'aws',
    organization: null,
    account: id.account,
    region: id.region,
    name: id.name,
    tags: tags ?? {},
    attributes,
    source: 'config',
  }
}
