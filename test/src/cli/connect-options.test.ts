import t from 'tap'
import { localProtocols } from '../../../proxy/local/protocols.ts'
import { createProgram } from '../../../src/cli/cli.ts'
import { registerConnect } from '../../../src/cli/connect/connect.ts'
import { checkOptions } from '../../../src/cli/connect/protocol-options.ts'

const orders = { id: 'rds-postgres/111122223333/eu-west-1/orders', protocol: 'postgres' }

t.test('--print takes the forms of every protocol, and of no other', async (t) => {
  const [command] = createProgram([registerConnect]).commands
  const print = command?.options.find(({ long }) => long === '--print')
  const forms = Object.values(localProtocols).flatMap(({ settings }) => settings.forms)
  t.same(new Set(print?.argChoices), new Set(forms))
})

t.test('a form of another protocol is refused, with those of this one', async (t) => {
  checkOptions(orders, { print: 'url', writePgpass: true })
  t.throws(() => checkOptions(orders, { print: 'my.cnf' }), {
    code: 'INVALID_INPUT',
    message: /--print my\.cnf is not for rds-postgres\/.*\/orders, which speaks postgres/,
    hint: 'choose one of psql, url, jdbc, env, pgpass, service',
  })
})

t.test('a protocol that no local port speaks is unsupported', async (t) => {
  for (const protocol of ['gopher', 'constructor'])
    t.throws(() => checkOptions({ ...orders, protocol }, {}), { code: 'UNSUPPORTED' })
})
