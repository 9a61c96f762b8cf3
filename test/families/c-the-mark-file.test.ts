/** C1: the file of the mark is made once, and every later start goes on in it. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { fillDisk, mountSmallDisk, withoutDisk } from '../sandbox/small-disk.ts'
import { judge, live, locked, newMachine, started } from './c-the-mark-setup.ts'

t.test('C1: a start writes into the mark that is there, and makes no other', async (t) => {
  const machine = newMachine(t)
  await live(machine, [locked('prn_eve')])
  const mark = path.join(machine.stateDir, 'mark')
  const { ino } = statSync(mark)
  mkdirSync(`${mark}.new`) // nothing can be made there
  for (const session of ['ses_1', 'ses_2', 'ses_3'])
    t.equal(await live(machine, [started(session)]), null, `it opens for ${session}`)
  t.match(statSync(mark), { ino, size: 8192 })
  t.equal(await judge(machine), null)
})

t.test('C1: a start that writes nothing more leaves what the next one accepts', async (t) => {
  const machine = newMachine(t)
  for (let i = 0; i < 4; i++) t.equal(await live(machine, []), null)
  t.equal(await judge(machine), null)
})

t.test('C1: a mark that has lost a slot is made whole again', async (t) => {
  const machine = newMachine(t)
  await live(machine, [locked('prn_eve')])
  const mark = path.join(machine.stateDir, 'mark')
  truncateSync(mark, 4096)
  t.equal(await live(machine, [started('ses_1')]), null)
  t.equal(statSync(mark).size, 8192)
  t.equal(await judge(machine), null)
})

const machine = newMachine(t)
mkdirSync(machine.stateDir)
const unmount = mountSmallDisk(machine.stateDir, 2)
t.teardown(() => unmount?.())
const skip = unmount ? false : withoutDisk

t.test('C1: state.dir is on a full disk: a daemon starts again, and only a first one does not', { skip }, async (t) => {
  const ballast = path.join(machine.stateDir, 'ballast')
  t.equal(await live(machine, [locked('prn_eve')]), null)
  fillDisk(ballast)
  for (const session of ['ses_1', 'ses_2']) t.equal(await live(machine, [started(session)]), null, session)
  t.equal(await judge(machine), null)

  const first = { ...newMachine(t), stateDir: machine.stateDir }
  for (const name of readdirSync(machine.stateDir)) rmSync(path.join(machine.stateDir, name))
  fillDisk(ballast)
  await t.rejects(live(first, []), { code: 'ENOSPC' })
})

t.test('C1: state.dir is read-only: no daemon starts, with a mark or without one', { skip }, async (t) => {
  for (const name of readdirSync(machine.stateDir)) rmSync(path.join(machine.stateDir, name))
  const known = { ...newMachine(t), stateDir: machine.stateDir }
  t.equal(await live(known, [locked('prn_eve')]), null)
  const refused = { code: 'CONFIG_INVALID', message: /state\.dir: EROFS/ }
  const access = (mode: 'ro' | 'rw') => execFileSync('mount', ['-o', `remount,${mode}`, machine.stateDir])
  access('ro')
  try {
    await t.rejects(live(known, [started('ses_1')]), refused)
  } finally {
    access('rw')
  }
  t.equal(await live(known, [started('ses_1')]), null, 'nothing was written meanwhile that the mark does not know')
  for (const name of readdirSync(machine.stateDir)) rmSync(path.join(machine.stateDir, name))
  access('ro')
  try {
    await t.rejects(live({ ...newMachine(t), stateDir: machine.stateDir }, []), refused)
  } finally {
    access('rw')
  }
})
