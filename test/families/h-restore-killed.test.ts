/** H2: a restore that is killed, before each of its steps in turn, leaves a whole store in its place, and is run again. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { keyFiles, openKeyring } from '../../src/store/keyring.ts'
import { putBack } from '../../src/store/put-back.ts'
import { settledValue } from '../../src/store/settings.ts'
import { openStore } from '../../src/store/store.ts'

const dir = t.testdir()
const at = (...names: string[]) => path.join(dir, ...names)

/** The files of a store as a killed daemon leaves them: what it wrote last is in the log beside. */
async function leaveStore(name: string): Promise<string> {
  const db = await openStore({ url: `sqlite:${at(`${name}-open.db`)}` })
  await settledValue(db, 'installation', () => name)
  for (const end of ['', '-wal']) copyFileSync(at(`${name}-open.db${end}`), at(`${name}.db${end}`))
  await db.destroy()
  return at(`${name}.db`)
}

const newer = await leaveStore('ins_new')
const older = await leaveStore('ins_old')
openKeyring(at('keys')) // beside the files, as in a backup that has them
const steps = ['openSync', 'copyFileSync', 'linkSync', 'rmSync', 'renameSync', 'fsyncSync', 'mkdirSync']
const script = `
import fs from 'node:fs'
import { spawnSync } from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'
const [, stopAt, module, from, folder, target] = process.argv
const { putBack } = await import(module) // whose loading is no step
let step = 0
for (const name of ${JSON.stringify(steps)}) {
  const real = fs[name]
  fs[name] = (...args) => {
    step += 1
    if (stopAt === 'never') spawnSync('cp', ['-a', folder, folder + '-' + step])
    if (step === Number(stopAt)) process.kill(process.pid, 'SIGKILL')
    return real(...args)
  }
}
syncBuiltinESMExports()
putBack(from, JSON.parse(target), true)
`

/** A restore over the newer store, in a process of its own. @param stopAt its step before which it is killed */
function restoreIn(folder: string, stopAt: number | 'never') {
  mkdirSync(folder)
  const { storeFile, keysDir } = targetIn(folder)
  for (const end of ['', '-wal']) copyFileSync(`${newer}${end}`, `${storeFile}${end}`)
  const module = new URL('../../src/store/put-back.ts', import.meta.url).href
  const target = JSON.stringify({ storeFile, keysDir })
  const args = ['--input-type=module', '-e', script, String(stopAt), module, older, folder, target]
  return spawnSync(process.execPath, args, { encoding: 'utf8' })
}

const targetIn = (folder: string) => ({
  storeFile: path.join(folder, 'sallyport.db'),
  keysDir: path.join(folder, 'keys'),
})

/** The files of a folder, which of them are one file by several names, and what is in them. */
function filesIn(folder: string): Record<string, { links: number; sha256: string }> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  const files = names.filter((name) => statSync(path.join(folder, name)).isFile())
  return Object.fromEntries(
    files.map((name) => {
      const file = path.join(folder, name)
      const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
      return [name, { links: statSync(file).nlink, sha256 }]
    }),
  )
}

/** What a daemon that starts now would find, looked at in a copy. */
function foundAt(file: string, scratch: string): string {
  for (const end of ['', '-wal']) if (existsSync(`${file}${end}`)) copyFileSync(`${file}${end}`, `${scratch}${end}`)
  const db = new DatabaseSync(scratch)
  try {
    return String(db.prepare("select value from settings where key = 'installation'").get()?.value)
  } finally {
    db.close()
  }
}

// One restore leaves a copy of its folder before each of its steps.
const whole = restoreIn(at('restored'), 'never')
const stops = readdirSync(dir).flatMap((name) => /^restored-(\d+)$/.exec(name)?.slice(1).map(Number) ?? [])
const left = new Map(stops.map((stop) => [stop, filesIn(at(`restored-${stop}`))]))

t.test('H2: a kill leaves what the copies hold', (t) => {
  const last = Math.max(...stops)
  for (const stop of [Math.round(last / 3), Math.round((2 * last) / 3), last]) {
    const ran = restoreIn(at(`killed-${stop}`), stop)
    t.equal(ran.signal, 'SIGKILL', ran.stderr)
    t.same(filesIn(at(`killed-${stop}`)), left.get(stop), `step ${stop}`)
  }
  t.end()
})

t.test('H2: killed before any step of a restore, the store is the old one or the new one, and the old is kept', (t) => {
  t.equal(whole.status, 0, whole.stderr)
  t.ok(stops.length >= 10, `${stops.length} steps`)
  const found = new Set<string>()
  // Most steps change no file: one of those that leave the same is enough.
  const states = new Map([...left].map(([stop, files]) => [JSON.stringify(files), `restored-${stop}`]))
  t.ok(states.size >= 10, `${states.size} states`)
  for (const name of [...states.values(), 'restored']) {
    const folder = at(name)
    const target = targetIn(folder)
    const installation = foundAt(target.storeFile, path.join(folder, 'look.db'))
    found.add(installation)
    const kept = () =>
      readdirSync(folder)
        .filter((file) => /\.before-restore(-\d)?$/.test(file))
        .map((file, n) => foundAt(path.join(folder, file), path.join(folder, `kept-${n}.db`)))
    if (installation === 'ins_old') t.same(kept(), ['ins_new'], name)
    else t.equal(installation, 'ins_new', name)

    if (installation === 'ins_new') putBack(older, target, true)
    t.equal(foundAt(target.storeFile, path.join(folder, 'again.db')), 'ins_old', `${name}, run again`)
    t.same(kept(), ['ins_new'], `${name}, kept once`)
    t.same(readdirSync(target.keysDir).sort(), [...keyFiles].sort())
    t.notOk(existsSync(`${target.storeFile}.part`))
  }
  t.same([...found].sort(), ['ins_new', 'ins_old'], 'kills fell before and after the rename')
  t.end()
})

t.test('H2: what an earlier restore kept is never overwritten', (t) => {
  const storeFile = at('twice.db')
  copyFileSync(newer, storeFile)
  copyFileSync(`${newer}-wal`, `${storeFile}-wal`)
  const target = { storeFile, keysDir: at('keys') }
  t.equal(putBack(older, target, true).keptAs, `${storeFile}.before-restore`)
  t.equal(putBack(newer, target, true).keptAs, `${storeFile}.before-restore-2`)
  t.equal(foundAt(`${storeFile}.before-restore`, at('first.db')), 'ins_new')
  t.equal(foundAt(`${storeFile}.before-restore-2`, at('second.db')), 'ins_old')
  t.throws(() => putBack(storeFile, target, true), { message: /is the store itself/ })
  t.throws(() => putBack(at('nowhere'), target, true), { message: /is not there/ })
  t.end()
})
