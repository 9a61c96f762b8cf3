import { spawnSync } from 'node:child_process'
import t from 'tap'

t.test('V8 has the flag that `serve` sets, and is of the version that it is set for', async (t) => {
  const { stdout } = spawnSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })
  t.match(stdout, /^ +--external-memory-accounted-in-global-limit /m)
  t.match(process.versions.v8, /^13\./, 'measure again, see docs/decisions/0065')
})
