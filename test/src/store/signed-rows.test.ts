import t from 'tap'
import { isSigned as isSignedAccess } from '../../../src/access/rows/rows.ts'
import { isSigned as isSignedIdentity } from '../../../src/identity/signed-rows.ts'
import { type Macs, signedRows, unsignedRows } from '../../../src/store/signed-rows.ts'

/** Keeps the texts that are signed or checked. */
function recordingKeyring() {
  const texts: string[] = []
  const note = (purpose: string, text: string) => texts.push(`${purpose} ${text}`)
  const keyring: Macs = {
    mac: (...what) => `mac ${note(...what)}`,
    checkMac: (purpose, text) => note(purpose, text) > 0,
  }
  return { texts, keyring }
}

t.test('the texts that MACs cover are those of rows that are stored already', async (t) => {
  const { texts, keyring } = recordingKeyring()
  const revision = { id: 'rev', digest: 'd', content: '{"ü":1}', loaded_at: 5, mac: 'm' }
  isSignedAccess(keyring, 'rule_revisions', revision)
  const login = {
    id: 't',
    principal_id: 'p',
    grant_id: 'g',
    resource_id: 'r',
    level: 'l',
    issued_by: 'lgn',
    cidr: null,
  }
  const times = { created_at: 1, expires_at: 2, last_used_at: 3, last_used_from: 'x' }
  isSignedIdentity(keyring, 'connect_tokens', { ...login, ...times, keys: Uint8Array.of(1, 2, 3), mac: 'm' })
  t.same(texts, [
    'row:rule_revisions {"content":"{\\"ü\\":1}","digest":"d","id":"rev","loaded_at":5}',
    'row:connect_tokens [["created_at",1],["expires_at",2],["grant_id","g"],["id","t"],["issued_by","lgn"],' +
      '["keys","AQID"],["level","l"],["principal_id","p"],["resource_id","r"]]',
  ])
})

interface Tables {
  things: { id: string; name: string; note: string | null; mac: string }
}

t.test('free columns, empty ones and the MAC itself are not covered', async (t) => {
  const { texts, keyring } = recordingKeyring()
  const { signRow, isSigned } = signedRows<Tables>({ things: ['note'] }, JSON.stringify)
  const row = signRow(keyring, 'things', { id: '1', name: 'a', note: 'free' })
  t.match(row, { id: '1', name: 'a', note: 'free', mac: /^mac / })
  t.ok(isSigned(keyring, 'things', { ...row, note: null }))
  t.equal(texts[0], texts[1])
})

t.test('every row is looked at, page by page', async (t) => {
  const ids = Array.from({ length: 1200 }, (_, i) => String(i).padStart(4, '0'))
  const read = async (after: string, limit: number) =>
    ids
      .filter((id) => id > after)
      .slice(0, limit)
      .map((id) => ({ id }))
  const problems: unknown[] = []
  for await (const problem of unsignedRows('thing', read, ({ id }) => !['0000', '0500', '1199'].includes(id)))
    problems.push([problem.where, problem.at])
  t.same(problems, [
    ['thing', '0000'],
    ['thing', '0500'],
    ['thing', '1199'],
  ])
})
