import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { quietFor } from '../wait-until.ts'

/** Whether this system says how long a thread has had a CPU: Linux does. */
export function hasCpuClock(): boolean {
  return existsSync('/proc/self/schedstat')
}

/** How long the threads of a process have had a CPU, all together; NaN when there is no such process. */
export function cpuNanoseconds(pid: number | undefined): number {
  const threads = `/proc/${pid}/task`
  try {
    const each = readdirSync(threads).map((thread) => readFileSync(`${threads}/${thread}/schedstat`, 'utf8'))
    return each.reduce((sum, schedstat) => sum + Number(schedstat.split(' ')[0]), 0)
  } catch {
    return Number.NaN
  }
}

/**
 * CPU of a process per transaction of a load, over so many seconds of steady state: from the first progress line with transactions,
 * so that the opening of the sessions is left out.
 */
export class SteadyCpu {
  readonly #pid: number | undefined
  readonly #seconds: number
  readonly #marks: { readonly cpu: number; readonly at: number; readonly tps: number }[] = []

  constructor(pid: number | undefined, seconds: number) {
    this.#pid = pid
    this.#seconds = seconds
  }

  /** A progress line has come, each second. @param at seconds @param tps since the line before */
  progress(at: number, tps: number): void {
    if (this.#marks.length <= this.#seconds) this.#marks.push({ cpu: cpuNanoseconds(this.#pid), at, tps })
  }

  /** @throws Error when there was no transaction, or the process has gone */
  get microseconds(): number {
    const steady = this.#marks.slice(this.#marks.findIndex(({ tps }) => tps > 0)) // on a busy machine the opening takes longer
    let transactions = 0
    for (const [i, { at, tps }] of steady.entries()) transactions += tps * (at - (steady[i - 1]?.at ?? at))
    const [first, last] = [steady[0], steady.at(-1)]
    if (!first || !last || transactions < 1) throw new Error('no transaction was completed in steady state')
    return spent(first.cpu, last.cpu) / 1000 / transactions
  }
}

/**
 * Milliseconds of a process's CPU per new session, its end included.
 * @param open opens and ends sessions, and says how many
 */
export async function cpuOfSessions(pid: number | undefined, open: () => Promise<number>): Promise<number> {
  const before = cpuNanoseconds(pid)
  const sessions = await open()
  await quietFor(200, 'what a proxy still does once the last clients have gone')
  if (!(sessions > 0)) throw new Error('no transaction was completed')
  return spent(before, cpuNanoseconds(pid)) / 1e6 / sessions
}

function spent(before: number, after: number): number {
  if (Number.isNaN(after - before)) throw new Error('the process has gone')
  return after - before
}
