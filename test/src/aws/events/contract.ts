/** What reading a queue and the objects of a trail promises, whatever plays AWS. */
import { gzipSync } from 'node:zlib'
import type { Test } from 'tap'
import type { EventObjects } from '../../../../src/aws/events/event-objects.ts'
import type { EventQueue } from '../../../../src/aws/events/event-queue.ts'
import { waitUntil } from '../../../wait-until.ts'
import { signal } from '../hub-setup.ts'

export interface Played {
  /** With a queue for dead letters, after two receives. */
  readonly queue: EventQueue
  readonly objects: EventObjects
  readonly bucket: string
  /** Of the account, without a queue behind it. */
  readonly missing: EventQueue
  putObject(key: string, body: Buffer): Promise<void>
}

export async function eventsContract(t: Test, play: (t: Test) => Promise<Played>): Promise<void> {
  const { queue, objects, bucket, missing, putObject } = await play(t)

  await t.test('messages come, and are gone once they are removed', async (t) => {
    const bodies = Array.from({ length: 12 }, (_, index) => `{"n":${index},"ü":"✓"}`)
    for (const body of bodies) await queue.send(body, signal)
    const received = []
    while (received.length < 12) received.push(...(await queue.receive(signal)))
    t.same(received.map(({ body }) => body).sort(), bodies.sort())
    for (const { sentAt, receives } of received) {
      t.ok(Math.abs(sentAt - Date.now()) < 60_000)
      t.equal(receives, 1)
    }
    const handles = received.map(({ handle }) => handle)
    t.same(await queue.remove(handles.slice(0, 10), signal), [])
    t.same(await queue.remove(handles.slice(10), signal), [])
    t.match(await queue.depth(signal), { waiting: 0, dead: 0, hasDeadLetters: true })
  })

  await t.test('a message that comes too often is a dead letter', async (t) => {
    await queue.send('again', signal)
    for (const receives of [1, 2]) {
      const [message] = await queue.receive(signal)
      t.match(message, { body: 'again', receives })
      await queue.hide([message?.handle ?? ''], 0, signal)
    }
    await queue.send('another', signal)
    const [message] = await queue.receive(signal)
    t.equal(message?.body, 'another')
    await queue.remove([message?.handle ?? ''], signal)
    await waitUntil(async () => (await queue.depth(signal)).dead === 1, 'it is counted', 10_000, 100)
  })

  await t.test('a wait for messages ends when it is called off', async (t) => {
    const stop = new AbortController()
    const waiting = queue.receive(stop.signal)
    setImmediate(() => stop.abort())
    await t.rejects(waiting, { name: 'AbortError' })
  })

  await t.test('records of an object, and an object that is not there', async (t) => {
    const records = Array.from({ length: 3000 }, (_, index) => ({ eventID: `${index}`, text: 'x'.repeat(500) }))
    await putObject('AWSLogs/1/a.json.gz', gzipSync(JSON.stringify({ Records: records })))
    const seen: unknown[] = []
    await objects.read({ bucket, key: 'AWSLogs/1/a.json.gz' }, signal, (one) => void seen.push(JSON.parse(`${one}`)))
    t.same(seen, records)
    const gone = objects.read({ bucket, key: 'AWSLogs/1/b.json.gz' }, signal, () => {})
    await t.rejects(gone, { code: 'AWS_DENIED', message: /no longer there/ })
  })

  await t.test('a queue that is not there', async (t) => {
    await t.rejects(missing.receive(signal), { code: 'AWS_DENIED', message: /there is no queue \S*nowhere/ })
  })
}
