import { type ChildProcess, spawn } from 'node:child_process'

/** What a command of the tour did. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly endedAt: number
}

export interface RunOptions {
  /** Exit code it must have; 0 unless told. */
  readonly exit?: number
  readonly env?: NodeJS.ProcessEnv
  /** Text that must be in stdout or stderr. */
  readonly shows?: readonly RegExp[]
  /** Show at most this many lines; 14 unless told. */
  readonly lines?: number
}

/** The printed journey: each step says what is done, shows it, and must do what it says. */
export class Transcript {
  #steps = 0
  readonly missing: string[] = []

  heading(text: string): void {
    this.#steps++
    process.stdout.write(`\n${bold(`${this.#steps}. ${text}`)}\n`)
  }

  note(text: string): void {
    process.stdout.write(`   ${text}\n`)
  }

  /** Something that could not be shown for want of a client. */
  miss(what: string): void {
    this.missing.push(what)
    this.note(`skipped: ${what}`)
  }

  /** @throws Error that ends the tour when `claim` does not hold */
  check(claim: boolean, text: string): void {
    if (!claim) throw new Error(`not so: ${text}`)
    this.note(`${green('✓')} ${text}`)
  }

  /** Runs a program to its end, shows it and what it printed, and checks its exit code. */
  async run(shown: string, file: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    process.stdout.write(`   ${dim('$')} ${shown}\n`)
    const ran = await finish(start(file, args, options.env))
    this.#show(`${ran.stdout}${ran.stderr}`, options.lines ?? 14)
    if (ran.code !== (options.exit ?? 0))
      throw new Error(`${shown}: expected exit code ${options.exit ?? 0}, got ${ran.code}`)
    for (const pattern of options.shows ?? []) {
      if (!pattern.test(`${ran.stdout}\n${ran.stderr}`)) throw new Error(`${shown}: expected ${pattern} in its output`)
    }
    return ran
  }

  /** Starts a program that goes on while the tour does something else. */
  background(shown: string, file: string, args: readonly string[], env?: NodeJS.ProcessEnv): Background {
    process.stdout.write(`   ${dim('$')} ${shown} ${dim('&')}\n`)
    return new Background(start(file, args, env))
  }

  #show(text: string, limit: number): void {
    const lines = text.trimEnd().split('\n')
    for (const line of lines.slice(0, limit)) process.stdout.write(`     ${line}\n`)
    if (lines.length > limit) process.stdout.write(`     … ${lines.length - limit} more lines\n`)
  }
}

/** A program of the tour that runs on; its output is collected. */
export class Background {
  readonly child: ChildProcess
  readonly #ran: Promise<Ran>
  output = ''

  constructor(child: ChildProcess) {
    this.child = child
    child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
    child.stderr?.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
    this.#ran = finish(child)
  }

  /** Resolves with the match once the output has it. @throws Error after `withinMs` or when the program ends without it */
  async prints(pattern: RegExp, withinMs = 15_000): Promise<RegExpExecArray> {
    const deadline = Date.now() + withinMs
    for (;;) {
      const match = pattern.exec(this.output)
      if (match) return match
      if (Date.now() > deadline || this.child.exitCode !== null)
        throw new Error(`expected ${pattern}, got: ${this.output}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  ended(): Promise<Ran> {
    return this.#ran
  }

  async interrupt(): Promise<Ran> {
    this.child.kill('SIGINT')
    return this.#ran
  }
}

function start(file: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  return spawn(file, [...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
}

async function finish(child: ChildProcess): Promise<Ran> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode, signal) => resolve(exitCode ?? (signal === 'SIGINT' ? 130 : 1)))
  })
  return { code, stdout, stderr, endedAt: Date.now() }
}

const paint = (code: number) => (text: string) => (process.stdout.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text)
const bold = paint(1)
const dim = paint(2)
const green = paint(32)
