import { randomBytes } from 'node:crypto'
import type { AwsFault } from './aws-fault.ts'

export interface PageAsk {
  /** Who asks for what: a token goes on in the same list, for the same account. */
  readonly list: string
  readonly token: string | undefined
  readonly size: number
  /** Before each page that has items stands an empty one. */
  readonly hasEmptyPages: boolean
}

/** A page of a list, in the order of its keys; what comes and goes between two pages may be missed or not, as in AWS. */
export type Pager = <T>(
  ask: PageAsk,
  items: readonly T[],
  keyOf: (item: T) => string,
) => { items: T[]; NextToken?: string }

interface Place {
  readonly list: string
  /** Items up to this key were given. */
  readonly after: string
  /** The empty page before the next items was given. */
  readonly wasEmpty: boolean
}

const mostTokens = 10_000

/** @param unknownToken what a token is answered with that was not given out for this list */
export function createPager(unknownToken: () => AwsFault): Pager {
  const places = new Map<string, Place>()
  const placeOf = (token: string | undefined, list: string): Place => {
    if (token === undefined) return { list, after: '', wasEmpty: false }
    const place = places.get(token)
    if (place?.list !== list) throw unknownToken()
    return place
  }
  const newToken = (place: Place): string => {
    if (places.size >= mostTokens) places.clear()
    const token = randomBytes(48).toString('base64')
    places.set(token, place)
    return token
  }
  return ({ list, token, size, hasEmptyPages }, items, keyOf) => {
    const place = placeOf(token, list)
    const rest = items.filter((item) => keyOf(item) > place.after).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    const isEmpty = hasEmptyPages && !place.wasEmpty && rest.length > 0
    const shown = isEmpty ? [] : rest.slice(0, size)
    const last = shown.at(-1)
    const next = { list, after: last === undefined ? place.after : keyOf(last), wasEmpty: isEmpty }
    return { items: shown, ...(shown.length < rest.length ? { NextToken: newToken(next) } : {}) }
  }
}
