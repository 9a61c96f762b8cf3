import { runInNewContext } from 'node:vm'
import { maxTicketLength } from './rule.ts'

/** Of wall-clock time: a slow pattern never finishes, others take microseconds. */
const probeTimeoutMs = 300
/** On a busy machine the time may be over before the pattern has run: then it is tried again, so often. */
const mostProbes = 10

/**
 * Whether a pattern can backtrack exponentially on text of a ticket's length: it is run, with a deadline, on long repetitions of
 * the characters that it mentions. What it finds is certain; that it finds nothing is likely, not proof.
 */
export function isSlowPattern(pattern: RegExp): boolean {
  const bases = [...new Set([...pattern.source.matchAll(/[A-Za-z0-9 _-]/gu)].map(([character]) => character))]
  const units = new Set(['a', 'A', '0', ' ', '-', 'aA', 'a0', 'A0', 'A-', 'a-', '0-', ...bases.slice(0, 32)])
  const texts = [...units].map((unit) => `${unit.repeat(maxTicketLength).slice(0, maxTicketLength - 1)}\u0001`)
  for (let probe = 1; ; probe++) {
    const before = process.cpuUsage()
    if (finishes(pattern, texts)) return false
    const { user, system } = process.cpuUsage(before)
    if ((user + system) / 1000 >= probeTimeoutMs / 2 || probe === mostProbes) return true
  }
}

function finishes(pattern: RegExp, texts: readonly string[]): boolean {
  try {
    runInNewContext('for (const text of texts) pattern.test(text)', { pattern, texts }, { timeout: probeTimeoutMs })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return false
    throw error
  }
}
