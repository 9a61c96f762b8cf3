import { performance } from 'node:perf_hooks'
import { BrokerError } from '../../../proxy/session.ts'
import { type FoundEntry, RecordingSearch } from './recording-search.ts'
import { TextFinder } from './text-finder.ts'

/** What the search needs to know of a session. */
export interface SearchedSession {
  readonly id: string
  readonly daemon_id: string
  readonly ended_at: number | null
  readonly recording_entries: number
}

export interface SearchParts<Session extends SearchedSession> {
  /** Newest first, behind the one named. */
  sessions(after: string | undefined, limit: number): Promise<readonly Session[]>
  find(id: string): Promise<Session | undefined>
  /** Of a recording, from an offset on. @throws BrokerError NOT_FOUND, PEER_UNREACHABLE */
  bytes(sessionId: string, offset: number): Promise<AsyncIterable<Buffer>>
}

export interface SearchAsk {
  readonly text: string
  /** Entries at most, apart from statements that still run where a page ends. */
  readonly limit: number
  /** `next` of the page before. */
  readonly cursor?: string
}

/** How far one page came. */
export interface SearchEnd {
  /** Null: everything has been searched. */
  readonly next: string | null
  readonly recordings: number
  readonly bytes: number
  /** Recordings that could not be read, at most a hundred. */
  readonly unread: readonly { readonly sessionId: string; readonly reason: string }[]
  readonly unreadCount: number
}

export interface Found<Session> {
  readonly session: Session
  readonly entry: FoundEntry
  readonly end?: undefined
}

/** Of one page; where it reaches one of them, it ends with a next one. */
const pageLimits = { bytes: 256 * 1024 * 1024, ms: 5000 }
const sessionsAtOnce = 100
const mostUnread = 100

/**
 * Searches recordings, newest first, for a plain text. One page reads so many bytes, or for so long, however much there is; last comes
 * how far it got.
 * @throws BrokerError INVALID_INPUT for what no page gave as `next`
 */
export function searchRecordings<Session extends SearchedSession>(
  parts: SearchParts<Session>,
  ask: SearchAsk,
  limits = pageLimits,
): AsyncGenerator<Found<Session> | { readonly end: SearchEnd }> {
  return searchFrom(readCursor(ask.cursor), parts, ask, limits)
}

async function* searchFrom<Session extends SearchedSession>(
  { id, offset }: Place,
  parts: SearchParts<Session>,
  ask: SearchAsk,
  limits: typeof pageLimits,
): AsyncGenerator<Found<Session> | { readonly end: SearchEnd }> {
  const page = new Page(parts, ask, limits)
  const resumed = offset === undefined || id === undefined ? undefined : await parts.find(id)
  if (resumed) yield* page.search(resumed, offset)
  let after = id
  while (page.next === null) {
    const sessions = await parts.sessions(after, sessionsAtOnce)
    if (sessions.length === 0) break
    for (const session of sessions) {
      yield* page.search(session)
      if (page.next !== null) break
    }
    after = sessions.at(-1)?.id
  }
  yield { end: page.end() }
}

class Page<Session extends SearchedSession> {
  readonly #parts: SearchParts<Session>
  readonly #finder: TextFinder
  readonly #limit: number
  readonly #limits: typeof pageLimits
  readonly #since = performance.now()
  readonly #unread: { readonly sessionId: string; readonly reason: string }[] = []
  #unreadCount = 0
  /** Daemons that did not answer, and what was said of it: they are asked once a page. */
  readonly #silent = new Map<string, string>()
  #count = 0
  #recordings = 0
  #bytes = 0
  /** Where the next page begins, once this one is full. */
  next: string | null = null

  constructor(parts: SearchParts<Session>, { text, limit }: SearchAsk, limits: typeof pageLimits) {
    this.#parts = parts
    this.#finder = new TextFinder(text)
    this.#limit = limit
    this.#limits = limits
  }

  get #isFull(): boolean {
    const { bytes, ms } = this.#limits
    return this.#count >= this.#limit || this.#bytes >= bytes || performance.now() - this.#since >= ms
  }

  async *search(session: Session, offset = 0): AsyncGenerator<Found<Session>> {
    const { id, daemon_id, ended_at, recording_entries } = session
    const isEmpty = ended_at !== null && recording_entries === 0
    const silence = this.#silent.get(daemon_id)
    if (silence !== undefined && !isEmpty) this.#miss(id, silence)
    else if (!isEmpty) {
      try {
        for await (const entry of this.#read(id, offset)) yield { session, entry }
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error
        if (error.code === 'PEER_UNREACHABLE') this.#silent.set(daemon_id, error.message)
        else if (error.code !== 'NOT_FOUND') throw error
        this.#miss(id, error.message)
      }
    }
    if (this.#isFull) this.next ??= id
  }

  async *#read(id: string, offset: number): AsyncGenerator<FoundEntry> {
    const search = new RecordingSearch(offset, this.#finder)
    const chunks = await this.#parts.bytes(id, offset)
    this.#recordings++
    for await (const chunk of chunks) {
      this.#bytes += chunk.length
      for (const entry of search.push(chunk)) {
        this.#count++
        yield entry
        if (this.#count >= this.#limit) break
      }
      if (!this.#isFull || search.offset === offset) continue // at least a line, so that pages come to an end
      this.next = `${id}:${search.offset}`
      break
    }
    yield* search.running
  }

  #miss(sessionId: string, reason: string): void {
    this.#unreadCount++
    if (this.#unread.length < mostUnread) this.#unread.push({ sessionId, reason })
  }

  end(): SearchEnd {
    const [recordings, bytes, unreadCount] = [this.#recordings, this.#bytes, this.#unreadCount]
    return { next: this.next, recordings, bytes, unread: this.#unread, unreadCount }
  }
}

const cursorForm = /^(ses_[0-9a-z]{26})(?::([0-9]{1,15}))?$/

/** A session that has been searched, or one and how far. */
interface Place {
  readonly id?: string
  readonly offset?: number
}

function readCursor(cursor: string | undefined): Place {
  if (cursor === undefined) return {}
  const [, id, offset] = cursorForm.exec(cursor) ?? []
  if (id === undefined) throw new BrokerError('INVALID_INPUT', 'cursor: expected the `next` of an earlier page')
  return { id, ...(offset === undefined ? {} : { offset: Number(offset) }) }
}
