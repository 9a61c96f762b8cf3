import type { Command } from 'commander'
import type { RecordingMatch, RecordingSearchEnd } from '../../contract/recordings.ts'
import { usualLimit } from '../api/read-list.ts'
import { filtersOf, type ListOptions, listOptions } from '../lists.ts'
import { escapeJson, printLine } from '../output.ts'

/** `recordings search TEXT`: statements are printed as they are found. */
export function registerRecordingSearch(program: Command, recordings: Command): void {
  const search = recordings
    .command('search <text>')
    .description(
      'find statements, and values bound to them, that have a text; in upper or lower case, newest session first',
    )
  listOptions(search, {
    who: 'only recordings of this principal',
    resource: 'only recordings of this resource',
    time: 'only recordings of sessions that were opened',
  }).action(async (text: string, options: ListOptions) => {
    const [{ openApiClient }, { streamLines }] = await Promise.all([
      import('../login/login-store.ts'),
      import('../api/api-stream.ts'),
    ])
    const api = await openApiClient(program.opts())
    const limit = options.limit ?? (options.all ? Number.POSITIVE_INFINITY : usualLimit)
    const ask = { text, ...filtersOf(options) }
    const totals: Totals = { found: 0, recordings: 0, unread: new Map(), unreadCount: 0 }
    let shown = ''
    let cursor: string | undefined
    do {
      const body = { ...ask, limit: Math.min(mostAtOnce, limit - totals.found), cursor }
      let end: RecordingSearchEnd | undefined
      for await (const line of streamLines(api, 'POST /api/v1/recordings/search', { body })) {
        const parsed = JSON.parse(line) as RecordingMatch | RecordingSearchEnd
        if ('next' in parsed) end = parsed
        else {
          totals.found++
          if (options.json) process.stdout.write(`${escapeJson(line)}\n`)
          else printMatch(parsed, parsed.sessionId === shown)
          shown = parsed.sessionId
        }
      }
      if (!end) throw new Error('the broker ended the search before its end')
      add(totals, end)
      cursor = end.next ?? undefined
    } while (cursor !== undefined && totals.found < limit)
    noteEnd(totals, cursor !== undefined)
  })
}

const mostAtOnce = 1000

interface Totals {
  found: number
  recordings: number
  /** Reasons, each with the first recording that it is the reason of. */
  readonly unread: Map<string, string>
  unreadCount: number
}

function add(totals: Totals, { recordings, unread, unreadCount }: RecordingSearchEnd): void {
  totals.recordings += recordings
  totals.unreadCount += unreadCount
  for (const { sessionId, reason } of unread) if (!totals.unread.has(reason)) totals.unread.set(reason, sessionId)
}

function printMatch(match: RecordingMatch, isSameSession: boolean): void {
  if (!isSameSession) {
    printLine('')
    printLine(`${match.sessionId}: ${match.principal} on ${match.resourceId} at level ${match.level}`)
    if (match.at !== null && ofTerminals.has(match.type))
      printLine(`  to see it: sallyport recordings play ${match.sessionId} --from ${momentBefore(match.at)}`)
  }
  const time = match.at === null ? '' : `${new Date(match.at).toISOString().replace('T', ' ').slice(0, 19)} UTC`
  printLine(`  ${time}  ${match.type}${match.isRunning ? '  no end is on record so far' : ''}`)
  for (const line of (match.sql ?? '').split('\n')) if (line !== '') printLine(`      ${line}`)
  for (const { member, text } of match.found)
    if (member !== 'sql') printLine(`      ${shownMember(member)}: ${JSON.stringify(text)}`)
}

/** Entries that are played. */
const ofTerminals = new Set(['output', 'input', 'notice', 'end'])

/** A second before, so that it is seen to come. */
function momentBefore(at: number): string {
  return `${new Date(at - 1000).toISOString().slice(0, 19)}Z`
}

/** Values are shown by their numbers, as `recordings play` shows them. */
function shownMember(member: string): string {
  return member.replace(/^values\[(\d+)\]/, (_, i: string) => `$${Number(i) + 1}`)
}

/** On stderr, so that it is seen beside JSON that goes elsewhere. */
function noteEnd(totals: Totals, hasMore: boolean): void {
  const { found, recordings, unread, unreadCount } = totals
  const counted = `found ${plural(found, 'statement')} in ${plural(recordings, 'recording')}`
  process.stderr.write(`${counted}${hasMore ? '; see more with --limit, or everything with --all' : ''}\n`)
  if (unreadCount > 0) process.stderr.write(`${plural(unreadCount, 'recording')} could not be read:\n`)
  for (const [reason, session] of unread) process.stderr.write(`  ${session}: ${reason}\n`)
}

function plural(count: number, what: string): string {
  return `${count.toLocaleString('en-US')} ${what}${count === 1 ? '' : 's'}`
}
