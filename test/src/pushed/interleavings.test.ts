/**
 * Grants, an actor beside us, faults of AWS and kills of the process in many orders, on a simulated clock, against what must be true
 * whatever the order: nothing is removed that we did not make, nothing is left that we did, and the books say what AWS has.
 * SALLYPORT_INTERLEAVINGS sets how many.
 */
import t, { type Test } from 'tap'
import { isShortRun } from '../../long.ts'
import type { Fault } from './fake-aws.ts'
import { type Claim, keyOf, membershipOf, World } from './world.ts'

const runs = Number(process.env.SALLYPORT_INTERLEAVINGS ?? (isShortRun ? 1000 : 2000))
const firstSeed = Number(process.env.SALLYPORT_SEED ?? 1)
const minute = 60_000
const theEnd = 'at the end'

const places = [
  membershipOf('alice'),
  membershipOf('bob'),
  membershipOf('alice', 'ps-2'),
  membershipOf('alice', 'group-1', 'identity-center-group'),
]

/** mulberry32 */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = state
    x = Math.imul(x ^ (x >>> 15), x | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296
  }
}

async function interleave(seed: number, faults: readonly Fault[]): Promise<World> {
  const next = random(seed)
  const chance = (share: number) => next() < share
  const any = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T
  const world = new World()
  const live: Claim[] = []
  world.aws.workMs = () => any([0, 500, 3000, 20_000, 4 * minute])
  world.aws.fault = () => (chance(0.12) ? any(faults) : null)
  world.isKilled = () => chance(0.04)
  for (let step = 0; step < 14; step++) {
    const place = any(places)
    const dice = next()
    if (dice < 0.3) live.push(world.grant(place, any([minute, 10 * minute, 60 * minute])))
    else if (dice < 0.45 && live.length > 0) world.end(any(live))
    else if (dice < 0.6) world.aws.actOutside(place, chance(0.5) ? 'present' : 'absent')
    else world.now += any([1, 500, 2000, minute, 16 * minute])
    await world.pass()
  }
  world.aws.fault = () => null
  world.isKilled = () => false
  for (let i = 0; i < 3; i++) await world.settle(16 * minute) // what AWS works at, and what was lost, is over
  isAsWanted(world, seed, 'while grants live')
  for (const claim of live) world.end(claim)
  for (let i = 0; i < 2; i++) await world.settle(16 * minute)
  await world.settle(361 * minute) // what is outside is looked at more rarely
  isAsWanted(world, seed, theEnd)
  return world
}

function isAsWanted(world: World, seed: number, when: string): void {
  const fail = (what: string) => {
    throw new Error(`seed ${seed}, ${when}: ${what}`)
  }
  if (world.aws.wrongs.length > 0) fail(`removed what someone else had asked for: ${world.aws.wrongs}`)
  for (const place of places) {
    const key = keyOf(place)
    const there = world.aws.there.get(key)
    const push = world.push(place)
    const shown = `${key}: ${JSON.stringify({ push, makers: there && [...there.makers] })}`
    if (world.want(key)) {
      if (!there || push?.state !== 'granted') fail(`not granted ${shown}`)
    } else if (there) {
      const isOfOthers = there.makers.has('other')
      if (push && push.state !== 'outside' && push.state !== 'gone') fail(`still at it ${shown}`)
      if (!isOfOthers && push?.ownership !== 'uncertain') fail(`left behind ${shown}`)
    } else if (push && push.state !== 'gone' && !(push.state === 'outside' && when !== theEnd))
      fail(`the books have more than AWS ${shown}`)
    if (push?.underway) fail(`still underway ${shown}`)
  }
}

async function holds(t: Test, faults: readonly Fault[]): Promise<void> {
  let calls = 0
  for (let i = 0; i < runs; i++) calls += (await interleave(firstSeed + i, faults)).aws.calls.length
  t.ok(calls > runs, `${runs} interleavings, ${calls} calls`)
}

t.test('whatever the order, AWS ends as the log says', { timeout: 3_600_000 }, async (t) => {
  await holds(t, ['lost', 'cut', 'throttled', 'quota', 'fails'])
})
