import t from 'tap'
import { databasePorts } from '../../../../src/kinds/reach/policies.ts'
import { judgePortDocument } from '../../../../src/kinds/reach/validate-via.ts'

interface Document {
  readonly sessionType: string
  readonly parameters: { readonly host: object; readonly portNumber: object }
  readonly properties: object
}
const ours = databasePorts.content as Document
const judged = (content: unknown) => {
  const { outcome, detail, fix } = judgePortDocument(JSON.stringify(content), databasePorts)
  return `${outcome}: ${detail}${fix === null ? '' : ` | ${fix}`}`
}
const withHost = (host: object) => ({ ...ours, parameters: { ...ours.parameters, host } })

t.test('ours leads to databases alone, and one with narrower patterns is for people to read', async (t) => {
  t.equal(judged(ours), 'ok: it leads where ours does, and nowhere else')
  const narrow = withHost({ type: 'String', allowedPattern: '^orders\\.abc123\\.eu-west-1\\.rds\\.amazonaws\\.com$' })
  t.match(judged(narrow), /^warn: its host has a pattern of its own, \^orders.*check that it begins with \^/)
})

t.test('what would lead anywhere, or nowhere', async (t) => {
  for (const [content, found] of [
    [{ ...ours, sessionType: 'Standard_Stream' }, /^fail: it has the type Standard_Stream/],
    [withHost({ type: 'String' }), /^fail: it allows any host: its tunnels would lead anywhere/],
    [withHost({ type: 'String', allowedPattern: '' }), /^fail: it allows any host/],
    [{ ...ours, parameters: { host: ours.parameters.host } }, /^fail: it allows any portNumber/],
    [{ ...ours, properties: { ...ours.properties, host: 'localhost' } }, /^fail: its host is not \{\{ host \}\}/],
    [{ ...ours, properties: { ...ours.properties, type: undefined } }, /^fail: its type is not LocalPortForwarding/],
    [{ ...ours, properties: null }, /^fail: its host is not/],
    [[], /^fail: it has the type undefined/],
  ] as const)
    t.match(judged(content), found)
  t.match(judgePortDocument('schemaVersion: 1.0', databasePorts), { outcome: 'fail', fix: /aws prepare/ })
})
