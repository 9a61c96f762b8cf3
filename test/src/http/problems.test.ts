import type { FastifyError } from 'fastify'
import t from 'tap'
import { toBrokerError } from '../../../src/http/plugins/problems.ts'
import { startAccessApp } from './access-app.ts'

t.test('a refused value is told in words: the id that is meant, the values there are', async (t) => {
  const { call } = await startAccessApp(t)
  const refused = async (method: 'GET' | 'POST', path: string, detail: RegExp, body?: string) =>
    t.match(await call('alice', method, path, body), { status: 400, body: { code: 'INVALID_INPUT', detail } }, path)
  await refused('GET', '/api/v1/requests/REQUEST', /params\/id must be an id that begins with req_$/)
  await refused('POST', '/api/v1/grants/GRANT/revoke', /params\/id must be an id that begins with grt_$/, '{}')
  await refused('GET', '/api/v1/requests?nothing=1', /querystring must NOT have additional properties: nothing$/)
  const validation = [
    { keyword: 'enum', instancePath: '/type/0', schemaPath: '', params: { allowedValues: ['a', 'b'] }, message: '' },
    { keyword: 'type', instancePath: '/limit', schemaPath: '', params: {}, message: 'must be integer' },
  ]
  const error: FastifyError = {
    name: 'Error',
    code: 'FST_ERR_VALIDATION',
    message: '',
    validation,
    validationContext: 'querystring',
  }
  t.match(toBrokerError(error), {
    message: /querystring\/type\/0 must be one of a, b, querystring\/limit must be integer$/,
  })
})
