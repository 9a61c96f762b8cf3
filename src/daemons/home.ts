import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerError } from '../../proxy/session.ts'
import { newId } from '../store/ids.ts'

/**
 * The id of the daemon whose `state.dir` this is, made at its first start: sessions and recordings belong to it, however often it
 * starts again.
 * @throws BrokerError CONFIG_INVALID when the file holds something else
 */
export function homeId(stateDir: string): string {
  const file = join(stateDir, 'daemon')
  try {
    writeFileSync(file, `${newId('dmn')}\n`, { mode: 0o600, flag: 'wx', flush: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const id = readFileSync(file, 'utf8').trim()
  if (/^dmn_[0-9a-z]{26}$/.test(id)) return id
  throw new BrokerError('CONFIG_INVALID', `state.dir: ${file} is damaged: it holds no id of a daemon`, {
    hint: 'Delete it while the daemon is stopped: it then takes a new id, and what it left open is closed by its successor.',
  })
}
