/**
 * A daemon's audit log as a process of its own, to be killed: appends until then, and prints what was acknowledged and what it was
 * told. With `stopAt` it makes a checkpoint then, and stops itself in the middle, while it holds the head of the log.
 */
import { createInterface } from 'node:readline'
import type { StorePlace } from '../../../src/store/place.ts'
import { created, openAuditIn, revoked } from './start-audit.ts'

export interface WriterOptions {
  readonly place: StorePlace
  readonly keysDir: string
  readonly dir: string
  readonly name: string
  readonly stopAt?: number
}

const { place, keysDir, dir, name, stopAt } = JSON.parse(process.argv[2] as string) as WriterOptions
const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const { audit, close } = await openAuditIn(dir, {
  place,
  keysDir,
  ...(stopAt === undefined
    ? {}
    : {
        // Asked in the transaction of a checkpoint.
        heads: () => {
          process.kill(process.pid, 'SIGSTOP')
          return []
        },
      }),
})
audit.onDamaged((what) => print({ damage: what }))
let isEnding = false
createInterface({ input: process.stdin }).once('line', () => {
  isEnding = true
})
if (stopAt === undefined) await audit.start()
for (let n = 0; !isEnding; n++) {
  if (n === stopAt) await audit.checkpoint()
  const id = `grt_${name}_${n}`
  try {
    if (n % 3 === 0) await audit.appendRemoval(revoked(id))
    else await audit.append(created(id))
    print({ acknowledged: id })
  } catch (error) {
    print({ refused: id, why: (error as Error).message })
  }
}
await close()
process.exit(0)
