import t from 'tap'
import { SharedPolls } from '../../../../src/aws/identity-center/shared-polls.ts'
import { signal } from '../hub-setup.ts'

const ticket = (requestId: string, change: 'create' | 'delete' = 'create') => ({ change, requestId })

function started(underWay: readonly string[], fails = false) {
  const calls: string[] = []
  const polls = new SharedPolls<string>({
    underWay: async (change) => {
      calls.push(`list ${change}`)
      if (fails) throw new Error('throttled')
      return new Set(underWay)
    },
    describe: async ({ requestId }) => {
      calls.push(`describe ${requestId}`)
      return `state of ${requestId}`
    },
  })
  return { polls, calls }
}

t.test('one that is asked about alone is described', async (t) => {
  const { polls, calls } = started(['a'])
  t.equal(await polls.ask(ticket('a'), signal), 'state of a')
  t.equal(await polls.ask(ticket('b'), signal), 'state of b')
  t.same(calls, ['describe a', 'describe b'])
})

t.test('of several, those that are under way cost one list together', async (t) => {
  const { polls, calls } = started(['a', 'b', 'c'])
  const found = await Promise.all(['a', 'b', 'c', 'd'].map((id) => polls.ask(ticket(id), signal)))
  t.same(found, [null, null, null, 'state of d'])
  t.same(calls, ['list create', 'describe d'])
})

t.test('creations and deletions have lists of their own, and each time is asked anew', async (t) => {
  const { polls, calls } = started(['a', 'b'])
  await Promise.all([
    ...['a', 'b'].map((id) => polls.ask(ticket(id), signal)),
    ...['a', 'b'].map((id) => polls.ask(ticket(id, 'delete'), signal)),
  ])
  await Promise.all(['a', 'b'].map((id) => polls.ask(ticket(id), signal)))
  t.same(calls, ['list create', 'list delete', 'list create'])
})

t.test('a list that fails fails for all who share it', async (t) => {
  const { polls } = started([], true)
  const found = await Promise.allSettled(['a', 'b'].map((id) => polls.ask(ticket(id), signal)))
  t.same(
    found.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
})
