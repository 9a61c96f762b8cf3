import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { AnchorSender, createAnchors } from '../../../src/audit/anchors.ts'
import { createAuditStore } from '../../../src/audit/audit-store.ts'
import { openBody, parseCheckpointLine } from '../../../src/audit/checkpoint.ts'
import { Checkpointer } from '../../../src/audit/checkpointer.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { waitUntil } from '../../wait-until.ts'
import { created, openAudit } from './start-audit.ts'

t.test('a mark that cannot be written makes no more checkpoints, and keeps none from an anchor', async (t) => {
  const { audit, db, keyring, metrics, anchorFile } = await openAudit(t)
  await audit.append(created('grt_1'))
  let now = 1_800_000_000_000
  const clock = { now: () => now }
  const logged: string[] = []
  const logger = createLogger({ level: 'warn', destination: { write: (line: string) => logged.push(line) } })
  const noted: number[] = []
  const checkpointer = new Checkpointer({
    store: createAuditStore(db),
    keyring,
    clock,
    logger,
    metrics,
    anchors: createAnchors([{ file: anchorFile }], async () => {}).map(
      (anchor) => new AnchorSender(anchor, { clock, logger, onRecovered: () => {} }),
    ),
    everyMs: 300_000,
    everyEvents: 1000,
    mark: {
      id: 'mrk_test',
      noteCheckpoint: async (n) => {
        noted.push(n)
        throw new Error('read-only file system')
      },
    },
    leastNumber: 1,
    checkHead: () => {},
    heads: () => [{ session: 'ses_1', head: 'h', entries: 1 }],
  })
  for (const seconds of [300, 301, 302, 303, 599]) {
    now = 1_800_000_000_000 + seconds * 1000
    await checkpointer.tick()
  }
  t.same(noted, [1])
  t.match(logged, [/read-only file system/], 'it is said')
  now += 1000
  await checkpointer.tick()
  t.same(noted, [1, 2], 'the next one is made when it is due')
  const numbers = (await db.selectFrom('audit_checkpoints').select('n').orderBy('n').execute()).map(({ n }) => n)
  t.same(numbers, [1, 2])
  const anchored = () => readFileSync(anchorFile, 'utf8').trimEnd().split('\n')
  await waitUntil(() => existsSync(anchorFile) && anchored().length === 2)
  t.same(
    anchored().map((line) => openBody(parseCheckpointLine(line)?.body ?? '')?.n),
    [1, 2],
  )
})
