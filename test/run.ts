/**
 * `npm test [-- TAP_ARGUMENTS]`: runs the suite, and closes with a line that counts assertions: `N passed, N failed`.
 * What could not run for want of a program is listed before it.
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(import.meta.url)
const tap = require.resolve('tap').replace(/\/dist\/.*$/, '/dist/esm/run.mjs')

const child = spawn(process.execPath, [tap, '--reporter=tap', ...process.argv.slice(2)], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
const counts = { pass: 0, fail: 0 }
const skipped = new Set<string>()
let file = ''
/** Lines of a failure: its diagnosis is in YAML, deeper than the line itself. */
let failure = -1

for await (const line of createInterface({ input: child.stdout })) {
  const [, indent = '', not, name = ''] = /^( *)(not )?ok \d+ - (.*)$/.exec(line) ?? []
  const subtest = /^# Subtest: (.*)$/.exec(line)?.[1]
  if (subtest !== undefined) file = subtest
  const total = /^# \{ total: \d+(?:, pass: (\d+))?(?:, fail: (\d+))?/.exec(line)
  if (total) {
    counts.pass = Number(total[1] ?? 0)
    counts.fail = Number(total[2] ?? 0)
  } else if (not) {
    failure = indent.length
    process.stdout.write(`${indent === '' ? '' : `${file}: `}${line.trim()}\n`)
  } else if (failure >= 0 && /^ *(not ok|ok|# )/.test(line)) failure = -1
  else if (failure >= 0) process.stdout.write(`  ${line.slice(failure)}\n`)
  const reason = /# SKIP (.*)$/.exec(name)?.[1]
  if (reason) skipped.add(reason)
  if (indent === '' && / # time=/.test(line) && !not) process.stdout.write(`${line}\n`)
}
const code = await new Promise<number>((resolve) => child.once('close', (exit) => resolve(exit ?? 1)))
for (const reason of skipped) process.stdout.write(`skipped: ${reason}\n`)
process.stdout.write(`\n${counts.pass} passed, ${counts.fail} failed\n`)
process.exitCode = code
