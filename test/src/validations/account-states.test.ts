import t from 'tap'
import { accountStates } from '../../../src/validations/account-states.ts'
import type { ValidationRow } from '../../../src/validations/validation-tables.ts'

const place = { id: 'o-exampleorgid', state: 'ACTIVE', title: 'shop', unit: 'ou-ab12-11111111', path: 'Production' }
const known = { id: '111122223333', isWritten: false, needsPerson: false, organization: place }
const ran = [{ subject: 'account/111122223333', ran_at: 7, requested_at: null, good_at: null }]
const check = (name: string, status: string): ValidationRow => ({
  ...{ subject: 'account/111122223333', name, status, about: 'trust', why: '', severity: 'high', since: 1 },
  ...{ simulated: null, called: null, detail: `${name} is ${status}`, fix: 'mend it' },
})
const spoke = (status: string) => [check('organization', 'ok'), check('spoke role with the ExternalId', status)]

t.test('an account is onboarded, or not, or denied, with the reason and what to do', (t) => {
  const cases: readonly [
    what: string,
    account: object,
    subjects: typeof ran,
    checks: ValidationRow[],
    state: object,
  ][] = [
    [
      'not looked at',
      {},
      [],
      [],
      { state: 'unchecked', reason: null, fix: /aws validate 111122223333/, checkedAt: null },
    ],
    ['onboarded', {}, ran, spoke('ok'), { state: 'onboarded', reason: null, fix: null, checkedAt: 7, title: 'shop' }],
    ['never had a role', {}, ran, spoke('unknown'), { state: 'not-onboarded', reason: /unknown/, fix: 'mend it' }],
    ['has one that refuses', {}, ran, spoke('failed'), { state: 'denied', reason: /failed/, fix: 'mend it' }],
    [
      'suspended',
      { organization: { ...place, state: 'SUSPENDED' } },
      ran,
      spoke('ok'),
      { state: 'suspended', reason: /SUSPENDED/ },
    ],
    [
      'elsewhere',
      { isWritten: true, organization: { ...place, state: null, title: null, unit: null, path: null } },
      ran,
      [check('organization', 'failed')],
      { state: 'denied', organization: null, reason: /organization is failed/ },
    ],
    ['web identity', { needsPerson: true }, ran, [], { state: 'onboarded', trust: 'web_identity' }],
    ['no organization is read', { organization: null }, ran, spoke('ok'), { state: 'onboarded', unit: null }],
  ]
  for (const [what, account, subjects, checks, state] of cases)
    t.match(accountStates([{ ...known, ...account }], subjects, checks), [{ account: known.id, ...state }], what)
  t.end()
})
