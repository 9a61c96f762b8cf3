import t from 'tap'
import { EventProblem } from '../../../../src/aws/events/read-event.ts'
import { splitRecords } from '../../../../src/aws/events/split-records.ts'

const records = [{ a: 1 }, { b: 'x}]{["\\"\\\\', c: { d: [[], {}] } }, {}, { ü: '✓ \u0000' }]
const whole = Buffer.from(`{ "Records" : [${records.map((one) => JSON.stringify(one)).join(' ,\n')}] }`)

async function split(...chunks: readonly Uint8Array[]): Promise<unknown[]> {
  const found: unknown[] = []
  async function* given() {
    yield* chunks
  }
  for await (const one of splitRecords(given())) found.push(JSON.parse(one.toString()))
  return found
}

t.test('records are the same wherever the chunks are cut', async (t) => {
  t.same(await split(whole), records)
  for (let at = 0; at <= whole.length; at += 1)
    t.same(await split(whole.subarray(0, at), whole.subarray(at)), records, `at ${at}`)
  t.same(await split(...Array.from(whole, (byte) => Buffer.of(byte))), records)
  t.same(await split(Buffer.from('{"Records":[]}')), [])
})

t.test('what ends early, closes twice, nests too deeply or is too long is no such object', async (t) => {
  for (let at = 1; at < whole.length; at += 1)
    await t.rejects(split(whole.subarray(0, at)), EventProblem, `the first ${at} bytes`)
  for (const wrong of ['{"Records":[]}}', '{"Records":[[]]}', ']', `{"Records":[{"a":${'['.repeat(300)}`])
    await t.rejects(split(Buffer.from(wrong)), EventProblem, wrong.slice(0, 30))
  const long = Buffer.from(`{"Records":[{"a":"${'x'.repeat(1_048_576)}"}]}`)
  await t.rejects(split(long), EventProblem)
  await t.rejects(
    split(...Array.from({ length: 20 }, (_, index) => long.subarray(index * 60_000, (index + 1) * 60_000))),
    EventProblem,
  )
})
