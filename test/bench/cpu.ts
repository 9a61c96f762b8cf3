import { existsSync, readdirSync, readFileSync } from 'node:fs'

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
