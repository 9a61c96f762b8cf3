/** B6: a round of a benchmark in which a peer completed nothing is measured again, then reported. */
import t from 'tap'
import { measureRound } from '../bench/rounds.ts'
import { medianRatio } from '../bench/rows.ts'

const targets = ['broker', 'relay', 'bouncer'].map((name) => ({ name, env: {} }))

/** @param failures how often each fails before it has a figure */
async function round(failures: Readonly<Record<string, number>>) {
  const left = { ...failures }
  const warned: string[] = []
  const asked: string[] = []
  const measure = async ({ name }: { readonly name: string }) => {
    asked.push(name)
    const more = left[name] ?? 0
    left[name] = more - 1
    if (more > 0) throw new Error('no transaction was completed')
    return 100
  }
  const options = { note: () => {}, warn: (text: string) => void warned.push(text) }
  return { figures: await measureRound({ measure }, targets, 'selects: round 1 of 1', options), warned, asked }
}

t.test('B6: all of them have a figure, and nothing is repeated', async (t) => {
  const { figures, warned, asked } = await round({})
  t.same([...figures.values()], [100, 100, 100])
  t.same(warned, [])
  t.equal(asked.length, 3)
})

t.test(
  'B6: a peer that did nothing once: the whole round is measured again, so that figures are of one time',
  async (t) => {
    const { figures, warned, asked } = await round({ bouncer: 1 })
    t.same([...figures.values()], [100, 100, 100])
    t.equal(asked.length, 6)
    t.match(warned.join('\n'), /bouncer: no transaction was completed\nselects: round 1 of 1: once more/)
  },
)

t.test('B6: a peer that never does anything is reported and does not end the run', async (t) => {
  const { figures, warned, asked } = await round({ relay: 99 })
  t.ok(Number.isNaN(figures.get('relay')))
  t.equal(figures.get('broker'), 100)
  t.equal(asked.length, 9)
  t.match(warned.at(-1), /counts without relay/)
  t.ok(Number.isNaN(medianRatio([100], [figures.get('relay') ?? 0])), 'there is no ratio to it')
})

t.test('B6: the broker itself is no exception', async (t) => {
  const { figures, warned } = await round({ broker: 99, relay: 1 })
  t.ok(Number.isNaN(figures.get('broker')))
  t.match(warned.at(-1), /counts without broker/)
})
