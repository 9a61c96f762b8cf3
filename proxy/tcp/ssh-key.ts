import { StringDecoder } from 'node:string_decoder'
import { setTimeout as wait } from 'node:timers/promises'
import { printable } from '../printable.ts'
import { BrokerError, type ChannelTicket } from '../session.ts'
import type { ChannelEnd } from '../ssm/channel.ts'
import { Terminal } from '../ssm/terminal.ts'

/** For the command to have put the key in. */
const readyMs = 30_000
/** For the command to have removed it. */
const removeMs = 5000
/** Of what the command shows. */
const mostBytes = 64 * 1024
const mostHostKeys = 16
/** Of the command's words for the person. */
const longestReason = 500
/** Ends the command, which then removes the key. */
const interrupt = Buffer.from([3])
const hostKey = /^(?:ssh-[a-z0-9-]{1,40}|ecdsa-sha2-nistp[0-9]{3}) [A-Za-z0-9+/]{16,2048}={0,2}$/
const agentHint =
  'It needs OpenSSH 7.7 or newer, getent, awk and date as GNU or busybox have them, and SSM agent 3.1.1511 or newer.'

export interface SshKeyParts {
  /** Of the command session. */
  ticket(): Promise<ChannelTicket | null>
  /** Gets what the command shows, before anything is made of it. @throws BrokerError: the session fails */
  shows(text: string): void
}

/**
 * The key of one session, put in at the instance by a command session that removes it again: when it is told to, or has waited for long
 * enough, whatever has become of us. The command says on lines that begin with `sallyport` how far it is.
 */
export class SshKey {
  readonly #terminal: Terminal
  readonly #parts: SshKeyParts
  readonly #text = new StringDecoder()
  readonly #ready = Promise.withResolvers<readonly string[]>()
  readonly #removed = Promise.withResolvers<true>()
  readonly #hostKeys: string[] = []
  #line = ''
  #bytes = 0

  constructor(parts: SshKeyParts) {
    this.#parts = parts
    this.#ready.promise.catch(() => {})
    this.#terminal = new Terminal({ ticket: () => parts.ticket() })
    const { stream, stderr, ended } = this.#terminal
    stream.on('data', (bytes: Buffer) => this.#show(bytes))
    stderr.on('data', (bytes: Buffer) => this.#show(bytes))
    void ended.then((end) => this.#onEnded(end))
  }

  /**
   * Once the key may sign in.
   * @returns keys of the SSH server, as known_hosts has them
   * @throws BrokerError TARGET_REFUSED, TARGET_UNTRUSTED, AWS_DENIED … why it may not
   */
  async ready(signal: AbortSignal): Promise<readonly string[]> {
    const over = new AbortController()
    const late = wait(readyMs, undefined, { signal: over.signal, ref: false }).then((): never => {
      throw new BrokerError('TARGET_REFUSED', 'it did not say in time that the key is in place', { hint: agentHint })
    })
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    try {
      return await Promise.race([this.#ready.promise, late, aborted])
    } finally {
      signal.removeEventListener('abort', onAbort)
      over.abort()
      for (const one of [late, aborted]) one.catch(() => {}) // the first one counts
    }
  }

  /** @returns whether the command has said so, or had ended by itself, when it removes it too; or nothing was put in */
  async remove(): Promise<boolean> {
    const { stream, ended } = this.#terminal
    stream.write(interrupt)
    const isRemoved = await Promise.race([
      this.#removed.promise,
      ended.then(({ reason }) => reason === 'closed' || this.#bytes === 0),
      wait(removeMs, false, { ref: false }),
    ])
    stream.destroy()
    return isRemoved
  }

  #show(bytes: Buffer): void {
    this.#bytes += bytes.length
    try {
      if (this.#bytes > mostBytes) throw new BrokerError('TARGET_REFUSED', 'the command shows too much')
      const text = this.#text.write(bytes)
      this.#parts.shows(text)
      this.#readLines(text)
    } catch (error) {
      this.#fail(error)
    }
  }

  #readLines(text: string): void {
    if (!text.includes('\n')) {
      this.#line += text // no look at the whole of it for each byte that comes
      return
    }
    const lines = `${this.#line}${text}`.split('\n')
    this.#line = lines.pop() ?? ''
    for (const line of lines) this.#read(line.replace(/\r$/, ''))
  }

  #read(line: string): void {
    const [, word, rest = ''] = /^sallyport (host|ready|refused|removed)(?: (.*))?$/.exec(line) ?? []
    if (word === 'host' && hostKey.test(rest) && this.#hostKeys.length < mostHostKeys) this.#hostKeys.push(rest)
    else if (word === 'refused')
      this.#fail(new BrokerError('TARGET_REFUSED', printable(rest.slice(0, longestReason)), { hint: agentHint }))
    else if (word === 'removed') this.#removed.resolve(true)
    else if (word === 'ready' && this.#hostKeys.length > 0) this.#ready.resolve(this.#hostKeys)
    else if (word === 'ready') this.#fail(new BrokerError('TARGET_UNTRUSTED', 'it has no host key that can be read'))
  }

  #onEnded(end: ChannelEnd): void {
    if (end.reason === 'failed') this.#fail(end.error)
    else {
      const why = end.reason === 'closed' && end.text !== '' ? end.text : 'the command that puts in the key has ended'
      this.#fail(new BrokerError('TARGET_REFUSED', why, { hint: agentHint }))
    }
  }

  #fail(error: unknown): void {
    this.#ready.reject(error)
  }
}
