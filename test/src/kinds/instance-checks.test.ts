import t from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import type { AgentInfo } from '../../../src/aws/session-manager.ts'
import { checkInstance } from '../../../src/kinds/instance-checks.ts'

const id = 'i-0123456789abcdef0'
const agent: AgentInfo = { isOnline: true, version: '3.3.987.0', platform: 'Linux' }
const need = { version: '3.1.1511', what: 'exit codes' }
const found = async (info: AgentInfo | null, needs = [need]) =>
  (await checkInstance({ agent: async () => info }, id, needs)).map(({ outcome, detail }) => `${outcome}: ${detail}`)

t.test('an agent that is there, and new enough', async (t) => {
  for (const version of ['3.3.987.0', '3.1.1511.0', '3.1.1511', '4.0', '10.0.0.0'])
    t.same(await found({ ...agent, version }), [`ok: online, with agent ${version}`])
  t.same(await found({ ...agent, version: '2.0.0.0' }, []), ['ok: online, with agent 2.0.0.0'])
})

t.test('one that is too old, in part or altogether', async (t) => {
  for (const version of ['3.1.1510.9', '3.0.9999.0', '2.3.722.0', '3', ''])
    t.match(await found({ ...agent, version }), [/^fail: its agent .* is too old for exit codes/], version)
  t.match(await found({ ...agent, version: '3.1.0.0' }, [{ ...need, isOptional: true } as never]), [/^warn: /])
})

t.test('instances that nothing could be opened at', async (t) => {
  t.match(await found(null), [/^fail: Session Manager does not know it/])
  t.match(await found({ ...agent, isOnline: false }), [/^fail: its SSM agent is not connected/])
  t.match(await found({ ...agent, platform: 'Windows' }), [/^fail: it runs Windows/])
})

t.test('an account that does not let the broker look', async (t) => {
  const refuse = async () => {
    throw new BrokerError('AWS_DENIED', 'ssm:DescribeInstanceInformation is not allowed', { hint: 'run this' })
  }
  t.match(await checkInstance({ agent: refuse }, id, [need]), [
    { check: `instance ${id}`, outcome: 'warn', detail: /DescribeInstanceInformation is not allowed/, fix: 'run this' },
  ])
})
