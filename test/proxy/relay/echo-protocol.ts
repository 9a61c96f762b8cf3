/**
 * A protocol that exists nowhere, as small as one can be: a client signs in with `TOKEN\n`, then each line goes to the target,
 * and the target's line comes back. The lease's secret is the first line that a target hears, `ready` what it answers. The client leaves
 * with `quit`, the server with `bye`; any cancel is for the session that began last. What is wrong is told as `error CODE TEXT`, a cut as `cut REASON TEXT`.
 */
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import type { Conversation, ConversationParts, Reader } from '../../../proxy/relay/conversation.ts'
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
}

interface Newest {
  cancel?: Parameters<Connected['begin']>[0]
}

const mostLineBytes = 64 * 1024
const newline = 0x0a

const words: Words = {
  error: ({ code, message }) => Buffer.from(`error ${code} ${message}\n`),
  cut: ({ reason, text }) => Buffer.from(`cut ${reason} ${text}\n`),
}

export function createEcho(parts: ProtocolParts): Protocol {
  const newest: Newest = {}
  parts.host.onCancel('echo', async ({ origin }) => (await newest.cancel?.(origin)) ?? false)
  const engine: Engine<SignedInClient> = {
    protocol: 'echo',
    words,
    connect: async (_client, permit, lease) => {
      const connected = await connect(parts, permit, lease)
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

async function connect({ reach }: ProtocolParts, permit: SessionPermit, lease: Promise<Lease>): Promise<Connected> {
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
    return connected(target, user, permit.engine?.rules as EchoRules)
  } catch (error) {
    stream.destroy()
    throw toTargetError(error)
  } finally {
    line.release()
  }
}

function connected(target: Target, user: string, { maxLines }: EchoRules): Connected {
  return {
    target,
    detail: { user },
    begin: () => ({ greeting: Buffer.from(`welcome ${user}\n`), end: () => {} }),
    converse: (parts) => new Echo(parts, maxLines),
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

class Echo implements Conversation {
  readonly up = new Lines((line) => this.#asked(line))
  readonly down = new Lines((line) => this.#answered(line))
  readonly #parts: ConversationParts
  readonly #maxLines: number
  readonly #waiting: { line: string; since: number; isBegun: boolean }[] = []
  #answers = 0
  settledAt = performance.now()
  clientHasLeft = false
  serverHasLeft = false

  constructor(parts: ConversationParts, maxLines: number) {
    this.#parts = parts
    this.#maxLines = maxLines
  }

  get waiting(): number {
    return this.#waiting.length
  }

  tick(): void {}

  close(): void {
    this.down.isClosed = true
  }

  overLimit(): BrokerError {
    return new BrokerError('LIMIT_REACHED', `at most ${this.#maxLines} lines`)
  }

  begin(since: number): boolean {
    for (const waiting of this.#waiting) {
      if (waiting.since > since) return true
      if (!waiting.isBegun) this.#write({ line: waiting.line, begun: true })
      waiting.isBegun = true
    }
    return false
  }

  finish(unsent: number): void {
    const sent = this.#waiting.length - unsent
    this.#waiting.splice(0).forEach(({ line }, i) => {
      this.#write(i < sent ? { line, unfinished: true } : { line, unsent: true })
    })
  }

  #asked(line: string): boolean {
    if (line === 'quit') this.clientHasLeft = true
    else {
      this.#parts.entries.reserve(line.length)
      this.#waiting.push({ line, since: performance.now(), isBegun: false })
    }
    return true
  }

  #answered(answer: string): boolean {
    this.serverHasLeft = answer === 'bye'
    if (this.serverHasLeft) return true
    if (!this.#parts.budget.hasRow) return false
    this.#parts.budget.rows += 1
    if (this.#maxLines > 0 && this.#answers >= this.#maxLines) return false
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
