import { execFile } from 'node:child_process'
import { chownSync, existsSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Runner } from './runner.ts'

/** Where seeded databases are kept between runs. */
export interface TemplateCache {
  readonly folder: string
  /** False when another user could have written there. */
  readonly trusted: boolean
}

/** A folder of the OS's temporary one, kept between runs and trusted only while it is ours alone. */
export function cacheFolder(runner: Runner): TemplateCache {
  const uid = runner.uid ?? process.getuid?.() ?? 0
  const folder = path.join(os.tmpdir(), `sallyport-sandbox-cache-${uid}`)
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    own(folder, runner)
  }
  const stat = lstatSync(folder)
  return { folder, trusted: stat.isDirectory() && stat.uid === uid && (stat.mode & 0o022) === 0 }
}

/**
 * `data` becomes a copy of the template of this name; the first run on a machine makes it there.
 * @param make makes it in `data`, and leaves it as it is to be copied
 */
export async function copyTemplate(
  cache: TemplateCache,
  name: string,
  runner: Runner,
  data: string,
  make: () => Promise<void>,
): Promise<void> {
  const template = path.join(cache.folder, name)
  if (cache.trusted && existsSync(template)) return copyAs(runner, template, data)
  await make()
  if (!cache.trusted) return
  const draft = `${template}.${process.pid}`
  await copyAs(runner, data, draft)
  try {
    renameSync(draft, template)
  } catch {
    rmSync(draft, { recursive: true, force: true }) // another process was first
  }
}

export const execute = promisify(execFile)

export async function copyAs(runner: Runner, from: string, to: string): Promise<void> {
  await execute('cp', ['-Rp', from, to], { ...runner, cwd: path.dirname(from) })
}

export function own(file: string, runner: Runner): void {
  if (runner.uid !== undefined && runner.gid !== undefined) chownSync(file, runner.uid, runner.gid)
}
