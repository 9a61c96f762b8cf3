import { type FileHandle, open } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import { checkpointLine, type SignedCheckpoint } from './checkpoint.ts'

/** A place for checkpoints that the daemon can't rewrite, or from which others copy them away. */
export interface Anchor {
  readonly name: string
  /** Resolves when the line is there to stay. */
  send(line: string): Promise<void>
}

export type WriteLine = (line: string) => Promise<void>

/** The anchors of the configuration. @param stdout writes one line to standard output */
export function createAnchors(config: Config['audit']['anchors'], stdout: WriteLine): Anchor[] {
  return config.map((anchor) =>
    'file' in anchor
      ? { name: anchor.file, send: (line) => appendLine(anchor.file, line) }
      : { name: 'stdout', send: stdout },
  )
}

/** Opened anew each time, so that the file may be rotated or shipped away. */
async function appendLine(path: string, line: string): Promise<void> {
  const file = await open(path, 'a+', 0o600)
  try {
    const torn = await endsTorn(file) // a crash may have left half a line: it must not spoil this one
    await file.appendFile(`${torn ? '\n' : ''}${line}\n`)
    await file.datasync()
  } finally {
    await file.close()
  }
}

async function endsTorn(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat()
  if (size === 0) return false
  const last = Buffer.alloc(1)
  await file.read(last, 0, 1, size - 1)
  return last[0] !== 10
}

export const writeStdoutLine: WriteLine = (line) =>
  new Promise((resolve, reject) => {
    process.stdout.write(`${line}\n`, (error) => (error ? reject(error) : resolve()))
  })

interface Unsent {
  readonly signed: SignedCheckpoint
  readonly n: number
  readonly seq: number
  /** When the checkpoint was made. */
  readonly at: number
}

const mostUnsent = 1000
const longestPauseMs = 60_000

/** Sends checkpoints to one anchor in order, and retries until it succeeds. */
export class AnchorSender {
  readonly #anchor: Anchor
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #onRecovered: (anchor: string, failures: number) => void
  #unsent: readonly Unsent[] = []
  #sending: Promise<void> | undefined
  #failures = 0
  #retryAt = 0
  #sent: Unsent | undefined

  constructor(
    anchor: Anchor,
    deps: { clock: Clock; logger: Logger; onRecovered(anchor: string, failures: number): void },
  ) {
    this.#anchor = anchor
    this.#clock = deps.clock
    this.#logger = deps.logger
    this.#onRecovered = deps.onRecovered
  }

  /** The newest checkpoint that the anchor has. */
  get sent(): Unsent | undefined {
    return this.#sent
  }

  /** Never rejects. Of more than a thousand that wait, the newest are kept: each covers all before it. */
  offer(unsent: Unsent): Promise<void> {
    this.#unsent = [...this.#unsent, unsent].slice(-mostUnsent)
    return this.retry()
  }

  /** Sends what is queued, except during the pause after a failure. Never rejects. */
  async retry(): Promise<void> {
    if (this.#clock.now() < this.#retryAt) return
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined
    })
    await this.#sending
  }

  async #send(): Promise<void> {
    try {
      for (let next = this.#unsent[0]; next; next = this.#unsent[0]) {
        await this.#anchor.send(checkpointLine(next.signed))
        const { n } = next
        this.#unsent = this.#unsent.filter((unsent) => unsent.n > n)
        this.#sent = next
        this.#recovered()
      }
    } catch (error) {
      this.#failures++
      this.#retryAt = this.#clock.now() + Math.min(1000 * 2 ** (this.#failures - 1), longestPauseMs)
      const details = { err: error, anchor: this.#anchor.name, failures: this.#failures, unsent: this.#unsent.length }
      this.#logger.error(details, 'could not anchor an audit checkpoint')
    }
  }

  #recovered(): void {
    const failures = this.#failures
    this.#failures = 0
    this.#retryAt = 0
    if (failures > 0) this.#onRecovered(this.#anchor.name, failures)
  }
}
