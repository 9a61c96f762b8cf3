import { type Ran, type Running, startCommand } from './commands.ts'

export interface RunOptions {
  /** Exit code it must have, or one of several; 0 unless told. */
  readonly exit?: number | readonly number[]
  readonly env?: NodeJS.ProcessEnv
  /** Text that must be in stdout or stderr. */
  readonly shows?: readonly RegExp[]
  /** Show at most this many lines; 14 unless told. */
  readonly lines?: number
}

export interface BackgroundOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Its standard input stays open. */
  readonly isTypedInto?: boolean
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
    const ran = await startCommand(file, args, options.env).ended
    this.show(`${ran.stdout}${ran.stderr}`, options.lines)
    const expected = [options.exit ?? 0].flat()
    if (!expected.includes(ran.code))
      throw new Error(
        `${shown}: expected exit code ${expected.join(' or ')}, got ${ran.code}\n${ran.stdout}${ran.stderr}`,
      )
    for (const pattern of options.shows ?? []) {
      if (!pattern.test(`${ran.stdout}\n${ran.stderr}`)) throw new Error(`${shown}: expected ${pattern} in its output`)
    }
    return ran
  }

  /** Starts a program that goes on while the tour does something else. */
  background(shown: string, file: string, args: readonly string[], options: BackgroundOptions = {}): Running {
    process.stdout.write(`   ${dim('$')} ${shown}${options.isTypedInto ? '' : ` ${dim('&')}`}\n`)
    return startCommand(file, args, options.env, options.isTypedInto ? null : '')
  }

  show(text: string, limit = 14): void {
    const lines = text.trimEnd().split('\n')
    for (const line of lines.slice(0, limit)) process.stdout.write(`     ${line}\n`)
    if (lines.length > limit && limit > 0) process.stdout.write(`     … ${lines.length - limit} more lines\n`)
  }
}

const paint = (code: number) => (text: string) => (process.stdout.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text)
const bold = paint(1)
const dim = paint(2)
const green = paint(32)

/** Splits as a shell would, as far as the tour needs it: blanks, and double quotes. */
export function words(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '')
}
