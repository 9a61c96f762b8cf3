/** Members of a request of the SSM API, within the limits of its service model. */
import { AwsFault } from '../aws/aws-fault.ts'

type Json = Readonly<Record<string, unknown>>

/** @throws AwsFault SerializationException: there are others */
export function fieldsOf(input: Json, names: readonly string[]): void {
  const other = Object.keys(input).find((name) => !names.includes(name))
  if (other !== undefined) throw new AwsFault('SerializationException', 400, `unexpected member ${other}`)
}

/** @throws AwsFault ValidationException */
export function textOf(input: Json, name: string, min: number, max: number): string {
  const value = input[name]
  if (typeof value !== 'string' || value.length < min || value.length > max)
    throw new AwsFault('ValidationException', 400, `${name} must be a text of ${min} to ${max} characters`)
  return value
}

/** @returns undefined: left out @throws AwsFault ValidationException */
export function numberOf(input: Json, name: string, min: number, max: number): number | undefined {
  const value = input[name]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || value < min || value > max)
    throw new AwsFault('ValidationException', 400, `${name} must be a number from ${min} to ${max}`)
  return value
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** Of DescribeSessions: names of members in lower case, unlike elsewhere. @throws AwsFault InvalidFilterKey */
export function filtersOf(value: unknown, keys: readonly string[]): { key: string; value: string }[] {
  return list(value).map((one) => {
    const { key, value: wanted, ...more } = one as Json
    if (typeof key !== 'string' || typeof wanted !== 'string' || Object.keys(more).length > 0)
      throw new AwsFault('ValidationException', 400, 'a filter has key and value')
    if (!keys.includes(key)) throw new AwsFault('InvalidFilterKey', 400, `there is no filter ${key}`)
    return { key, value: wanted }
  })
}
