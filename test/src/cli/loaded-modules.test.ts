/** Tools of AWS run `credential-process` often and wait for it: a command loads neither TypeBox nor the contract’s schemas. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const program = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))
/** Prints the address of each module as it is loaded. */
const tracing = `
import { registerHooks } from 'node:module'
import { writeSync } from 'node:fs'
registerHooks({
  load(url, context, next) {
    writeSync(2, 'loads ' + url + '\\n')
    return next(url, context)
  },
})`

const home = mkdtempSync(join(tmpdir(), 'sallyport-home-'))
t.teardown(() => rmSync(home, { recursive: true, force: true }))

function loadedBy(args: readonly string[]): Promise<readonly string[]> {
  const hooks = `data:text/javascript,${encodeURIComponent(tracing)}`
  const env = { ...process.env, SALLYPORT_HOME: home, SALLYPORT_SERVER: 'http://127.0.0.1:1', SALLYPORT_TOKEN: 'x' }
  return new Promise((resolve) =>
    execFile(process.execPath, ['--import', hooks, program, ...args], { env }, (_error, _stdout, stderr) =>
      resolve([...stderr.matchAll(/^loads (.*)$/gm)].map(([, url = '']) => url)),
    ),
  )
}

for (const [name, args, loads] of [
  ['--version', ['--version'], /src\/cli\/registers\.ts$/],
  ['aws credential-process', ['aws', 'credential-process', 'Deployer'], /src\/cli\/api\/quick-call\.ts$/],
  ['ls', ['ls'], /src\/cli\/api\/api-client\.ts$/],
] as const) {
  t.test(`${name} loads no schema of the contract`, async (t) => {
    const urls = await loadedBy(args)
    t.ok(urls.some((url) => loads.test(url)))
    t.same(
      urls.filter((url) => /\/typebox\/|\/src\/contract\/(?!ask\.ts$)/.test(url)),
      [],
    )
  })
}
