/** What the database servers of the sandbox share as processes. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Leaf } from './certificates.ts'
import type { GuardedProcess } from './guarded-process.ts'
import type { Runner } from './runner.ts'
import { own } from './template-cache.ts'

/** @returns PEM files in `home` that the server may read */
export function writeCertificate(
  home: string,
  tls: Leaf,
  runner: Runner,
): { readonly cert: string; readonly key: string } {
  const files = { cert: path.join(home, 'server.crt'), key: path.join(home, 'server.key') }
  writeFileSync(files.cert, tls.cert)
  writeFileSync(files.key, tls.key, { mode: 0o600 })
  for (const file of Object.values(files)) own(file, runner)
  return files
}

/** Resolves when its log says so. @param name for the error of one that ends first, with its log */
export function whenReady(server: GuardedProcess, name: string, says: RegExp): Promise<void> {
  let log = ''
  return new Promise((resolve, reject) => {
    server.stderr.on('data', (chunk: Buffer) => {
      if (log.length < 65_536) log += chunk.toString()
      if (says.test(log)) resolve()
    })
    server.exited.then((code) => reject(new Error(`${name} ended with ${code}:\n${log}`)), reject)
  })
}
