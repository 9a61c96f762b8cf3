import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Mark, type MarkDeps } from '../../../src/audit/mark/mark.ts'
import { StandingRemovals } from '../../../src/audit/mark/standing-removals.ts'

/** A mark for an audit log under test, whatever its store says. The caller closes it. */
export async function markIn(dir: string, deps: Pick<MarkDeps, 'keyring' | 'clock'>): Promise<Mark> {
  const stateDir = join(dir, 'state')
  mkdirSync(stateDir, { recursive: true })
  const start = {
    mark: 'mrk_test',
    installation: 'ins_test',
    count: 0,
    seq: 0,
    hash: '',
    checkpoint: 0,
    slot: undefined,
  }
  return await Mark.open({ ...deps, stateDir, windows: {} }, start, new StandingRemovals(deps.keyring, {}))
}
