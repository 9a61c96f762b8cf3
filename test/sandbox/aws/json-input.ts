import { AwsFault } from './aws-fault.ts'

/** A text with its pattern, a whole number with its limits, a structure, a union of which one member is given, or a list. */
export type Member = { readonly isOptional?: true } & (
  | { readonly pattern: RegExp }
  | { readonly min: number; readonly max: number }
  | { readonly members: Readonly<Record<string, Member>>; readonly isUnion?: true }
  | { readonly each: Member; readonly least: number; readonly most: number }
)

/** @throws AwsFault ValidationException for what is missing or not within its limits, SerializationException for what is unknown */
export function checkInput(given: Readonly<Record<string, unknown>>, members: Readonly<Record<string, Member>>): void {
  for (const name of Object.keys(given))
    if (!(name in members)) throw new AwsFault('SerializationException', 400, `there is no member ${name}`)
  for (const [name, member] of Object.entries(members)) {
    const value = given[name]
    if (value !== undefined) checkMember(name, value, member)
    else if (!member.isOptional) throw invalid(`${name} is missing`)
  }
}

function checkMember(name: string, value: unknown, member: Member): void {
  if ('each' in member) {
    if (!Array.isArray(value) || value.length < member.least || value.length > member.most)
      throw invalid(`${name} is no list within its limits`)
    for (const item of value) checkMember(name, item, member.each)
  } else if ('members' in member) {
    if (typeof value !== 'object' || value === null) throw invalid(`${name} is no structure`)
    if (member.isUnion && Object.keys(value).length !== 1) throw invalid(`${name} is a union`)
    checkInput(value as Readonly<Record<string, unknown>>, member.members)
  } else if ('pattern' in member) {
    if (typeof value !== 'string' || !member.pattern.test(value)) throw invalid(`${name} is not of its pattern`)
  } else if (typeof value !== 'number' || value < member.min || value > member.max)
    throw invalid(`${name} is not within its limits`)
}

export function invalid(detail: string): AwsFault {
  return new AwsFault('ValidationException', 400, detail)
}

export const maxResults: Member = { min: 1, max: 100, isOptional: true }
export const nextToken: Member = { pattern: /^[-a-zA-Z0-9+=/_]{0,2048}$/, isOptional: true }
/** Of users, groups and memberships. */
export const resourceId: Member = {
  pattern: /^([0-9a-f]{10}-|)[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}$/,
}
