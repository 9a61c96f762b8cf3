import t from 'tap'
import { DailyAnswers } from '../../../src/aws/daily.ts'

const hour = 3_600_000

function start(random = () => 0.5) {
  let now = 1_000_000
  const answers = new DailyAnswers<object>({ now: () => now }, random)
  return {
    answers,
    pass: (ms: number) => {
      now += ms
    },
  }
}

t.test('an answer is good for half a day to a day', (t) => {
  for (const [random, hours] of [
    [0, 12],
    [0.5, 18],
    [1, 24],
  ] as const) {
    const { answers, pass } = start(() => random)
    const answer = {}
    answers.keep([['a', answer]])
    t.equal(answers.get('a'), answer)
    pass(hours * hour - 1)
    t.equal(answers.get('a'), answer)
    pass(1)
    t.equal(answers.get('a'), undefined)
  }
  t.end()
})

t.test(
  'what was taken from here keeps its time; what was asked for again has a new one; the rest is forgotten',
  (t) => {
    const { answers, pass } = start()
    const [a, b] = [{}, {}]
    answers.keep([
      ['a', a],
      ['b', b],
      ['c', {}],
    ])
    pass(17 * hour)
    answers.keep([
      ['a', a],
      ['b', { new: true }],
    ])
    pass(2 * hour)
    t.same([answers.get('a'), answers.get('b'), answers.get('c')], [undefined, { new: true }, undefined])
    t.end()
  },
)

t.test('a clock that was set back keeps nothing for longer than a day', (t) => {
  const { answers, pass } = start()
  answers.keep([['a', {}]])
  pass(-48 * hour)
  t.equal(answers.get('a'), undefined)
  t.end()
})

t.test('all of them asked for at once at first are asked for little by little from then on', (t) => {
  let seed = 1
  const random = () => {
    seed = (seed * 16_807) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const { answers, pass } = start(random)
  const ids = Array.from({ length: 960 }, (_, index) => `${index}`)
  let most = 0
  for (let reading = 0; reading < 10 * 96; reading += 1) {
    const asked = ids.filter((id) => answers.get(id) === undefined)
    if (reading > 96) most = Math.max(most, asked.length)
    answers.keep(ids.map((id) => [id, answers.get(id) ?? {}]))
    pass(hour / 4)
  }
  t.ok(most <= 60, `at most ${most} of 960 in a reading`)
  t.end()
})
