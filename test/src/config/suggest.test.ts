import t from 'tap'
import { suggest } from '../../../src/config/suggest.ts'

const known = ['public_url', 'client_id', 'client_secret', 'listen', 'tls', 'levels']

t.test('the nearest known name is suggested, or none', async (t) => {
  const cases: Readonly<Record<string, string | undefined>> = {
    publc_url: 'public_url',
    LISTEN: 'listen',
    lisen: 'listen',
    tsl: undefined, // two edits are too many for so short a name
    tl: 'tls',
    level: 'levels',
    url: 'public_url',
    'client-id': 'client_id',
    nothing_like_it: undefined,
    [`listen${'x'.repeat(100_000)}`]: undefined,
  }
  for (const [name, wanted] of Object.entries(cases)) t.equal(suggest(name, known), wanted, name.slice(0, 40))
})
