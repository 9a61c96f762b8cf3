/** Session documents: which parameters they take, and what the agent reads once those are in place. */
import { createHash } from 'node:crypto'
import { AwsFault } from '../aws/aws-fault.ts'
import type { KmsDouble } from '../aws/kms.ts'
import type { SessionDocument, World } from '../aws/world.ts'
import type { SessionSpec } from './work.ts'

const sessionTypes = ['Standard_Stream', 'InteractiveCommands', 'NonInteractiveCommands', 'Port'] as const

export function findDocument(world: World, name: string, account: string, region: string): SessionDocument | undefined {
  const accounts = name.startsWith('AWS-') ? [''] : [account]
  return world.sessionDocuments.find(
    (one) => one.name === name && accounts.includes(one.account) && one.region === region,
  )
}

/** @throws AwsFault InvalidParameters, InvalidDocument */
export function specOf(
  document: SessionDocument,
  target: string,
  given: unknown,
  kms?: Pick<KmsDouble, 'key'>,
): { spec: SessionSpec; parameters: Record<string, string> } {
  const content = document.versions.at(-1)
  const sessionType = sessionTypes.find((one) => one === content?.sessionType)
  if (content?.schemaVersion !== '1.0' || !sessionType)
    throw new AwsFault('InvalidDocument', 400, `the document ${document.name} is no session document`)
  const values = readParameters(given)
  const declared = content.parameters ?? {}
  for (const name of Object.keys(values))
    if (!Object.hasOwn(declared, name)) throw invalid(`the document has no parameter ${name}`)
  const parameters: Record<string, string> = {}
  for (const [name, { default: fallback, allowedPattern, allowedValues }] of Object.entries(declared)) {
    const value = values[name] ?? fallback
    if (value === undefined) throw invalid(`the parameter ${name} is missing`)
    if (allowedPattern !== undefined && !new RegExp(allowedPattern).test(value))
      throw invalid(`Parameter "${name}" does not match its allowedPattern ${allowedPattern}`)
    if (allowedValues && !allowedValues.includes(value)) throw invalid(`Parameter "${name}" is none of its values`)
    parameters[name] = value
  }
  const properties = replaceIn(content.properties ?? {}, parameters) as Readonly<Record<string, unknown>>
  const { kmsKeyId = '' } = content.inputs ?? {}
  const spec: SessionSpec = {
    target,
    sessionType,
    ...(kmsKeyId !== '' && kms ? { kms: kms.key(String(kmsKeyId)) } : {}),
  }
  if (sessionType === 'Port') return { spec: { target, sessionType, properties: asTexts(properties) }, parameters }
  const { commands, separateOutputStream } = (properties.linux ?? {}) as Readonly<Record<string, unknown>>
  if (typeof commands !== 'string') return { spec, parameters }
  const isMixed = separateOutputStream !== true && separateOutputStream !== 'true'
  return { spec: { ...spec, command: commands, isMixed }, parameters }
}

/** A map of lists of strings. */
function readParameters(given: unknown): Record<string, string> {
  if (given === undefined) return {}
  const values: Record<string, string> = {}
  for (const [name, list] of Object.entries(given as object)) {
    if (!Array.isArray(list) || list.length !== 1 || typeof list[0] !== 'string')
      throw invalid(`the parameter ${name} is not one string in a list`)
    values[name] = list[0]
  }
  return values
}

/** `{{ name }}` in every text. */
function replaceIn(value: unknown, parameters: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string')
    return value.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (all, name: string) => parameters[name] ?? all)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, replaceIn(member, parameters)]))
}

function asTexts(properties: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, String(value)]))
}

function invalid(message: string): AwsFault {
  return new AwsFault('InvalidParameters', 400, message)
}

/** SHA-256 of a document, as JSON with sorted members. */
export function documentDigest(content: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(content)))
    .digest('hex')
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]))
}
