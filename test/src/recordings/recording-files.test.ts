import t from 'tap'
import { dayOf, findRecording, lookForRecording } from '../../../src/recordings/recording-files.ts'
import { newId } from '../../../src/store/ids.ts'

t.test('a recording is found by the day of its id, on another day, and with an id of another form', async (t) => {
  const [today, late] = [newId('ses'), newId('ses')]
  const dir = t.testdir({
    [dayOf(Date.now())]: { [`${today}.jsonl`]: '' },
    '2026-01-05': { [`${today}.jsonl`]: '', [`${late}.jsonl`]: '', 'ses_1.jsonl': '' },
    '2026-01-06': {},
  })
  t.equal(await findRecording(dir, today), `${dir}/${dayOf(Date.now())}/${today}.jsonl`)
  t.equal(await findRecording(dir, late), `${dir}/2026-01-05/${late}.jsonl`)
  t.equal(await findRecording(dir, 'ses_1'), `${dir}/2026-01-05/ses_1.jsonl`)
  t.equal(await lookForRecording(dir, newId('ses')), undefined)
  t.equal(await lookForRecording(`${dir}/none`, today), undefined)
  await t.rejects(findRecording(dir, 'ses_2'), { code: 'NOT_FOUND' })
  await t.rejects(findRecording(dir, '../ses_1'), { code: 'INVALID_INPUT' })
})
