import type { ResourceFile } from '../config/schema.ts'
import type { Resource } from './resource.ts'

/** Parts of an id after the kind, by kind (DESIGN, "Names that do not change"); other kinds may have any of these forms. */
const forms = {
  regional: { parts: 3, text: 'KIND/ACCOUNT/REGION/NAME' },
  account: { parts: 2, text: 'KIND/ACCOUNT/NAME' },
  global: { parts: 1, text: 'KIND/ID' },
} as const

const formOf: Readonly<Record<string, keyof typeof forms>> = {
  'rds-postgres': 'regional',
  'rds-mysql': 'regional',
  'eks-cluster': 'regional',
  'ec2-instance': 'regional',
  'iam-role': 'account',
  'permission-set': 'account',
  'identity-center-group': 'global',
  'organizational-unit': 'global',
  account: 'global',
}

export interface ParsedId {
  readonly kind: string
  readonly account: string | null
  readonly region: string | null
  readonly name: string
}

/** @returns the parts of a full id, or what is wrong with it */
export function parseResourceId(id: string): ParsedId | { readonly problem: string } {
  const [kind = '', ...parts] = id.split('/')
  const form = Object.hasOwn(formOf, kind) ? formOf[kind] : undefined
  const wanted = form && forms[form]
  if (wanted && parts.length !== wanted.parts)
    return { problem: `expected ${wanted.text.replace('KIND', kind)}, got "${id}"` }
  if (parts.length < 1 || parts.length > 3 || parts.some((part) => part === ''))
    return { problem: `expected KIND/…/NAME, got "${id}"` }
  const name = parts.at(-1) ?? ''
  const account = kind === 'account' ? name : parts.length > 1 ? (parts[0] ?? null) : null
  const region = parts.length === 3 ? (parts[1] ?? null) : null
  if (account !== null && !/^[0-9]{12}$/.test(account))
    return { problem: `expected an account of 12 digits, got "${account}"` }
  if (region !== null && !/^[a-z]{2}(-[a-z]+)+-[0-9]$/.test(region))
    return { problem: `expected a region such as eu-west-1, got "${region}"` }
  return { kind, account, region, name }
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
