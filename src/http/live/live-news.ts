import type { Audience } from '../../access/audience.ts'
import type { AuditLog, AuditRecord } from '../../audit/audit.ts'
import type { Login } from '../../identity/principal.ts'
import { type Change, type Changes, isRemoval } from '../../store/changes.ts'
import type { Logger } from '../../telemetry/logger.ts'

/** What has changed for a reader, who then reads it again; it says nothing of what it was. */
export type Topic = 'requests' | 'grants' | 'sessions' | 'resources' | 'me'

/** One page that is open. */
export interface NewsReader {
  /** As it is now. */
  readonly login: Pick<Login, 'roles' | 'principal'>
  tell(topic: Topic): void
}

export interface NewsDeps {
  /** Every event of the store, whichever daemon appended it. */
  readonly audit: Pick<AuditLog, 'subscribe'>
  readonly changes: Pick<Changes, 'subscribe'>
  audienceOf(what: 'request' | 'grant', id: string): Promise<Audience>
  readonly logger: Logger
}

/** For which what happens is told as one. */
const togetherMs = 100
/** Catalogs change all the time where there are many accounts. */
const resourcesMs = 2000
/** More that waits is told to every reader, without a look at whose it is. */
const mostWaiting = 5000
const atOnce = 200
const listed = ['requests', 'grants', 'sessions'] as const

interface Waiting {
  readonly what: 'request' | 'grant'
  readonly id: string
  readonly topics: Set<Topic>
}

/** Tells open pages what to read again: of what is listed for their reader, and of nothing else. */
export class LiveNews {
  readonly #deps: NewsDeps
  readonly #readers = new Set<NewsReader>()
  readonly #waiting = new Map<string, Waiting>()
  /** Whose it is does not matter. */
  readonly #forAll = new Set<Topic>()
  #timer: NodeJS.Timeout | undefined
  #resourcesTimer: NodeJS.Timeout | undefined
  #areResourcesDue = false
  #isTelling = false
  readonly #unsubscribe: readonly (() => void)[]

  constructor(deps: NewsDeps) {
    this.#deps = deps
    this.#unsubscribe = [
      deps.audit.subscribe((record) => this.#onRecord(record)),
      deps.changes.subscribe((change) => this.#onChange(change)),
    ]
  }

  /** @returns what ends it */
  add(reader: NewsReader): () => void {
    this.#readers.add(reader)
    return () => this.#readers.delete(reader)
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    clearTimeout(this.#timer)
    clearTimeout(this.#resourcesTimer)
    this.#readers.clear()
  }

  #onRecord({ type, fields }: AuditRecord): void {
    const { request, grant } = fields
    const [of = ''] = type.split('.', 1)
    if (type === 'decision.made' || (of === 'request' && type !== 'request.refused'))
      this.#note('request', request, 'requests')
    else if (of === 'grant') {
      this.#note('grant', grant, 'grants')
      this.#note('request', request, 'requests')
    } else if (of === 'push') {
      const grants = Array.isArray(fields.grants) ? fields.grants : []
      for (const one of grants) this.#note('grant', one, 'grants')
      if (grants.length === 0) this.#noteAll(['grants']) // those that are over are not named
    } else if (type.startsWith('session.') && type !== 'session.denied') this.#note('grant', grant, 'sessions')
  }

  #onChange(change: Change): void {
    if (change.what === 'rules') {
      this.#noteResources()
      this.#noteAll(['me'])
    } else if (change.what === 'directory') {
      for (const reader of this.#readers) if (reader.login.principal.id === change.id) reader.tell('me')
    } else if (isRemoval(change)) {
      if (change.what === 'grant') this.#note('grant', change.id, 'grants') // its event may have to wait for the log
    } else this.#note('grant', change.id, 'grants')
  }

  #note(what: Waiting['what'], id: unknown, topic: Topic): void {
    if (typeof id !== 'string' || id === '' || this.#readers.size === 0) return
    const key = `${what} ${id}`
    const waiting = this.#waiting.get(key)
    if (waiting) waiting.topics.add(topic)
    else if (this.#waiting.size < mostWaiting) this.#waiting.set(key, { what, id, topics: new Set([topic]) })
    else this.#noteAll(listed)
    this.#arm()
  }

  #noteAll(topics: readonly Topic[]): void {
    if (this.#readers.size === 0) return
    for (const topic of topics) this.#forAll.add(topic)
    this.#arm()
  }

  /** At once, then no more often than that. */
  #noteResources(): void {
    if (this.#resourcesTimer) {
      this.#areResourcesDue = true
      return
    }
    this.#noteAll(['resources'])
    this.#resourcesTimer = setTimeout(() => {
      this.#resourcesTimer = undefined
      if (!this.#areResourcesDue) return
      this.#areResourcesDue = false
      this.#noteResources()
    }, resourcesMs).unref()
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#tell()
    }, togetherMs).unref()
  }

  /** Never rejects. */
  async #tell(): Promise<void> {
    if (this.#isTelling) {
      this.#arm()
      return
    }
    this.#isTelling = true
    const news = new Map<NewsReader, Set<Topic>>()
    const add = (reader: NewsReader, topics: Iterable<Topic>) => {
      const told = news.get(reader) ?? new Set()
      for (const topic of topics) told.add(topic)
      news.set(reader, told)
    }
    for (const reader of this.#readers) if (this.#forAll.size > 0) add(reader, this.#forAll)
    this.#forAll.clear()
    for (const [key, { what, id, topics }] of [...this.#waiting].slice(0, atOnce)) {
      this.#waiting.delete(key)
      const isFor = await this.#audienceOf(what, id)
      for (const reader of this.#readers) if (isFor(reader.login)) add(reader, topics)
    }
    for (const [reader, topics] of news) {
      if (!this.#readers.has(reader)) continue
      if (topics.has('requests')) topics.add('me') // which counts them
      for (const topic of topics) reader.tell(topic)
    }
    this.#isTelling = false
    if (this.#waiting.size > 0) this.#arm()
  }

  /** Who it is about cannot be read: then all read again what is theirs. */
  async #audienceOf(what: Waiting['what'], id: string): Promise<Audience> {
    try {
      return await this.#deps.audienceOf(what, id)
    } catch (error) {
      this.#deps.logger.warn({ err: error, id }, 'whom a change concerns could not be read; every open page is told')
      return () => true
    }
  }
}
