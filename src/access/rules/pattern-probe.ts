import { runInNewContext } from 'node:vm'
import { maxTicketLength } from './rule.ts'

/** Of wall-clock time, so with room for a busy machine: a slow pattern never finishes, others take microseconds. */
const probeTimeoutMs = 300

/**
 * Whether a pattern can backtrack exponentially on text of a ticket's length: it is run, with a deadline, on long repetitions of
 * the characters that it mentions. What it finds is certain; that it finds nothing is likely, not proof.
 */
export function isSlowPattern(pattern: RegExp): boolean {
  const bases = [...new Set([...pattern.source.matchAll(/[A-Za-z0-9 _-]/gu)].map(([character]) => character))]
  const units = new Set(['a', 'A', '0', ' ', '-', 'aA', 'a0', 'A0', 'A-', 'a-', '0-', ...bases.slice(0, 32)])
  const texts = [...units].map((unit) => `${unit.repeat(maxTicketLength).slice(0, maxTicketLength - 1)}\u0001`)
  try {
    runInNewContext('for (const text of texts) pattern.test(text)', { pattern, texts }, { timeout: probeTimeoutMs })
    return false
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return true
    throw error
  }
}
