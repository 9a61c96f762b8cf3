import { randomBytes } from 'node:crypto'
import type { AuditEvent, AuditValue } from '../audit.ts'
import { canonicalJson } from '../canonical.ts'
import { textDigest, type Unlinked } from '../chain.ts'
import type { Statements } from './beside.ts'

const longestField = 1024
const longestText = 32 * 1024
const longestList = 1000

/** An event ready to be linked: everything but its place in the chain. */
export interface PreparedEvent extends Unlinked {
  readonly event: AuditEvent
  /** Canonical JSON of the personal text, and its salt; null when the event has none. */
  readonly text: { readonly salt: string; readonly json: string } | null
  /** Set for events that come out of the spool, so that none enters the chain twice. */
  readonly spoolId?: string
  /** Committed with it. */
  readonly beside?: Statements
}

/** Converts an event to its stored form. Values that are too long are truncated and marked. Never throws. */
export function prepareEvent(event: AuditEvent, at: number, spoolId?: string): PreparedEvent {
  const given = Object.entries(event.fields).map(([key, value]) => [key, storableValue(value)] as const)
  const fields = Object.fromEntries(spoolId === undefined ? given : [...given, ['spooled', spoolId] as const])
  const text = storableText(event.text)
  const kept: AuditEvent = {
    type: event.type,
    actor: cut(event.actor, longestField),
    fields,
    ...(text ? { text } : {}),
  }
  const beside = text ? { salt: randomBytes(16).toString('hex'), json: canonicalJson(text) } : null
  return {
    at,
    type: kept.type,
    actor: kept.actor,
    body: canonicalJson(fields),
    text_digest: beside ? textDigest(beside.salt, beside.json) : null,
    event: kept,
    text: beside,
    ...(spoolId === undefined ? {} : { spoolId }),
  }
}

function storableText(text: AuditEvent['text']): Record<string, string> | undefined {
  const entries = Object.entries(text ?? {})
  return entries.length === 0
    ? undefined
    : Object.fromEntries(entries.map(([key, value]) => [key, cut(value, longestText)]))
}

/** A number that is not whole is kept as text: losing an event would be worse, and the hash needs one exact form. */
function storableValue(value: AuditValue): AuditValue {
  if (typeof value === 'string') return cut(value, longestField)
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value)
  if (typeof value === 'boolean' || value === null) return value
  const items = value.slice(0, longestList).map((item) => cut(item, longestField))
  return value.length > longestList ? [...items, `[${value.length - longestList} more]`] : items
}

function cut(text: string, longest: number): string {
  const whole = String(text)
  const kept = whole.length > longest ? `${whole.slice(0, longest)}[${whole.length - longest} more characters]` : whole
  return kept.toWellFormed() // a lone surrogate has no UTF-8 form, so the store would give back another text
}
