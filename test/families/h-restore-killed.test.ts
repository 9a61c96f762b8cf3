/** H2: a restore that is killed, before each of its steps in turn, leaves a whole store in its place, and is run again. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
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
import { syncBuiltinESMExports } from 'node:module'
const [, stopAt, module, from, target] = process.argv
let step = 0
for (const name of ${JSON.stringify(steps)}) {
  const real = fs[name]
  fs[name] = (...args) => {
    step += 1
    if (step === Number(stopAt)) process.kill(process.pid, 'SIGKILL')
    return real(...args)
  }
}
syncBuiltinESMExports()
const { putBack } = await import(module)
putBack(from, JSON.parse(target), true)
`

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

t.test('H2: killed before any step of a restore, the store is the old one or the new one, and the old is kept', (t) => {
  let killed = 0
  const found = new Set<string>()
  for (let stopAt = 1; killed === stopAt - 1; stopAt++) {
    const folder = at(`killed-${stopAt}`)
    mkdirSync(folder)
    const storeFile = path.join(folder, 'sallyport.db')
    for (const end of ['', '-wal']) copyFileSync(`${newer}${end}`, `${storeFile}${end}`)
    const target = { storeFile, keysDir: path.join(folder, 'keys') }
    const module = new URL('../../src/store/put-back.ts', import.meta.url).href
    const args = ['--input-type=module', '-e', script, String(stopAt), module, older, JSON.stringify(target)]
    const ran = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (ran.signal === 'SIGKILL') killed = stopAt
    else t.equal(ran.status, 0, ran.stderr)

    const installation = foundAt(storeFile, path.join(folder, 'look.db'))
    found.add(installation)
    const kept = () =>
      readdirSync(folder)
        .filter((name) => /\.before-restore(-\d)?$/.test(name))
        .map((name, n) => foundAt(path.join(folder, name), path.join(folder, `kept-${n}.db`)))
    if (installation === 'ins_old') t.same(kept(), ['ins_new'], `step ${stopAt}`)
    else t.equal(installation, 'ins_new', `step ${stopAt}`)

    if (ran.signal === 'SIGKILL' && installation === 'ins_new') putBack(older, target, true)
    t.equal(foundAt(storeFile, path.join(folder, 'again.db')), 'ins_old', `run again after a kill at step ${stopAt}`)
    t.same(kept(), ['ins_new'], `kept once, step ${stopAt}`)
    t.same(readdirSync(target.keysDir).sort(), [...keyFiles].sort())
    t.notOk(existsSync(`${storeFile}.part`))
  }
  t.ok(killed >= 10, `${killed} steps`)
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
