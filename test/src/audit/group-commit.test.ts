import t from 'tap'
import { GroupCommit } from '../../../src/audit/append/group-commit.ts'
import { prepareEvent } from '../../../src/audit/append/prepare-event.ts'
import { quietFor } from '../../wait-until.ts'

const longMs = 60_000

/** @returns what was committed together, by actors */
function start(patienceMs = longMs) {
  const commits: string[][] = []
  let opened = Promise.resolve()
  const group = new GroupCommit({
    commit: async (events) => {
      commits.push(events.map(({ actor }) => actor))
      await opened
      return events.map(({ event, at }, i) => ({ ...event, at, seq: i + 1, hash: '' }))
    },
    onDurable: () => {},
    mostQueued: 100,
    deadlineMs: 2 * longMs,
    patienceMs,
  })
  const add = (actor: string, isPatient?: boolean) =>
    group.add(prepareEvent({ type: 'session.ended', actor, fields: {} }, 1), isPatient)
  /** Holds commits. @returns lets them go on */
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    opened = promise
    return resolve
  }
  return { group, commits, add, hold }
}

t.test('who may wait shares the commit of who may not', async (t) => {
  const { commits, add } = start()
  const patient = add('a', true)
  await quietFor(20, 'nobody begins a commit for one that may wait')
  t.same(commits, [])
  await Promise.all([patient, add('b')])
  t.same(commits, [['a', 'b']])
})

t.test('alone, it waits no longer than it may', async (t) => {
  const { commits, add } = start(10)
  await Promise.all([add('a', true), add('b', true)])
  t.same(commits, [['a', 'b']], 'with all that wait')
})

t.test('one that comes during a commit begins none of its own', async (t) => {
  const { commits, add, hold } = start()
  const goOn = hold()
  const first = add('a')
  await quietFor(1, 'its commit has begun')
  const patient = add('b', true)
  goOn()
  await first
  await quietFor(20, 'the next commit would begin at once')
  t.same(commits, [['a']])
  await Promise.all([patient, add('c')])
  t.same(commits, [['a'], ['b', 'c']])
})

t.test('a stop waits for nobody', async (t) => {
  const { group, commits, add } = start()
  const patient = add('a', true)
  await group.settled()
  await patient
  t.same(commits, [['a']])
})
