import { type Command, InvalidArgumentError } from 'commander'
import { type Listed, usualLimit } from './api/read-list.ts'
import { durationArgument } from './duration.ts'
import { printJson } from './output.ts'

/** What was typed. */
export interface ListOptions {
  readonly since?: number
  readonly until?: number
  readonly who?: string
  readonly resource?: string
  readonly limit?: number
  readonly all?: boolean
  readonly json?: boolean
}

interface ListTexts {
  /** What `--all` adds, apart from every page. */
  readonly all?: string
  /** Whose they are; left out: the list has no people. */
  readonly who?: string
  /** Left out: the list has no resources. */
  readonly resource?: string
  /** What the times are of; left out: the list has none. */
  readonly time?: string
}

/** The options of every command that lists. */
export function listOptions(command: Command, texts: ListTexts): Command {
  const { all, who, resource, time } = texts
  if (who) command.option('--who <principal>', `${who}: id, e-mail, unique name, or me`)
  if (resource) command.option('--resource <resource>', `${resource}: full id, or its last part when unique`)
  if (time)
    command
      .option('--since <when>', `${time} at this time or later: 90m, 24h, 2026-11-24 or 2026-11-24T09:30 (UTC)`, moment)
      .option('--until <when>', `${time} before this time`, moment)
  return command
    .option('--limit <count>', `how many at most (default: ${usualLimit})`, countArgument)
    .option('--all', all ? `everything: ${all}, and without a limit` : 'everything: no limit')
    .option('--json', 'print JSON')
}

/** The filters that were typed. */
export function filtersOf({ since, until, who, resource }: ListOptions) {
  return { since, until, who, resource }
}

/** Prints a list, and says what is left out. @param print for people */
export function printList<Item>(
  list: Listed<Item>,
  { json }: Pick<ListOptions, 'json'>,
  print: (items: readonly Item[]) => void,
): void {
  if (json) printJson(list)
  else print(list.items)
  noteRest(list)
}

/** On stderr, so that it is seen beside JSON and tables that go elsewhere. */
export function noteRest({ items, next, total, capped }: Listed<unknown>): void {
  if (next === null) return
  const all = `${capped ? 'more than ' : ''}${Math.max(total, items.length).toLocaleString('en-US')}`
  const shown = items.length.toLocaleString('en-US')
  process.stderr.write(`showing ${shown} of ${all}; see more with --limit, or everything with --all\n`)
}

const day = /^\d{4}-\d{2}-\d{2}$/
const time = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?$/
const zone = /(Z|[+-]\d{2}:\d{2})$/

/** `24h` ago, or a date or time, in UTC where it names no zone → epoch milliseconds. @throws InvalidArgumentError */
export function moment(text: string): number {
  const bare = text.replace(zone, '')
  if (!/^\d{4}-/.test(text)) return Date.now() - ago(text)
  const isForm = (day.test(bare) && bare === text) || time.test(bare)
  const at = isForm ? Date.parse(bare === text && !day.test(text) ? `${text.replace(' ', 'T')}Z` : text) : Number.NaN
  if (Number.isNaN(at)) throw new InvalidArgumentError('expected a date such as 2026-11-24 or 2026-11-24T09:30.')
  return at
}

function ago(text: string): number {
  try {
    return durationArgument(text)
  } catch {
    throw new InvalidArgumentError('expected how long ago, e.g. 90m or 24h, or a date such as 2026-11-24.')
  }
}

function countArgument(text: string): number {
  const count = Number(text)
  if (!/^[0-9]{1,9}$/.test(text) || count < 1) throw new InvalidArgumentError('expected a number, 1 or more.')
  return count
}
