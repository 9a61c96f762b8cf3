/**
 * A protocol that exists nowhere, as small as one can be: a client signs in with `TOKEN\n`, then each line goes to the target,
 * and the target's line comes back. The lease's secret is the first line that a target hears, `ready` what it answers. The client leaves
 * with `quit`, the server with `bye`; any cancel is for the session that began last. The broker itself answers `own WORD` with what it
 * looks up, and `own` with nothing; of an unfinished line it forwards nothing. What is wrong is told as `error CODE TEXT`, a cut as `cut REASON TEXT`.
 */
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import type { Conversation, ConversationParts, PartialPass, Reader } from '../../../proxy/relay/conversation.ts'
import type { KnownClient, Protocol, ProtocolParts } from '../../../proxy/relay/protocol.ts'
import { receiveClient } from '../../../proxy/relay/receive-client.ts'
import { type Connected, type Engine, type SignedInClient, serveSession } from '../../../proxy/relay/serve-session.ts'
import type { Target } from '../../../proxy/relay/target.ts'
import type { Words } from '../../../proxy/relay/words.ts'
import { BrokerError, type ClientOrigin, type Lease, type SessionPermit } from '../../../proxy/session.ts'
import { unlessAborted } from '../../../proxy/streams/abortable.ts'
import type { ClientLine } from '../../../proxy/streams/client-line.ts'
import { toTargetError } from '../../../proxy/streams/dial-errors.ts'
import { ServerLine } from '../../../proxy/streams/server-line.ts'
import { WireError } from '../../../proxy/wire/wire-error.ts'

export interface EchoRules {
  /** 0: any number. */
  readonly maxLines: number
  /** What is wrong and a cut are told with the number of lines that were answered. */
  readonly isNumbered?: boolean
}

type LookUp = (word: string) => Promise<string>

interface Newest {
  cancel?: Parameters<Connected['begin']>[0]
}

const mostLineBytes = 64 * 1024
const newline = 0x0a

const words: Words = {
  error: ({ code, message }) => Buffer.from(`error ${code} ${message}\n`),
  cut: ({ reason, text }) => Buffer.from(`cut ${reason} ${text}\n`),
  ending: ({ leftMs, grantId }) => Buffer.from(`ending ${grantId} ${Math.round(leftMs / 1000)}\n`),
}

export function createEcho(parts: ProtocolParts, lookUp: LookUp): Protocol {
  const newest: Newest = {}
  parts.host.onCancel('echo', async ({ origin }) => (await newest.cancel?.(origin)) ?? false)
  const engine: Engine<SignedInClient> = {
    protocol: 'echo',
    words,
    connect: async (_client, permit, lease) => {
      const connected = await connect(parts, permit, lease, lookUp)
      const begin: Connected['begin'] = (cancel) => {
        newest.cancel = cancel
        return connected.begin(cancel)
      }
      return { ...connected, begin }
    },
  }
  const serve = async (
    stream: Duplex,
    from: KnownClient | { client: ClientOrigin },
    whoOf: (line: ClientLine) => Promise<KnownClient>,
  ) => {
    const signIn = async (line: ClientLine, identified: (known: KnownClient) => void): Promise<SignedInClient> => {
      const known = await whoOf(line)
      identified(known)
      return { ...known, stream: line.stream, ahead: line.takeAhead() }
    }
    const client = await receiveClient(stream, from, { parts, words, signIn })
    return client && (await serveSession(parts, engine, client))
  }
  return {
    name: 'echo',
    servePort: async (socket, client, { signedIn }) => {
      await serve(socket, { client }, async (line) => {
        const token = await readLine(line)
        const identity = await line.wait(parts.host.doorman.identify({ by: 'token', token }, client))
        signedIn()
        return { identity, resourceId: identity.bound?.resourceId ?? '', client }
      })
    },
    serveStream: (stream, known) => serve(stream, known, async () => known),
  }
}

async function readLine(line: Pick<ClientLine, 'read'>): Promise<string> {
  let text = ''
  for (;;) {
    const byte = await line.read(1)
    if (byte[0] === newline) return text
    text += byte.toString('latin1')
    if (text.length > 256) throw new WireError('a line without end')
  }
}

async function connect(
  { reach }: ProtocolParts,
  permit: SessionPermit,
  lease: Promise<Lease>,
  lookUp: LookUp,
): Promise<Connected> {
  const signal = AbortSignal.any([permit.signal, AbortSignal.timeout(5000)])
  const wire = await reach.open(permit, signal)
  const { stream } = wire
  const line = new ServerLine(stream)
  try {
    const { user, secret } = await unlessAborted(signal, lease)
    stream.write(`${secret}\n`)
    if ((await unlessAborted(signal, readLine(line))) !== 'ready') throw new BrokerError('TARGET_REFUSED')
    const cancel = async () => void (await wire.again(AbortSignal.timeout(1000))).end('cancel\n')
    const target: Target = {
      stream,
      ahead: line.takeAhead(),
      farewell: Buffer.from('quit\n'),
      cancel,
      reset: () => wire.reset(),
    }
    return connected(target, user, permit.engine?.rules as EchoRules, lookUp)
  } catch (error) {
    stream.destroy()
    throw toTargetError(error)
  } finally {
    line.release()
  }
}

function connected(target: Target, user: string, rules: EchoRules, lookUp: LookUp): Connected {
  return {
    target,
    detail: { user },
    begin: () => ({ greeting: Buffer.from(`welcome ${user}\n`), end: () => {} }),
    converse: (parts) => new Echo(parts, rules, lookUp),
  }
}

/** One direction. `onLine` says whether the line may go on. */
class Lines implements Reader {
  readonly #onLine: (line: string) => boolean
  #begun: Buffer = Buffer.alloc(0)
  isClosed = false

  constructor(onLine: (line: string) => boolean) {
    this.#onLine = onLine
  }

  get atBoundary(): boolean {
    return this.#begun.length === 0
  }

  scan(chunk: Buffer): number {
    let at = 0
    while (at < chunk.length) {
      if (this.isClosed && this.atBoundary) return at
      const end = chunk.indexOf(newline, at)
      const part = chunk.subarray(at, end < 0 ? chunk.length : end)
      if (this.#begun.length + part.length > mostLineBytes) throw new WireError('a line without end')
      const line = Buffer.concat([this.#begun, part])
      if (end < 0) {
        this.#begun = line
        return chunk.length
      }
      if (!this.#onLine(line.toString('utf8'))) return at
      this.#begun = Buffer.alloc(0)
      at = end + 1
    }
    return at
  }
}

/** What the client says: whole lines go on, and it stops at one that the broker answers. */
class Requests implements Reader {
  readonly atBoundary = true
  readonly #onLine: (line: string) => void
  #begun: Buffer = Buffer.alloc(0)
  #passing: PartialPass = { passing: this.#begun }
  /** The line that the broker answers. */
  own: string | undefined

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  scan(chunk: Buffer): number {
    const all = Buffer.concat([this.#begun, chunk])
    let at = 0
    for (let end = all.indexOf(newline); end >= 0; end = all.indexOf(newline, at)) {
      const line = all.toString('utf8', at, end)
      if (line.startsWith('own')) {
        this.own = line
        return this.#pass(all.subarray(0, at), { rest: all.subarray(end + 1) })
      }
      this.#onLine(line)
      at = end + 1
    }
    if (all.length - at > mostLineBytes) throw new WireError('a line without end')
    if (at === all.length && all.length === chunk.length) return chunk.length
    return this.#pass(all.subarray(0, at), { begun: all.subarray(at) })
  }

  #pass(passing: Buffer, { rest, begun }: { rest?: Buffer; begun?: Buffer }): number {
    this.#passing = rest ? { passing, rest } : { passing }
    this.#begun = begun ?? Buffer.alloc(0)
    return 0
  }

  takePassing(): PartialPass {
    return this.#passing
  }
}

class Echo implements Conversation {
  readonly up = new Requests((line) => this.#asked(line))
  readonly down = new Lines((line) => this.#answered(line))
  readonly #parts: ConversationParts
  readonly #rules: EchoRules
  readonly #lookUp: LookUp
  readonly words?: Words
  readonly #waiting: { line: string; since: number; isBegun: boolean }[] = []
  #answers = 0
  #isFinished = false
  settledAt = performance.now()
  clientHasLeft = false
  serverHasLeft = false

  constructor(parts: ConversationParts, rules: EchoRules, lookUp: LookUp) {
    this.#parts = parts
    this.#rules = rules
    this.#lookUp = lookUp
    const numbered = (text: Buffer) => Buffer.concat([Buffer.from(`${this.#answers} `), text])
    if (rules.isNumbered)
      this.words = {
        ...words,
        error: (error) => numbered(words.error(error)),
        cut: (notice) => numbered(words.cut(notice)),
      }
  }

  takePassing(): PartialPass {
    return this.up.takePassing()
  }

  async answer(): Promise<Buffer> {
    const line = this.up.own ?? ''
    const word = line.slice('own '.length)
    const found = word === '' ? '' : `${await this.#lookUp(word)}\n`
    if (!this.#isFinished) this.#write({ line, answer: found.trim() })
    this.up.own = undefined
    return Buffer.from(found)
  }

  get waiting(): number {
    return this.#waiting.length
  }

  tick(): void {}

  close(): void {
    this.down.isClosed = true
  }

  overLimit(): BrokerError {
    return new BrokerError('LIMIT_REACHED', `at most ${this.#rules.maxLines} lines`)
  }

  begin(since: number): boolean {
    for (const waiting of this.#waiting) {
      if (waiting.since > since) return true
      if (!waiting.isBegun) this.#write({ line: waiting.line, begun: true })
      waiting.isBegun = true
    }
    if (this.up.own !== undefined && since === Number.POSITIVE_INFINITY) this.#write({ line: this.up.own, begun: true })
    return false
  }

  finish(unsent: number): void {
    this.#isFinished = true
    const sent = this.#waiting.length - unsent
    this.#waiting.splice(0).forEach(({ line }, i) => {
      this.#write(i < sent ? { line, unfinished: true } : { line, unsent: true })
    })
    if (this.up.own !== undefined) this.#write({ line: this.up.own, unfinished: true })
  }

  #asked(line: string): void {
    if (line === 'quit') this.clientHasLeft = true
    else {
      this.#parts.entries.reserve(line.length)
      this.#waiting.push({ line, since: performance.now(), isBegun: false })
    }
  }

  #answered(answer: string): boolean {
    this.serverHasLeft = answer === 'bye'
    if (this.serverHasLeft) return true
    if (!this.#parts.budget.hasRow) return false
    this.#parts.budget.rows += 1
    const { maxLines } = this.#rules
    if (maxLines > 0 && this.#answers >= maxLines) return false
    const asked = this.#waiting.shift()
    if (!asked) throw new WireError('an answer that nobody asked for')
    this.#parts.entries.release(asked.line.length)
    this.#answers += 1
    this.settledAt = performance.now()
    this.#parts.onStatement((this.settledAt - asked.since) / 1000)
    this.#write({ line: asked.line, answer })
    return true
  }

  #write(entry: object): void {
    this.#parts.entries.write(JSON.stringify({ at: this.#parts.now(), type: 'line', ...entry }))
  }
}
