import { readFileSync } from 'node:fs'

/** What a process has in memory now. */
export function residentMegabytes(pid: number | undefined): number {
  return residentIn(readFileSync(`/proc/${pid}/status`, 'utf8'))
}

/** @param status of `/proc/PID/status` */
export function residentIn(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}
