import { readFileSync } from 'node:fs'

/** Who a database server runs as: ourselves, or another user where we are root and the server refuses that. */
export interface Runner {
  readonly uid?: number
  readonly gid?: number
}

/** @param name the user of the server's package; without it `nobody` */
export function chooseRunner(name: 'postgres' | 'mysql'): Runner {
  if (process.getuid?.() !== 0) return {}
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const user of [name, 'nobody']) {
    const fields = users.find((line) => line.startsWith(`${user}:`))?.split(':')
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  throw new Error(`a database server does not run as root, and there is no user ${name} or nobody to run it as`)
}
