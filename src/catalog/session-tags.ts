/**
 * Session tags of an organization's own choosing: templates in levels, the values that stand in them, and the limits of STS (AssumeRole,
 * API version 2011-06-15). Pure.
 */
/** Values by key. */
export type SessionTags = Readonly<Record<string, string>>

/** What stands in templates: `{ticket}` and `{claim:NAME}`. */
export interface TagValues {
  readonly ticket: string | null
  /** By the name of the claim. */
  readonly claims: Readonly<Record<string, string>>
}

/** With the broker's own there is room for more, but not in the space into which AWS packs all of them. */
export const mostOwnTags = 10
const longestKey = 128
const longestValue = 256
const tagText = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u
const placeholder = /\{(ticket|claim:[^{}]+)\}/g
/** Those of AWS, those that the broker sets itself, and the one that names a user of the operating system to Session Manager. */
const reserved = /^(aws:|sallyport:|ssmsessionrunas$)/i

/** What is wrong with the templates of a level. @param path of the member */
export function templateProblems(
  templates: SessionTags,
  path: string,
): { readonly path: string; readonly message: string }[] {
  const keys = Object.keys(templates)
  const twice = keys.find((key, i) => keys.findIndex((other) => other.toLowerCase() === key.toLowerCase()) < i)
  return [
    ...(keys.length > mostOwnTags
      ? [{ path, message: `expected at most ${mostOwnTags} tags, got ${keys.length}` }]
      : []),
    ...(twice === undefined
      ? []
      : [{ path, message: `AWS does not tell "${twice}" from another key by upper and lower case` }]),
    ...Object.entries(templates).flatMap(([key, template]) => {
      const message = keyProblem(key) ?? templateProblem(template)
      return message === undefined ? [] : [{ path: `${path}.${key}`, message }]
    }),
  ]
}

function keyProblem(key: string): string | undefined {
  if (reserved.test(key)) return 'this key is reserved: it is set by AWS or by the broker itself'
  if (key === '' || key.length > longestKey || !tagText.test(key))
    return `expected a key of 1–${longestKey} letters, digits, blanks and _.:/=+-@`
  return undefined
}

function templateProblem(template: string): string | undefined {
  const rest = template.replace(placeholder, '')
  if (/[{}]/.test(rest)) return 'expected {ticket} or {claim:NAME} between braces'
  if (template === '' || rest.length > longestValue || !tagText.test(rest))
    return `expected 1–${longestValue} letters, digits, blanks and _.:/=+-@`
  return undefined
}

/** Names of the claims that templates need, each once. */
export function claimsIn(templates: SessionTags): string[] {
  const names = placeholdersIn(templates).flatMap((name) => (name.startsWith('claim:') ? [name.slice(6)] : []))
  return [...new Set(names)]
}

export function needsTicket(templates: SessionTags): boolean {
  return placeholdersIn(templates).includes('ticket')
}

function placeholdersIn(templates: SessionTags): string[] {
  return Object.values(templates).flatMap((template) =>
    [...template.matchAll(placeholder)].map(([, name = '']) => name),
  )
}

export type Filled =
  | { readonly ok: true; readonly tags: SessionTags }
  | { readonly ok: false; readonly problem: string; readonly fix?: string }

/** @returns the tags of a session, or why there are none, in words for the person who asks */
export function fillTemplates(templates: SessionTags, values: TagValues): Filled {
  const tags: Record<string, string> = {}
  for (const [key, template] of Object.entries(templates)) {
    let missing: string | undefined
    const value = template.replace(placeholder, (_, name: string) => {
      const found = name === 'ticket' ? values.ticket : values.claims[name.slice(6)]
      if (typeof found !== 'string') missing = name
      return found ?? ''
    })
    if (missing !== undefined) return missingValue(key, missing)
    if (!tagText.test(value))
      return refused(`the session tag ${key} cannot hold "${value}": AWS takes letters, digits, blanks and _.:/=+-@`)
    if (value.length > longestValue)
      return refused(`the session tag ${key} would have ${value.length} characters; AWS takes ${longestValue}`)
    tags[key] = value
  }
  return { ok: true, tags }
}

function refused(problem: string): Filled {
  return { ok: false, problem }
}

function missingValue(key: string, name: string): Filled {
  return name === 'ticket'
    ? {
        ok: false,
        problem: `the level puts the ticket of the request into the session tag ${key}`,
        fix: 'add --ticket',
      }
    : {
        ok: false,
        problem: `the last sign-in brought no ${name.slice(6)} for the session tag ${key} in its ID token`,
        fix: 'sign in again: sallyport login --fresh; if that does not help, the identity provider must send it',
      }
}

/** The longest that sessions of a level may carry, hard to pack: what STS takes now it takes of everyone. */
export function longestTags(templates: SessionTags): SessionTags {
  return Object.fromEntries(
    Object.entries(templates).map(([key, template]) => {
      const fixed = template.replace(placeholder, '')
      if (fixed === template) return [key, template]
      const filler = Array.from({ length: longestValue - fixed.length }, (_, i) => letterAt(key.length * 7 + i))
      return [key, `${fixed}${filler.join('')}`]
    }),
  )
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** In no order that repeats soon. */
function letterAt(place: number): string {
  return letters[(place * place * 31 + place * 17 + 7) % letters.length] ?? 'x'
}

/** A value of a claim that a tag can hold; undefined: it is none. */
export function claimValue(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= longestValue && tagText.test(value)
    ? value
    : undefined
}
