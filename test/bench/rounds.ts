import type { BenchOptions } from './rows.ts'

/** What is measured. */
export interface Target {
  readonly name: string
  /** Of the proxy; nobody's when it is the database itself. */
  readonly pid?: number
}

/** How often a round is measured in which a peer does nothing, until it counts without that peer. */
const attempts = 3

interface Measured<T extends Target> {
  measure(target: T): Promise<number>
}

type Notes = Pick<BenchOptions, 'note' | 'warn'>

/** @returns a figure for each of them; NaN for who did nothing in any attempt */
export async function measureRound<T extends Target>(
  one: Measured<T>,
  order: readonly T[],
  label: string,
  options: Notes,
): Promise<ReadonlyMap<string, number>> {
  for (let attempt = 1; ; attempt += 1) {
    const figures = new Map<string, number>()
    for (const target of order)
      figures.set(target.name, await figure(`${label}, ${target.name}`, () => one.measure(target), options))
    const silent = [...figures.keys()].filter((target) => Number.isNaN(figures.get(target)))
    if (silent.length === 0) return figures
    if (attempt === attempts) {
      options.warn(`${label}: counts without ${silent.join(', ')}`)
      return figures
    }
    options.warn(`${label}: once more`)
  }
}

/** @returns NaN when there is none; why is on the screen */
export async function figure(what: string, work: () => Promise<number | undefined>, options: Notes): Promise<number> {
  options.note(what)
  try {
    return (await work()) ?? Number.NaN
  } catch (error) {
    options.warn(`${what}: ${(error as Error).message.trim()}`)
    return Number.NaN
  }
}
